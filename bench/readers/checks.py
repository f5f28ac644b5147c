"""The table of checks: which reader opens which output, and what it must find."""

from collections.abc import Callable
from pathlib import Path

from bench.readers import coco, dali, datumaro, energon, fiftyone, folders, parquet, shards, tables, tfrecord, voc, yolo
from bench.readers.check import Check, Facts
from bench.readers.tally import BOXES

_LISTS = ("success", "failure", "titles")
_DATABASE = ("images", "boxes", "failures")
_LABELS = (*BOXES, "labels")


def _check(
    output: str,
    reader: str,
    packages: str,
    read: Callable[[Path], Facts],
    *facts: str,
    modules: str = "",
) -> Check:
    names = packages.split()
    return Check(output, reader, tuple(names), tuple((modules or packages).split()), read, facts)


_ALL = (
    _check("coco", "pycocotools `COCO`", "pycocotools", coco.boxes, *BOXES),
    _check("coco", "pycocotools `loadRes`, `COCOeval`", "pycocotools", coco.box_results, "AP"),
    _check("coco", "pycocotools `showAnns`", "pycocotools matplotlib", coco.drawn, "masks"),
    _check("coco, masks alone", "pycocotools `annToMask`", "pycocotools", coco.masks, "images", "masks"),
    _check("coco, masks alone", "pycocotools `loadRes`, `COCOeval`", "pycocotools", coco.mask_results, "AP"),
    _check("coco", "`json`", "", coco.beside, "relationships", "points"),
    _check("coco", "torchvision `CocoDetection`", "torchvision pycocotools", coco.torchvision_boxes, *BOXES),
    _check(
        "coco, masks alone", "torchvision `CocoDetection`", "torchvision pycocotools", coco.torchvision_masks,
        "images", "masks",
    ),
    _check("coco", "globox `from_coco`", "globox", coco.globox_boxes, *BOXES),
    _check("coco, --hardlink", "Datumaro `coco`", "datumaro", datumaro.coco, *BOXES),
    _check("coco", "FiftyOne's importer", "fiftyone", fiftyone.coco, *BOXES),
    _check("coco, masks alone", "FiftyOne's importer", "fiftyone pycocotools", fiftyone.coco_masks, "images", "masks"),
    _check("yolo", "Ultralytics' check and data set", "ultralytics", yolo.ultralytics, *BOXES),
    _check("yolo", "globox `from_yolo_v5`", "globox PyYAML", yolo.globox_boxes, *BOXES, modules="globox yaml"),
    _check("yolo", "FiftyOne's importer", "fiftyone", fiftyone.yolo, *BOXES),
    _check("yolo, --hardlink", "Datumaro `yolo`", "datumaro", datumaro.yolo, *BOXES),
    _check("voc", "torchvision `VOCDetection`", "torchvision", voc.torchvision_boxes, *BOXES),
    _check("voc", "globox `from_pascal_voc`", "globox", voc.globox_boxes, *BOXES),
    _check("voc", "FiftyOne's importer", "fiftyone", fiftyone.voc, *BOXES),
    _check("voc, --hardlink", "Datumaro `voc_detection`", "datumaro", datumaro.voc, *BOXES),
    _check(
        "imagefolder", 'Hugging Face `load_dataset("imagefolder")`', "datasets pillow", folders.hugging_face,
        *BOXES, "licences", "authors", modules="datasets PIL",
    ),
    _check("imagefolder", "torchvision `ImageFolder`", "torchvision", folders.torchvision_folders, "images", "folders"),
    _check(
        "imagefolder, --hardlink", "Datumaro `image_dir`", "datumaro", datumaro.folders, "images", "folders",
    ),
    _check(
        "imagefolder", "mlcroissant", "mlcroissant pillow", folders.croissant, "images", "licences", "authors",
        modules="mlcroissant PIL",
    ),
    *(
        _check(output, reader, packages, read, *shards.FACTS, modules=modules)
        for output in ("pack webdataset", "run webdataset")
        for reader, packages, read, modules in (
            ("webdataset", "webdataset pillow", shards.webdataset, "webdataset PIL"),
            ("Hugging Face `load_dataset`", "datasets pillow", shards.loaded, "datasets PIL"),
            ("Hugging Face `load_dataset`, streaming", "datasets pillow", shards.streamed, "datasets PIL"),
        )
    ),
    _check(
        "pack webdataset", "wids `ShardListDataset`", "wids torch pillow", shards.wids, *shards.FACTS,
        modules="wids PIL",
    ),
    _check(
        "pack webdataset", "NVIDIA Energon, after `energon prepare`", "megatron-energon pillow", energon.prepared,
        *shards.FACTS, modules="megatron.energon PIL",
    ),
    *(
        _check(
            f"{output}, --idx", "NVIDIA DALI", "nvidia-dali-cuda120", read, *shards.FACTS, modules="nvidia.dali"
        )
        for output, read in (("pack webdataset", dali.webdataset), ("pack tfrecord", dali.tfrecord))
    ),
    _check("pack webdataset, --idx", "DALI's index, by its text", "pillow", dali.wds_index, "images", modules="PIL"),
    *(
        _check(
            output, "TensorFlow, by the Object Detection API's keys", "tensorflow-cpu", tfrecord.tensorflow,
            *shards.FACTS, modules="tensorflow",
        )
        for output in ("pack tfrecord", "run tfrecord")
    ),
    _check("pack tfrecord, --idx", "DALI's index, by its text", "", dali.tfrecord_index, "images"),
    *(
        _check(output, "mlcroissant", "mlcroissant", shards.croissant, "images", "licences", "authors")
        for output in ("pack webdataset", "pack tfrecord", "pack parquet")
    ),
    *(
        _check("pack parquet", reader, f"{package} pillow", read, *shards.FACTS, modules=f"{package} PIL")
        for reader, package, read in (
            ("Hugging Face `load_dataset`", "datasets", shards.loaded),
            ("Hugging Face `load_dataset`, streaming", "datasets", shards.streamed),
            ("pyarrow `dataset`", "pyarrow", parquet.pyarrow),
            ("DuckDB `read_parquet`", "duckdb", parquet.duckdb),
            ("polars `read_parquet`", "polars", parquet.polars),
        )
    ),
    _check("csv", "pandas", "pandas", tables.pandas_csv, *_LABELS),
    _check("csv", "polars", "polars", tables.polars_csv, *_LABELS),
    _check("csv", "DuckDB", "duckdb", tables.duckdb_csv, *_LABELS),
    _check("lists", "pandas", "pandas", tables.pandas_lists, *_LISTS),
    _check("lists", "polars", "polars", tables.polars_lists, *_LISTS),
    _check("lists", "DuckDB", "duckdb", tables.duckdb_lists, *_LISTS),
    _check("database", "pandas", "pandas", tables.pandas_database, *_DATABASE),
    _check("database", "polars", "polars", tables.polars_database, *_DATABASE),
    _check("database", "datasette", "datasette", tables.datasette, *_DATABASE),
    _check("database", "sqlite-utils", "sqlite-utils", tables.sqlite_utils, *_DATABASE, modules="sqlite_utils"),
)  # fmt: skip

CHECKS = {f"{check.output}: {check.reader}": check for check in _ALL}
