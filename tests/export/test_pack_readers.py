"""Stock readers load the shards: 300 small images, of which the first five have no boxes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pyarrow.parquet
import pytest
from builders import LIST, image
from labelled import RED, put_box
from PIL import Image as Pillow

from oidl.export.pack.formats import FORMATS
from oidl.export.pack.job import pack
from oidl.export.pack.request import PackRequest
from oidl.model import Rendition, ResizeMode
from oidl.state.connection import StateConnection
from oidl.state.database import connect_writer
from oidl.state.ledger import Ledger
from oidl.state.load import load_list

SAMPLES = 300
TRAIN = 270
WITHOUT_BOXES = 5


@pytest.fixture(scope="module")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, StateConnection]]:
    """A root with 300 images of 8 × 8 px; each but the first five has a box."""
    root = tmp_path_factory.mktemp("small")
    db = connect_writer(root / "oidl.sqlite3")
    images = [image(number, "train" if number < TRAIN else "validation") for number in range(SAMPLES)]
    load_list(db, LIST, ("train", "validation"), images)
    Ledger(db).open_run({})
    Ledger(db).register([Rendition("tiny", "tiny", ResizeMode.FILL_DISTORT, 8, "jpg")])
    db.execute("INSERT INTO class (label_name, display_name, is_boxable) VALUES (?, 'Red', 1)", (RED,))
    for number, each in enumerate(images):
        path = root / f"{LIST.directory}/{each.subset}/tiny/{each.image_id[:3]}/{each.image_id}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.new("RGB", (8, 8), (number % 256, 0, 0)).save(path)
        db.execute(
            "INSERT INTO file (image_id, rendition, path, bytes, width, height, scaled_width, scaled_height, "
            "written_at) VALUES (?, 'tiny', ?, ?, 8, 8, 8, 8, '2026')",
            (each.image_id, str(path.relative_to(root)), path.stat().st_size),
        )
        if number >= WITHOUT_BOXES:
            put_box(db, each.image_id, 1, RED, (0.25, 0.75, 0.125, 0.5))
    yield root, db
    db.close()


@pytest.fixture
def packed(small_root: tuple[Path, StateConnection], request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The shards of the format that the test is parametrized with."""
    root, db = small_root
    pack(db, root, PackRequest(FORMATS[request.param], shard_samples=100, dest=tmp_path / "shards"))
    return tmp_path / "shards"


def of_format(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("packed", names, indirect=True)


def in_another_process(code: str, *arguments: object) -> Any:
    """The JSON that `code` prints; in a process of its own, because these libraries are large and warn a lot."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "HF_HOME": str(arguments[-1]), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"},
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@of_format("webdataset")
def test_webdataset_reads_every_sample(packed: Path, tmp_path: Path) -> None:
    paths = sorted(map(str, packed.glob("train-*.tar")))
    assert len(paths) == 3
    samples = in_another_process(
        """
        import json, sys, webdataset
        samples = webdataset.WebDataset(sys.argv[1:-1], shardshuffle=False).decode("pil")
        found = [(each["__key__"], each["jpg"].size, each["json"]["annotations"]) for each in samples]
        print(json.dumps(found))
        """,
        *paths,
        tmp_path,
    )
    assert [key for key, _, _ in samples] == [f"{number:016x}" for number in range(TRAIN)]
    assert {tuple(size) for _, size, _ in samples} == {(8, 8)}
    assert [bool(text) for _, _, text in samples] == [number >= WITHOUT_BOXES for number in range(TRAIN)]
    (box,) = json.loads(samples[7][2])["boxes"]
    assert (box["x_min"], box["x_max"], box["y_min"], box["y_max"]) == (0.25, 0.75, 0.125, 0.5)


@pytest.mark.parametrize("streaming", [False, True])
@of_format("webdataset", "parquet")
def test_datasets_reads_every_sample_by_the_card(packed: Path, streaming: bool, tmp_path: Path) -> None:
    found = in_another_process(
        """
        import json, sys, datasets
        loaded = datasets.load_dataset(sys.argv[1], streaming=sys.argv[2] == "True")
        def facts(row):
            if "json" in row:
                text = row["json"]["annotations"]
                return row["json"]["image_id"], row["jpg"].size, json.loads(text)["boxes"] if text else []
            return row["image_id"], row["image"].size, row["boxes"]
        print(json.dumps({name: [facts(row) for row in split] for name, split in loaded.items()}))
        """,
        packed,
        streaming,
        tmp_path / "hf",
    )
    assert {name: len(rows) for name, rows in found.items()} == {"train": TRAIN, "validation": SAMPLES - TRAIN}
    for number, (image_id, size, boxes) in enumerate((*found["train"], *found["validation"])):
        assert (image_id, size) == (f"{number:016x}", [8, 8])
        sides = [(box["x_min"], box["x_max"], box["y_min"], box["y_max"]) for box in boxes]
        assert sides == ([] if number < WITHOUT_BOXES else [(0.25, 0.75, 0.125, 0.5)])


@of_format("parquet")
def test_parquet_is_laid_out_as_the_hub_wants_it(packed: Path) -> None:
    path = packed / "train-00000-of-00003.parquet"
    table = pyarrow.parquet.read_table(path)
    assert table.num_rows == TRAIN // 3
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert list(features) == table.schema.names
    columns = pyarrow.parquet.ParquetFile(path).metadata.row_group(0)
    by_path = {columns.column(at).path_in_schema: columns.column(at) for at in range(columns.num_columns)}
    assert (by_path["image.bytes"].compression, by_path["author"].compression) == ("UNCOMPRESSED", "SNAPPY")
    assert not any("DICTIONARY" in encoding for encoding in by_path["image.bytes"].encodings)
    assert all(column.has_offset_index for column in by_path.values())
    names = {"image.bytes", "image.path"} | {name for name in by_path if not name.startswith("image.")}
    assert names == set(by_path), "a column without settings of its own"


@of_format("parquet")
def test_croissant_names_every_column_of_a_sample(packed: Path) -> None:
    described = json.loads((packed / "croissant.json").read_text())
    (shards,) = (each for each in described["distribution"] if each["@type"] == "cr:FileSet")
    assert sorted(packed.glob(shards["includes"])) == sorted(packed.glob("*.parquet"))
    samples = next(each for each in described["recordSet"] if each["@id"] == "samples")
    columns = {field["source"]["extract"]["column"]: field["dataType"] for field in samples["field"]}
    schema = pyarrow.parquet.read_schema(packed / "train-00000-of-00003.parquet")
    assert columns.keys() == set(schema.names) - {"boxes", "labels"}
    assert (columns["image"], columns["width"], columns["author"]) == ("sc:ImageObject", "sc:Integer", "sc:Text")
    assert all((schema.field(name).type == "int32") == (kind == "sc:Integer") for name, kind in columns.items())


@of_format("parquet")
def test_duckdb_queries_parquet(packed: Path) -> None:
    (counts,) = duckdb.sql(
        f"SELECT count(*), count(DISTINCT image_id), sum(len(boxes)), min(octet_length(image.bytes)) > 300, "
        f"max(width), min(license) FROM '{packed}/*.parquet'"
    ).fetchall()
    assert counts[:5] == (SAMPLES, SAMPLES, SAMPLES - WITHOUT_BOXES, True, 8)
    assert counts[5] == "https://creativecommons.org/licenses/by/2.0/"


@of_format("tfrecord")
def test_a_label_map_has_the_numbers_of_the_records(packed: Path) -> None:
    text = (packed / "label_map.pbtxt").read_text()
    assert text == f'item {{\n  name: "{RED}"\n  id: 1\n  display_name: "Red"\n}}\n'
    record = (packed / "train-00002-of-00003.tfrecord").read_bytes()
    assert record.count(b"image/object/class/text") == TRAIN // 3
    assert record.count(RED.encode()) == TRAIN // 3


@of_format("tfrecord")
def test_dali_finds_every_record(packed: Path, small_root: tuple[Path, StateConnection]) -> None:
    root, db = small_root
    pack(db, root, PackRequest(FORMATS["tfrecord"], shard_samples=100, dest=packed, with_idx=True))
    for path in packed.glob("*.tfrecord"):
        spans = [tuple(map(int, line.split())) for line in Path(f"{path}.idx").read_text().splitlines()]
        assert [at for at, _ in spans] == [sum(size for _, size in spans[:number]) for number in range(len(spans))]
        assert sum(size for _, size in spans) == path.stat().st_size
