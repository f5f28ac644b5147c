"""A root with real files of marked pictures, in every mode and orientation, and a database of their boxes."""

import base64
import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from builders import image
from labelled import (
    BLUE,
    IMAGES,
    NAMES,
    OBJECT,
    RED,
    RENDITIONS,
    WOODEN,
    LabelledRoot,
    put_box,
    put_mask,
)
from pictures import HEIGHT, OBJECTS, ROTATIONS, WIDTH, drawn, mask_of, saved, sides

from oidl.export.format import Format
from oidl.export.labels import export_labels
from oidl.export.request import ExportRequest, ExportResult
from oidl.model import Done, Fetched, Image, Job, Source
from oidl.node.process import Processor
from oidl.settings import Imaging, Layout, SourceSettings
from oidl.state.connection import StateConnection
from oidl.state.database import connect_writer
from oidl.state.ledger import Ledger
from oidl.state.load import ImageList, load_list
from oidl.storage.atomic import AtomicWriter
from oidl.storage.files import Files


@pytest.fixture(scope="module")
def labelled_root(tmp_path_factory: pytest.TempPathFactory) -> LabelledRoot:
    root = tmp_path_factory.mktemp("root")
    db = connect_writer(root / "oidl.sqlite3")
    ledger = Ledger(db)
    published, bodies = [], []
    for number in range(1, IMAGES + 1):
        rotation = dict(zip((9, 10, 11, 12), (*ROTATIONS, 270), strict=True)).get(number, 0)
        picture = drawn() if number != 12 else drawn().transpose(ROTATIONS[270])
        body = saved(picture, number if number <= 8 else 1)
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        subset = "validation" if number % 3 == 0 else "train"
        facts = {"original_size": len(body), "original_md5": md5, "rotation": f"{rotation}.0"}
        published.append(image(number, subset, author="A\x01 <b> & co", **facts))
        bodies.append(body)
    load_list(db, ImageList("7", "v7", "list.csv"), ("train", "validation"), published)
    processor = Processor(
        Files(Layout(root, "v7"), AtomicWriter("test"), "images-original"), SourceSettings(), Imaging()
    )
    ledger.open_run({})
    ledger.register(RENDITIONS)
    for each, body in zip(published, bodies, strict=True):
        number = int(each.image_id, 16)
        source = Source.THUMBNAIL_300K if number == 12 else Source.ORIGINAL
        missing_renditions = RENDITIONS if source == Source.ORIGINAL else RENDITIONS[:-1]
        item = Job(
            each.image_id, each.subset, each.original_url, each.original_size, each.original_md5,
            each.thumbnail_300k_url, missing_renditions, rotation=int(float(each.rotation or 0)),
        )  # fmt: skip
        done = processor.process(item, Fetched(source, each.original_url, body))
        assert isinstance(done, Done), done
        ledger.done(item, done)
    db.executemany("INSERT INTO class (label_name, display_name, is_boxable) VALUES (?, ?, 1)", NAMES.items())
    db.execute("INSERT INTO class_hierarchy (parent, child, kind) VALUES ('/m/0root', ?, 'subcategory')", (RED,))
    for each in published[:-1]:
        for number, (label_name, name) in enumerate(OBJECT.items()):
            put_box(db, each.image_id, number, label_name, sides(name), is_group_of=int(label_name == BLUE))
            db.execute(
                "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, ?, 'verification', ?)",
                (each.image_id, label_name, number),
            )
    put_masks(db, root, published[:-1])
    for each in published[:-1]:
        put_others(db, each.image_id)
    yield LabelledRoot(root, db)
    db.close()


def put_masks(db: StateConnection, root: Path, images: Sequence[Image]) -> None:
    """Puts the masks of the objects into the database, and their PNGs into the archives of the subsets.

    They have a resolution of their own, and sides that are rounded in another way than those of the boxes.
    """
    for subset in ("train", "validation"):
        directory = root / "v7" / subset
        directory.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(directory / f"{subset}-masks-0.zip", "w") as archive:
            for each in (each for each in images if each.subset == subset):
                for number, (label_name, name) in enumerate(OBJECT.items()):
                    mask_path = f"{each.image_id}_{label_name.replace('/', '')}_{number:08x}.png"
                    archive.writestr(mask_path, mask_of(name, 1.75))
                    put_mask(db, each.image_id, number, label_name, mask_path, [side + 4e-7 for side in sides(name)])


def put_others(db: StateConnection, image_id: str) -> None:
    """Relationships: red is on blue and wooden. Points: the middle of each object, which is red and is not blue."""
    for number, (other, words) in enumerate(((BLUE, "on"), (WOODEN, "is"))):
        db.execute(
            "INSERT INTO relationship (image_id, row_number, label_name1, label_name2, x_min1, x_max1, y_min1, y_max1, "
            "x_min2, x_max2, y_min2, y_max2, relationship_label) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (image_id, number, RED, other, *sides("red"), *sides("blue" if other == BLUE else "red"), words),
        )
    for number, (label_name, answer) in enumerate(((RED, "yes"), (BLUE, "no"))):
        left, top, right, bottom = OBJECTS[OBJECT[label_name]]
        middle = (left + right) / 2 / WIDTH, (top + bottom) / 2 / HEIGHT
        db.execute(
            "INSERT INTO point (image_id, row_number, x, y, label, estimated_yes_no, yes_votes) "
            "VALUES (?, ?, ?, ?, ?, ?, 3)",
            (image_id, number, *middle, label_name, answer),
        )


@pytest.fixture
def exported(labelled_root: LabelledRoot, tmp_path: Path) -> Any:
    """Exports into `tmp_path`."""

    def run(form: Format, **more: Any) -> ExportResult:
        return export_labels(labelled_root.db, labelled_root.root, ExportRequest(form, **({"dest": tmp_path} | more)))

    return run
