"""Labels for other tools: their own readers load them, and the boxes lie on the objects in the files."""

import csv
import gc
import json
import pathlib
import re
import tracemalloc
from collections import Counter
from pathlib import Path
from shutil import copyfileobj
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from builders import image
from globox import AnnotationSet
from labelled import BLUE, IMAGES, LABELLED, NAMES, NONE, OBJECT, RED, RENDITIONS, SUBSETS, LabelledRoot, put_box
from pages import code_blocks, manual
from pictures import check_box
from PIL import Image as Pillow
from PIL import ImageOps
from pycocotools import coco as pycoco

from oidl.errors import StateError, UsageError
from oidl.export import categories
from oidl.export.describe import export_line, exported_text
from oidl.export.format import Format
from oidl.export.formats import coco as coco_format
from oidl.export.formats.boxes_csv import BOXES_CSV
from oidl.export.formats.coco import COCO
from oidl.export.formats.voc import VOC
from oidl.export.formats.yolo import YOLO
from oidl.export.labels import export_labels
from oidl.export.request import ExportRequest, ExportResult
from oidl.model import ORIGINAL, LabelType, Rendition, ResizeMode
from oidl.settings import Selection
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.load import ImageList, load_list
from oidl.state.selection import drop_selection, select_images

OBJECT_OF = {NAMES[label_name]: name for label_name, name in OBJECT.items()}


def opened(path: Path, *, upright: bool = False) -> Pillow.Image:
    with Pillow.open(path) as picture:
        picture.load()
        return ImageOps.exif_transpose(picture) if upright else picture


# ---- COCO


def coco_files(dest: Path) -> list[pycoco.COCO]:
    return [pycoco.COCO(str(dest / f"annotations/instances_{subset}.json")) for subset in SUBSETS]


@pytest.mark.parametrize("rendition", [rendition.name for rendition in RENDITIONS])
@pytest.mark.parametrize("upright", [False, True])
def test_coco_boxes_lie_on_the_objects_of_every_rendition(
    rendition: str, upright: bool, exported: Any, tmp_path: Path
) -> None:
    exported(COCO, rendition=rendition, apply_exif=upright)
    found = 0
    for coco in coco_files(tmp_path):
        directory = tmp_path / "annotations" / coco.dataset["info"]["image_directory"]
        for facts in coco.loadImgs(coco.getImgIds()):
            picture = opened(directory / facts["file_name"], upright=upright)
            assert picture.size == (facts["width"], facts["height"])
            for annotation in coco.loadAnns(coco.getAnnIds(imgIds=facts["id"])):
                (category,) = coco.loadCats(annotation["category_id"])
                left, top, width, height = annotation["bbox"]
                check_box(picture, OBJECT_OF[category["name"]], left, top, left + width, top + height)
                found += 1
    images = LABELLED - (rendition == ORIGINAL)
    assert images <= found <= 2 * images
    assert found == 2 * images or rendition == "seen"  # a crop that looks for something may leave an object out


def test_coco_has_what_its_format_has_a_place_for(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="fillcrop")
    train, _ = coco_files(tmp_path)
    assert [(cat["id"], cat["name"], cat["supercategory"], cat["label_name"]) for cat in train.loadCats([1, 2, 3])] == [
        (1, NAMES[BLUE], NAMES[BLUE], BLUE),
        (2, NAMES[NONE], NAMES[NONE], NONE),
        (3, NAMES[RED], "/m/0root", RED),
    ]
    (facts,) = train.loadImgs(1)
    published = image(1)
    assert facts["open_images_id"] == published.image_id
    assert (facts["flickr_url"], facts["landing_url"]) == (published.original_url, published.original_landing_url)
    assert (facts["author"], facts["title"]) == ("A� <b> & co", published.title)
    (license_,) = train.dataset["licenses"]
    assert (license_["id"], license_["url"]) == (facts["license"], published.license)
    blue, red = (train.loadAnns(train.getAnnIds(imgIds=1, catIds=number))[0] for number in (1, 3))
    assert (blue["iscrowd"], red["iscrowd"]) == (1, 0)
    # pycocotools' `showAnns` refuses annotations without this.
    assert all(each["segmentation"] == [] for each in train.anns.values())
    assert red["area"] == pytest.approx(red["bbox"][2] * red["bbox"][3], abs=0.01)
    # FillCrop kept the pixels from 40 to 200 of 240; the red object begins at 24.
    assert red["attributes"]["truncated"] is True
    assert red["bbox"][0] == 0
    assert train.getAnnIds() == list(range(1, len(train.anns) + 1))
    assert train.getAnnIds(iscrowd=True)


def test_the_example_in_the_manual_finds_pictures_and_boxes(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="border")
    examples = code_blocks(manual("exports"), "python")
    (example,) = [each for each in examples if "pycocotools" in each]
    mine = re.sub(r'Path\(".*?"\)', f'Path("{tmp_path}/annotations/instances_train.json")', example)
    found: dict[str, Any] = {}
    exec(mine.replace('"Cat"', '"red"'), found)
    assert len(found["crops"]) == len(found["boxes"]) == 2


def test_an_image_is_the_same_one_in_every_export(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="fillcrop", dest=tmp_path / "all")
    exported(
        COCO,
        rendition="border",
        dest=tmp_path / "some",
        label_names=(RED,),
        selection=Selection(subsets=("train",)),
    )
    every, some = (
        {facts["open_images_id"]: facts["id"] for facts in json.loads(path.read_text())["images"]}
        for path in (tmp_path / name / "annotations/instances_train.json" for name in ("all", "some"))
    )
    assert some.items() <= every.items()
    assert some
    assert not (tmp_path / "some/annotations/instances_validation.json").exists()


def test_chosen_classes_are_numbered_as_they_are_named(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="fillcrop", label_names=(RED, NONE))
    train, _ = coco_files(tmp_path)
    assert {cat["id"]: cat["label_name"] for cat in train.dataset["categories"]} == {1: RED, 2: NONE}
    assert {annotation["category_id"] for annotation in train.dataset["annotations"]} == {1}


def test_an_export_without_an_image_is_refused_and_keeps_the_one_before(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="fillcrop")
    before = [coco.getImgIds() for coco in coco_files(tmp_path)]
    why = r"nothing was exported: of \d+ chosen images, none has boxes that fit the options\n.*--with-empty"
    with pytest.raises(UsageError, match=why):
        exported(COCO, rendition="fillcrop", label_names=(NONE,))
    assert [coco.getImgIds() for coco in coco_files(tmp_path)] == before


def test_an_export_of_empty_images_alone_loads_all_the_same(exported: Any, tmp_path: Path) -> None:
    done = exported(COCO, rendition="fillcrop", label_names=(NONE,), with_empty=True)
    assert sum(done.images.values()) > 0
    for coco in coco_files(tmp_path):
        assert coco.getImgIds()
        assert coco.getAnnIds() == []


# ---- YOLO and VOC, as globox reads them


def check_set(found: AnnotationSet, directory: Path, objects: dict[str, str], near: float = 0) -> int:
    for annotation in found:
        (path,) = directory.rglob(Path(annotation.image_id).name)
        picture = opened(path)
        assert picture.size == annotation.image_size
        for box in annotation.boxes:
            check_box(picture, objects[box.label], box.xmin - near, box.ymin - near, box.xmax, box.ymax)
    return sum(len(annotation.boxes) for annotation in found)


@pytest.mark.parametrize("rendition", ["shrinktofit", "fillcrop", "border", "turned", "kept"])
def test_yolo_boxes_lie_on_the_objects(
    rendition: str, exported: Any, tmp_path: Path, labelled_root: LabelledRoot
) -> None:
    exported(YOLO, rendition=rendition)
    data = yaml.safe_load((tmp_path / "data.yaml").read_text("utf-8"))
    assert data["names"] == {0: NAMES[BLUE], 1: NAMES[NONE], 2: NAMES[RED]}
    objects = {str(number): OBJECT_OF[name] for number, name in data["names"].items() if name in OBJECT_OF}
    found = 0
    assert list(data) == ["train", "val", "names"]
    for split in ("train", "val"):
        pictures = list((tmp_path / data[split]).iterdir())
        for picture in pictures:
            # Ultralytics' rule for where the boxes of a picture are.
            labels = "/labels/".join(str(picture).rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt"
            assert len(Path(labels).read_text().splitlines()) == 2
        boxes = AnnotationSet.from_yolo_v5(
            tmp_path / "labels" / split,
            image_folder=tmp_path / "images" / split,
            image_extension=pictures[0].suffix,
        )
        assert len(boxes) == len(pictures)
        found += check_set(boxes, tmp_path / "images" / split, objects)
    assert found == 2 * LABELLED


@pytest.mark.parametrize("rendition", ["shrinktofit", "fillcrop", "border", "turned", "kept"])
def test_voc_boxes_lie_on_the_objects(rendition: str, exported: Any, tmp_path: Path) -> None:
    exported(VOC, rendition=rendition)
    home = tmp_path / "VOCdevkit/VOC2012"
    listed = [name for split in ("train", "val") for name in (home / f"ImageSets/Main/{split}.txt").read_text().split()]
    assert len(listed) == LABELLED
    assert sorted(path.stem for path in (home / "Annotations").iterdir()) == sorted(listed)
    assert sorted(path.stem for path in (home / "JPEGImages").iterdir()) == sorted(listed)
    boxes = AnnotationSet.from_pascal_voc(home / "Annotations")
    objects = {name.replace(":", "-"): colour for name, colour in OBJECT_OF.items()}
    # Pixels count from 1 there, which globox leaves to its callers.
    assert check_set(boxes, home / "JPEGImages", objects, near=1) == 2 * LABELLED


def test_voc_has_what_its_format_has_a_place_for(exported: Any, tmp_path: Path) -> None:
    exported(VOC, rendition="fillcrop")
    root = ElementTree.parse(tmp_path / f"VOCdevkit/VOC2012/Annotations/{image(1).image_id}.xml").getroot()
    assert (root.findtext("folder"), root.findtext("filename")) == ("VOC2012", f"{image(1).image_id}.png")
    assert root.findtext("owner/name") == "A� <b> & co"
    assert root.findtext("source/license") == image(1).license
    assert [root.findtext(f"size/{name}") for name in ("width", "height", "depth")] == ["160", "160", "3"]
    things = {thing.findtext("name"): thing for thing in root.iter("object")}
    red, blue = things[NAMES[RED]], things[NAMES[BLUE].replace(":", "-")]
    flags = ("truncated", "difficult", "occluded")
    assert [red.findtext(flag) for flag in flags] == ["1", "0", "0"]
    assert [blue.findtext(flag) for flag in flags] == ["1", "1", "0"]
    assert [red.findtext(f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax")] == ["1", "17", "80", "56"]
    exported(VOC, rendition="border")
    root = ElementTree.parse(tmp_path / f"VOCdevkit/VOC2012/Annotations/{image(1).image_id}.xml").getroot()
    assert [thing.findtext("truncated") for thing in root.iter("object")] == ["0", "0"]


# ---- CSV, and the list of sizes


def table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_a_row_for_every_box_with_its_pixels(
    exported: Any, tmp_path: Path, labelled_root: LabelledRoot
) -> None:
    done = exported(BOXES_CSV, rendition="fillcrop")
    rows = [row for subset in SUBSETS for row in table(tmp_path / f"boxes-{subset}.csv")]
    assert len(rows) == sum(counts.total() for counts in done.annotations.values()) == 2 * LABELLED
    for row in rows:
        picture = opened(tmp_path / row["file_name"])
        assert picture.size == (int(row["width"]), int(row["height"]))
        assert row["display_name"] == NAMES[row["label_name"]]
        check_box(
            picture, OBJECT[row["label_name"]], *(float(row[side]) for side in ("x_min", "y_min", "x_max", "y_max"))
        )
    red = next(row for row in rows if row["image_id"] == image(1).image_id and row["label_name"] == RED)
    assert (red["visible"], red["is_group_of"], red["is_occluded"]) == ("0.833", "0", "")
    assert not list(tmp_path.glob("labels-*"))


@pytest.mark.parametrize("rendition", [rendition.name for rendition in RENDITIONS])
def test_the_database_says_the_same_of_where_boxes_are(
    rendition: str, exported: Any, tmp_path: Path, labelled_root: LabelledRoot
) -> None:
    exported(BOXES_CSV, rendition=rendition)
    rows = [row for subset in SUBSETS for row in table(tmp_path / f"boxes-{subset}.csv")]
    view = labelled_root.db.execute(
        "SELECT image_id, label_name, x_min * width, y_min * height, x_max * width, y_max * height "
        "FROM file_box WHERE rendition = ?",
        (rendition,),
    )
    found = {(row["image_id"], row["label_name"]): row for row in rows}
    expected = {(image_id, label_name): corners for image_id, label_name, *corners in view}
    assert found.keys() == expected.keys()
    for key, row in found.items():
        corners = [float(row[side]) for side in ("x_min", "y_min", "x_max", "y_max")]
        assert corners == pytest.approx(expected[key], abs=0.01)


def test_csv_has_labels_of_whole_images_too(exported: Any, tmp_path: Path) -> None:
    exported(BOXES_CSV, rendition="fillcrop", selection=Selection(label_types=("boxes", "labels")))
    rows = [row for subset in SUBSETS for row in table(tmp_path / f"labels-{subset}.csv")]
    assert Counter((row["label_name"], row["confidence"]) for row in rows) == {
        (RED, "0"): LABELLED,
        (BLUE, "1"): LABELLED,
    }
    assert table(tmp_path / "boxes-train.csv")


def test_sizes_of_all_files_are_listed_height_first(exported: Any, tmp_path: Path) -> None:
    exported(BOXES_CSV, rendition="shrinktofit", selection=Selection(subsets=("train",)))
    sizes = dict(line.split(" ", 1) for line in (tmp_path / "images.meta").read_text().splitlines())
    assert sizes[image(1).image_id] == "107 160"
    assert sizes[image(5).image_id] == "160 107"
    assert image(IMAGES).image_id in sizes  # though it has no boxes
    assert image(3).image_id not in sizes  # of another subset
    assert list(sizes) == sorted(sizes)


def test_memory_does_not_grow_with_what_is_written(
    db: StateConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = [image(number, "train" if number < 500 else "validation") for number in range(3000)]
    load_list(db, ImageList("7", "v7", "list.csv"), SUBSETS, published)
    Ledger(db).register([Rendition("r", "r", ResizeMode.FILL_CROP, 9, "jpg")])
    for subset in SUBSETS:
        (tmp_path / "v7" / subset / "r").mkdir(parents=True)
    for image_id, subset, *_ in published:
        (tmp_path / f"v7/{subset}/r/{image_id}.jpg").touch()
        db.execute(
            "INSERT INTO file (image_id, rendition, path, bytes, width, height, written_at, scaled_width, "
            "scaled_height) VALUES (?, 'r', ?, 9, 9, 9, '', 9, 9)",
            (image_id, f"v7/{subset}/r/{image_id}.jpg"),
        )
        put_box(db, image_id, 1, RED, (0.1, 0.9, 0.1, 0.9))
    held: list[int] = []

    def copied_when_all_is_read(spool: Any, file: Any) -> None:
        # CPython keeps up to 2,000 tuples of a length that are no longer used, 400 kB of rows with 20 columns, until a
        # full collection happens to come along. Nor is the table of interned strings counted, which pathlib lets grow.
        gc.collect()
        snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, pathlib.__file__)])
        held.append(sum(trace.size for trace in snapshot.traces))
        copyfileobj(spool, file)

    monkeypatch.setattr(coco_format, "copyfileobj", copied_when_all_is_read)
    tracemalloc.start()
    try:
        for subsets in (SUBSETS, ("train",), ("validation",)):
            dest = tmp_path / subsets[-1]
            export_labels(db, tmp_path, ExportRequest(COCO, selection=Selection(subsets=subsets), dest=dest))
    finally:
        tracemalloc.stop()
    *_, of_train, of_validation = held
    written = [(tmp_path / subset / f"annotations/instances_{subset}.json").stat().st_size for subset in SUBSETS]
    assert written[1] - written[0] > 1_000_000
    assert of_validation - of_train < 50_000


# ---- what is left out


@pytest.mark.parametrize("form", [COCO, YOLO, VOC])
def test_images_with_nothing_in_them_are_written_when_asked_for(form: Format, exported: Any) -> None:
    assert sum(exported(form, rendition="border").images.values()) == LABELLED
    assert sum(exported(form, rendition="border", with_empty=True).images.values()) == IMAGES


def test_no_more_images_are_written_than_asked_for_nor_any_that_was_not_chosen(
    exported: Any, labelled_root: LabelledRoot
) -> None:
    selected = select_images(labelled_root.db, Selection(where="image_id > '0000000000000003'"))
    try:
        done = exported(COCO, rendition="border", selected=selected, selection=Selection(limit=5))
        assert sum(done.images.values()) == 5
        written = [facts["open_images_id"] for coco in coco_files(done.dest) for facts in coco.dataset["images"]]
        assert sorted(written) == [image(number).image_id for number in range(4, 9)]
        assert len((done.dest / "images.meta").read_text().splitlines()) == 5
    finally:
        drop_selection(labelled_root.db)


def test_boxes_that_do_not_fit_are_not_written_nor_images_without_one_that_does(exported: Any) -> None:
    done = exported(BOXES_CSV, rendition="border", selection=Selection(attributes=(("is_group_of", 1),)))
    assert sum(counts.total() for counts in done.annotations.values()) == sum(done.images.values()) == LABELLED
    with (done.dest / "boxes-train.csv").open() as file:
        assert {row["label_name"] for row in csv.DictReader(file)} == {BLUE}
    labels = Selection(label_types=(LabelType.LABELS,), verified_only=True)
    done = exported(BOXES_CSV, rendition="border", selection=labels)
    with (done.dest / "labels-train.csv").open() as file:
        assert {row["label_name"] for row in csv.DictReader(file)} == {BLUE}
    with pytest.raises(UsageError, match="none has boxes that fit the options"):
        exported(BOXES_CSV, rendition="border", selection=Selection(min_box_area=1.0))


def test_boxes_of_which_too_little_is_left_are_left_out(exported: Any, tmp_path: Path) -> None:
    whole = exported(COCO, rendition="fillcrop", selection=Selection(subsets=("train",)))
    assert not whole.unseen
    done = exported(COCO, rendition="fillcrop", selection=Selection(subsets=("train",)), min_visible=0.9)
    unseen = done.unseen[LabelType.BOXES]
    assert unseen > 0
    boxes = [each.annotations["train"][LabelType.BOXES] for each in (whole, done)]
    assert boxes[0] == boxes[1] + unseen


def test_what_is_left_out_is_said() -> None:
    done = ExportResult(
        Path("/x"),
        "r",
        (LabelType.BOXES, LabelType.LABELS),
        {"train": 1200},
        {"train": Counter({LabelType.BOXES: 3400})},
        Counter({LabelType.BOXES: 7}),
        missing_files=5,
        without_geometry=3,
    )
    assert exported_text(done, ExportRequest(YOLO, min_visible=0.25)) == (
        "/x: yolo, rendition r\n"
        "  train: 1,200 images with 3,400 boxes, 0 labels\n"
        "  left out: 7 boxes, because they lie outside the image, or less than 0.25 of each is inside\n"
        "  left out: 5 images with missing files; run `oidl verify --repair`, then `oidl run`\n"
        "  left out: 3 files without a record of how they were made; "
        "run `oidl run --always-download` to make them again"
    )
    assert "left out" not in exported_text(ExportResult(Path("/x"), "r", ("boxes",), {}, {}), ExportRequest(YOLO))


@pytest.mark.parametrize(
    ("limit", "files_read", "line"),
    [
        (None, 0, "0 of 40,000 images · 10 exported · 0 images/s"),
        (None, 20_000, "20,000 of 40,000 images · 10 exported · 400 images/s · 50 s"),
        (None, 40_000, "40,000 of 40,000 images · 10 exported · 800 images/s"),
        (500, 10_000, "10 of 500 images exported · 200 images/s"),
    ],
)
def test_how_far_an_export_is_is_said(limit: int | None, files_read: int, line: str) -> None:
    now = ExportResult(Path("/x"), "border", (), {"train": 9, "val": 1}, {}, total=40_000, files_read=files_read)
    assert export_line(now, ExportRequest(COCO, selection=Selection(limit=limit)), 50.0) == line


@pytest.mark.parametrize("limit", [None, 5])
def test_an_export_tells_of_every_image_that_it_looks_at(
    limit: int | None, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    said: list[tuple[int, int]] = []

    def tell(now: ExportResult) -> None:
        said.append((now.files_read, now.total))

    request = ExportRequest(COCO, rendition="border", selection=Selection(limit=limit), dest=tmp_path)
    export_labels(labelled_root.db, labelled_root.root, request, tell)
    assert said == [(number, IMAGES) for number in range(1, (limit or IMAGES) + 1)]


def test_files_that_cannot_be_placed_are_counted_and_left_out(labelled_root: LabelledRoot, exported: Any) -> None:
    with_all = exported(COCO, rendition="border")
    labelled_root.db.execute("BEGIN")
    try:
        first = image(1).image_id
        labelled_root.db.execute(
            "UPDATE file SET scaled_width = NULL WHERE rendition = 'border' AND image_id = ?", (first,)
        )
        done = exported(COCO, rendition="border")
    finally:
        labelled_root.db.execute("ROLLBACK")
    assert done.without_geometry == 1
    assert sum(done.images.values()) == sum(with_all.images.values()) - 1


def test_only_a_file_s_own_tag_is_obeyed_wherever_the_image_was_had_from_since(
    labelled_root: LabelledRoot, exported: Any, tmp_path: Path
) -> None:
    labelled_root.db.execute("BEGIN")
    try:
        labelled_root.db.execute("UPDATE download SET orientation = 1")  # as thumbnails come
        labelled_root.db.execute(
            "UPDATE file SET conversion = 'cmyk', exif_orientation = NULL WHERE image_id = ?", (image(8).image_id,)
        )
        exported(BOXES_CSV, rendition=ORIGINAL, apply_exif=True)
    finally:
        labelled_root.db.execute("ROLLBACK")
    sizes = dict(line.split(" ", 1) for line in (tmp_path / "images.meta").read_text().splitlines())
    assert [sizes[image(number).image_id] for number in (7, 8)] == ["600 400", "400 600"]


# ---- what cannot be exported


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (ExportRequest(COCO), "several renditions"),
        (ExportRequest(COCO, rendition="nosuch"), "no such images"),
        (
            ExportRequest(COCO, rendition="border", selection=Selection(subsets=("test",))),
            "there is no subset 'test' in the database",
        ),
        (
            ExportRequest(COCO, rendition="border", selection=Selection(label_types=("labels",))),
            "coco does not support labels",
        ),
    ],
)
def test_what_makes_no_sense_is_said(
    request_: ExportRequest, says: str, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says):
        export_labels(labelled_root.db, tmp_path, request_)
    assert not list(tmp_path.iterdir())


def test_the_only_resized_rendition_need_not_be_named(labelled_root: LabelledRoot, exported: Any) -> None:
    labelled_root.db.execute("BEGIN")
    try:
        labelled_root.db.execute("DELETE FROM file WHERE rendition NOT IN ('original', 'border')")
        assert exported(COCO).rendition == "border"
        labelled_root.db.execute("DELETE FROM file WHERE rendition = 'border'")
        assert exported(COCO).rendition == ORIGINAL
        labelled_root.db.execute("DELETE FROM file")
        with pytest.raises(UsageError, match="there are no images yet"):
            exported(COCO)
    finally:
        labelled_root.db.execute("ROLLBACK")


@pytest.mark.parametrize("kind", ["boxes", "labels"])
def test_without_annotations_it_is_said_where_they_come_from(
    kind: str, labelled_root: LabelledRoot, exported: Any
) -> None:
    labelled_root.db.execute("BEGIN")
    try:
        labelled_root.db.execute("DELETE FROM box")
        labelled_root.db.execute("DELETE FROM label")
        with pytest.raises(UsageError, match=f"there are no {kind} in the database") as raised:
            exported(BOXES_CSV, rendition="border", selection=Selection(label_types=(kind,)))
        assert "`oidl annotations load --annotations" in raised.value.hint
    finally:
        labelled_root.db.execute("ROLLBACK")


def test_without_an_image_list_there_is_nothing_to_export(db: StateConnection, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="there is no image list"):
        export_labels(db, tmp_path, ExportRequest(COCO))


def test_where_it_goes_if_nowhere_is_named(labelled_root: LabelledRoot, exported: Any) -> None:
    done = exported(VOC, rendition="border", dest=None)
    assert done.dest == labelled_root.root / "v7/export/voc/border"
    (picture, *_) = (done.dest / "VOCdevkit/VOC2012/JPEGImages").iterdir()
    assert picture.resolve().is_relative_to((labelled_root.root / "v7").resolve())


def test_a_class_that_comes_up_during_the_export_is_for_the_next_one(
    labelled_root: LabelledRoot, exported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = categories.known_classes
    labelled_root.db.execute("BEGIN")

    def known_then_more(*arguments: Any) -> Any:
        found = known(*arguments)
        put_box(labelled_root.db, image(1).image_id, 9, "/m/0new", (0.0, 1.0, 0.0, 1.0))
        return found

    monkeypatch.setattr(categories, "known_classes", known_then_more)
    try:
        assert sum(each.total() for each in exported(COCO, rendition="border").annotations.values()) == 2 * LABELLED
    finally:
        labelled_root.db.execute("ROLLBACK")
