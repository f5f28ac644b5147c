"""An export over an earlier one: it replaces it as a whole, and keeps the user's files."""

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from labelled import BLUE, EVERY_FORMAT, RED, LabelledRoot, contents, image_files

from oidl.errors import DiskError, UsageError
from oidl.export import annotations
from oidl.export.files import ImageFiles
from oidl.export.format import Format
from oidl.export.formats.boxes_csv import BOXES_CSV
from oidl.export.formats.coco import COCO
from oidl.export.formats.imagefolder import IMAGEFOLDER
from oidl.export.formats.voc import VOC
from oidl.export.formats.yolo import YOLO
from oidl.model import LabelType
from oidl.settings import Selection

TRAIN = Selection(subsets=("train",))
EVERY_KIND = Selection(label_types=(LabelType.BOXES, LabelType.LABELS))
LABELS = Selection(subsets=("validation",), label_types=(LabelType.LABELS,))


@EVERY_FORMAT
def test_an_export_again_gives_the_same_files(form: Format, exported: Any, tmp_path: Path) -> None:
    exported(form, rendition="fillcrop")
    before = contents(tmp_path)
    assert before
    exported(form, rendition="fillcrop")
    assert contents(tmp_path) == before
    assert not [path for path in tmp_path.rglob("*") if "part" in path.name]


@pytest.mark.parametrize(
    ("form", "more", "less"),
    [
        (COCO, Selection(), TRAIN),
        (YOLO, Selection(), Selection(limit=3)),
        (VOC, Selection(), TRAIN),
        (IMAGEFOLDER, Selection(), TRAIN),
        (BOXES_CSV, Selection(), TRAIN),
        (BOXES_CSV, EVERY_KIND, Selection()),
        (BOXES_CSV, EVERY_KIND, LABELS),
    ],
)
def test_after_an_export_of_less_all_is_as_if_it_had_been_the_only_one(
    form: Format, more: Selection, less: Selection, exported: Any, tmp_path: Path
) -> None:
    exported(form, rendition="fillcrop", selection=less, dest=tmp_path / "only")
    exported(form, rendition="fillcrop", selection=more, dest=tmp_path / "again")
    assert contents(tmp_path / "again") != contents(tmp_path / "only")
    exported(form, rendition="fillcrop", selection=less, dest=tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "only")


def test_an_export_in_another_format_takes_the_place_of_the_one_before(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="fillcrop", dest=tmp_path / "only")
    exported(YOLO, rendition="border", dest=tmp_path / "again")
    exported(COCO, rendition="fillcrop", dest=tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "only")


def test_what_is_the_users_stays(exported: Any, tmp_path: Path) -> None:
    (tmp_path / "before.txt").write_text("before there was any export")
    exported(YOLO, rendition="fillcrop")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/best.pt").write_text("weights")
    exported(YOLO, rendition="border")
    assert (tmp_path / "before.txt").read_text() == "before there was any export"
    assert (tmp_path / "runs/best.pt").read_text() == "weights"


@pytest.mark.parametrize("how", ImageFiles)
def test_an_export_that_is_replaced_leaves_the_images_of_the_root(
    how: ImageFiles, exported: Any, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    before = contents(labelled_root.root / "v7/validation")
    exported(YOLO, rendition="fillcrop", image_files=how)
    exported(YOLO, rendition="border", image_files=how)
    assert contents(labelled_root.root / "v7/validation") == before


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (COCO, "annotations/instances_train.json"),
        (COCO, "images/train/own.jpg"),
        (YOLO, "data.yaml"),
        (YOLO, "labels/own.txt"),
        (VOC, "VOCdevkit/VOC2012/labelmap.txt"),
        (BOXES_CSV, "boxes-train.csv"),
        (IMAGEFOLDER, "train/own.jpg"),
        (COCO, "ATTRIBUTION.csv"),
        (COCO, "croissant.json"),
    ],
)
@pytest.mark.parametrize("is_link", [False, True])
def test_what_no_export_wrote_is_not_replaced(
    is_link: bool, form: Format, name: str, exported: Any, tmp_path: Path
) -> None:
    own = tmp_path / name
    own.parent.mkdir(parents=True, exist_ok=True)
    own.symlink_to("elsewhere") if is_link else own.write_text("by hand")
    before = set(tmp_path.rglob("*"))
    top = tmp_path / Path(name).parts[0]
    with pytest.raises(UsageError, match=f"{top} exists and is not from an earlier export") as raised:
        exported(form, rendition="fillcrop")
    assert raised.value.hint == "choose another --dest, or move it away"
    assert set(tmp_path.rglob("*")) == before
    assert own.is_symlink() or own.read_text() == "by hand"


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has something called before each file or directory that an export puts in place."""

    def watch(called: Any) -> None:
        for name in ("replace", "rename"):
            move = getattr(os, name)

            def watched(source: Path, goal: Path, move: Any = move) -> None:
                called()
                move(source, goal)

            monkeypatch.setattr(os, name, watched)

    return watch


@EVERY_FORMAT
def test_an_export_that_was_stopped_at_any_instant_can_be_made_again(
    form: Format, exported: Any, moves: Any, tmp_path: Path
) -> None:
    left: list[int] = []

    def stop() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    moves(stop)
    for number in itertools.count():
        left[:] = [1000]
        exported(form, rendition="border", dest=tmp_path / str(number))
        left[:] = [number]
        try:
            exported(form, rendition="fillcrop", dest=tmp_path / str(number))
            break
        except KeyboardInterrupt:
            left[:] = [1000]
            exported(form, rendition="fillcrop", dest=tmp_path / str(number))
        assert number == 0 or contents(tmp_path / str(number)) == contents(tmp_path / "0")
    assert number >= 6


@EVERY_FORMAT
def test_at_no_instant_is_anything_of_one_export_beside_anything_of_another(
    form: Format, exported: Any, moves: Any, tmp_path: Path
) -> None:
    def there() -> set[tuple[str, bytes | None]]:
        found = contents(tmp_path).items()
        return {(name, content) for name, content in found if "oidl-" not in name and content is not None}

    seen: list[set[tuple[str, bytes | None]]] = []
    exported(form, rendition="fillcrop", label_names=(RED, BLUE))
    before = there()
    moves(lambda: seen.append(there()))
    exported(form, rendition="border", label_names=(BLUE, RED))
    after = there()
    assert before != after
    assert len(seen) >= 5
    assert all(found <= before or found <= after for found in seen)
    assert set() in seen


@EVERY_FORMAT
def test_an_export_that_breaks_off_leaves_the_one_before(
    form: Format, exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(form, rendition="fillcrop")
    before = contents(tmp_path)
    pages = annotations.boxes_of

    def broken(*arguments: Any) -> Any:
        pages(*arguments)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(annotations, "boxes_of", broken)
    with pytest.raises(DiskError, match=f"{tmp_path} could not be written: No space left"):
        exported(form, rendition="border")
    assert contents(tmp_path) == before
    assert image_files(form, tmp_path)
