"""A root with real files of marked pictures, in every mode and orientation, and a database of their boxes."""

import base64
import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builders import image
from pictures import HEIGHT, OBJECTS, ROTATIONS, WIDTH, drawn, mask_of, saved, sides

from oidl.export.format import Format
from oidl.export.formats import FORMATS
from oidl.export.labels import export_labels
from oidl.export.request import ExportRequest, ExportResult
from oidl.model import ORIGINAL, Crop, Done, Fetched, Image, Job, Orientation, Rendition, ResizeMode, Source
from oidl.node.process import Processor
from oidl.settings import Imaging, Layout, SourceSettings
from oidl.state.connection import StateConnection
from oidl.state.database import connect_writer
from oidl.state.ledger import Ledger
from oidl.state.load import ImageList, load_list
from oidl.storage.atomic import AtomicWriter
from oidl.storage.files import Files

RED, BLUE, NONE, WOODEN = "/m/0r", "/m/0b", "/m/0n", "/m/0wooden"
NAMES = {RED: "red", BLUE: 'blue "box", & <more>: é', NONE: "never there"}
OBJECT = {RED: "red", BLUE: "blue"}
RENDITIONS = (
    *(Rendition(mode.lower(), f"r/{mode.lower()}", mode, 160, "png") for mode in ResizeMode),
    Rendition("turned", "turned", ResizeMode.FILL_CROP, 160, "jpg", 95, orientation=Orientation.DATASET),
    Rendition("kept", "kept", ResizeMode.BORDER, 160, "png", orientation=Orientation.KEEP),
    Rendition("seen", "seen", ResizeMode.FILL_CROP, 160, "png", crop=Crop.ATTENTION),
    Rendition("copied", "copied", ResizeMode.SHRINK_TO_FIT, 600, "jpg"),
    Rendition(ORIGINAL, "images-original"),
)
IMAGES = 13
"""One for each EXIF orientation, one for each published rotation, one that is on Flickr's small version, one empty."""


EVERY_FORMAT = pytest.mark.parametrize("form", [pytest.param(form, id=name) for name, form in FORMATS.items()])
SUBSETS = ("train", "validation")
LABELLED = IMAGES - 1


@dataclass(frozen=True)
class Marked:
    """The root directory and its open database."""

    root: Path
    db: StateConnection


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Marked:
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
    yield Marked(root, db)
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


def put_mask(
    db: StateConnection, image_id: str, number: int, label_name: str, mask_path: str, where: Sequence[float]
) -> None:
    """Puts a mask with the published sides of its box into the database."""
    db.execute(
        "INSERT INTO segmentation (image_id, row_number, mask_path, label_name, box_id, "
        "box_x_min, box_x_max, box_y_min, box_y_max) VALUES (?, ?, ?, ?, '0', ?, ?, ?, ?)",
        (image_id, number, mask_path, label_name, *where),
    )


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


def put_box(
    db: StateConnection, image_id: str, number: int, label_name: str, where: tuple[float, ...], **more: object
) -> None:
    """Puts a box with these published sides into the database."""
    columns = [
        "image_id",
        "row_number",
        "source",
        "label_name",
        "confidence",
        "x_min",
        "x_max",
        "y_min",
        "y_max",
        *more,
    ]
    values = (image_id, number, "xclick", label_name, 1.0, *where, *more.values())
    db.execute(f"INSERT INTO box ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", values)


@pytest.fixture
def exported(marked: Marked, tmp_path: Path) -> Any:
    """Exports into `tmp_path`."""

    def run(form: Format, **more: Any) -> ExportResult:
        return export_labels(marked.db, marked.root, ExportRequest(form, **({"dest": tmp_path} | more)))

    return run


def image_files(form: Format, dest: Path) -> list[Path]:
    """The image files of an export, in the directories that its format gives them."""
    found = [path for split in (*SUBSETS, "val") for path in dest.glob(form.images.format(split=split) + "/*.png")]
    return sorted(dict.fromkeys(found))


def contents(dest: Path) -> dict[str, bytes | None]:
    """What is below `dest`, by name; links are followed."""
    return {str(path.relative_to(dest)): path.read_bytes() if path.is_file() else None for path in dest.rglob("*")}
