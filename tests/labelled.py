"""A root of labelled images: its names, classes and renditions, and the builders of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from oidl.export.format import Format
from oidl.export.formats import FORMATS
from oidl.model import ORIGINAL, Crop, Orientation, Rendition, ResizeMode
from oidl.state.connection import StateConnection

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
class LabelledRoot:
    """The root directory and its open database."""

    root: Path
    db: StateConnection


def put_mask(
    db: StateConnection, image_id: str, number: int, label_name: str, mask_path: str, where: Sequence[float]
) -> None:
    """Puts a mask with the published sides of its box into the database."""
    db.execute(
        "INSERT INTO segmentation (image_id, row_number, mask_path, label_name, box_id, "
        "box_x_min, box_x_max, box_y_min, box_y_max) VALUES (?, ?, ?, ?, '0', ?, ?, ?, ?)",
        (image_id, number, mask_path, label_name, *where),
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


def image_files(form: Format, dest: Path) -> list[Path]:
    """The image files of an export, in the directories that its format gives them."""
    found = [path for split in (*SUBSETS, "val") for path in dest.glob(form.images.format(split=split) + "/*.png")]
    return sorted(dict.fromkeys(found))


def contents(dest: Path) -> dict[str, bytes | None]:
    """What is below `dest`, by name; links are followed."""
    return {str(path.relative_to(dest)): path.read_bytes() if path.is_file() else None for path in dest.rglob("*")}
