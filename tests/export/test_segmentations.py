"""COCO with masks: pycocotools sees the object in every rendition, and objects without a mask say so."""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import image
from labelled import BLUE, EVERY_FORMAT, LABELLED, NAMES, OBJECT, RED, RENDITIONS, SUBSETS, LabelledRoot, put_mask
from pictures import check_mask
from PIL import Image as Pillow
from PIL import ImageOps
from pycocotools import coco as pycoco
from pycocotools.cocoeval import COCOeval

from oidl.errors import MetadataError, UsageError
from oidl.export.describe import exported_text
from oidl.export.format import Format
from oidl.export.formats.coco import COCO
from oidl.export.labels import written_kinds
from oidl.export.request import ExportRequest
from oidl.model import ORIGINAL, LabelType
from oidl.settings import Selection

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools

OBJECT_OF = {NAMES[label_name]: name for label_name, name in OBJECT.items()}
BOTH = (LabelType.BOXES, LabelType.SEGMENTATIONS)
MASKS = (LabelType.SEGMENTATIONS,)


@pytest.fixture
def rollback(labelled_root: LabelledRoot) -> Iterator[None]:
    """Undoes what a test does to the database."""
    labelled_root.db.execute("BEGIN")
    yield
    labelled_root.db.execute("ROLLBACK")


@pytest.fixture
def archive(labelled_root: LabelledRoot) -> Iterator[Callable[[dict[str, bytes] | None], Path]]:
    """Has other masks in the archive of `train`, or no archive, until the test ends."""
    path = labelled_root.root / "v7/train/train-masks-0.zip"
    kept = path.read_bytes()

    def replace(members: dict[str, bytes] | None) -> Path:
        path.unlink()
        if members is not None:
            with zipfile.ZipFile(path, "w") as file:
                for name, content in members.items():
                    file.writestr(name, content)
        return path

    yield replace
    path.write_bytes(kept)


def readers(dest: Path) -> list[pycoco.COCO]:
    return [pycoco.COCO(str(dest / f"annotations/instances_{subset}.json")) for subset in SUBSETS]


def annotations(dest: Path, subset: str = "train") -> list[dict[str, Any]]:
    written = json.loads((dest / f"annotations/instances_{subset}.json").read_text())
    return list(written["annotations"])


@pytest.mark.parametrize("rendition", [rendition.name for rendition in RENDITIONS])
@pytest.mark.parametrize("upright", [False, True])
def test_masks_have_the_pixels_of_the_objects_of_every_rendition(
    rendition: str, upright: bool, exported: Any, tmp_path: Path
) -> None:
    result = exported(COCO, rendition=rendition, apply_exif=upright, selection=Selection(label_types=MASKS))
    found = 0
    for coco, subset in zip(readers(tmp_path), SUBSETS, strict=True):
        for facts in coco.loadImgs(coco.getImgIds()):
            with Pillow.open(tmp_path / "images" / subset / facts["file_name"]) as file:
                picture = ImageOps.exif_transpose(file) if upright else file.copy()
            for annotation in coco.loadAnns(coco.getAnnIds(imgIds=facts["id"])):
                (category,) = coco.loadCats(annotation["category_id"])
                mask = coco.annToMask(annotation).astype(bool)
                if rendition != "seen" or mask.sum() > 300:  # a crop that looks for something may leave a sliver
                    check_mask(picture, OBJECT_OF[category["name"]], mask)
                assert annotation["area"] == mask.sum()
                found += 1
    assert found == sum(result.annotations[subset][LabelType.SEGMENTATIONS] for subset in SUBSETS)
    assert found == 2 * (LABELLED - (rendition == ORIGINAL)) or rendition == "seen"


def test_a_box_keeps_its_sides_and_attributes_beside_its_mask(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="fillcrop", dest=tmp_path / "boxes")
    exported(COCO, rendition="fillcrop", selection=Selection(label_types=BOTH), dest=tmp_path / "both")
    boxes, both = annotations(tmp_path / "boxes"), annotations(tmp_path / "both")
    changed = ("segmentation", "area")
    assert [{key: each[key] for key in each if key not in changed} for each in boxes] == [
        {key: each[key] for key in each if key not in changed} for each in both
    ]
    for each in both:
        left, top, width, height = each["bbox"]
        mask = readers(tmp_path / "both")[0].annToMask(each)
        rows, columns = mask.nonzero()
        assert left - 1 < columns.min() < columns.max() < left + width + 1
        assert top - 1 < rows.min() < rows.max() < top + height + 1
        assert each["area"] == pytest.approx(width * height, rel=0.1)
    assert {each["iscrowd"] for each in both} == {0, 1}


def test_load_res_and_evaluation_take_what_was_written(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="border", selection=Selection(label_types=MASKS))
    truth = readers(tmp_path)[0]
    kept = [each for each in truth.dataset["annotations"] if not each["iscrowd"]]
    keys = ("image_id", "category_id", "segmentation")
    results = [{"score": 1.0, **{key: each[key] for key in keys}} for each in kept]
    found = truth.loadRes(results)
    assert [each["area"] for each in found.dataset["annotations"]] == [each["area"] for each in kept]
    for kind in ("segm", "bbox"):
        evaluation = COCOeval(truth, found, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert evaluation.stats[0] == pytest.approx(1.0)


@pytest.mark.usefixtures("rollback")
def test_a_box_without_a_mask_has_no_segmentation_unless_its_outline_is_asked_for(
    labelled_root: LabelledRoot, exported: Any, tmp_path: Path
) -> None:
    labelled_root.db.execute("DELETE FROM segmentation WHERE label_name = ?", (RED,))
    selection = Selection(label_types=BOTH)
    result = exported(COCO, rendition="border", selection=selection)
    kinds = [(type(each["segmentation"]), each["category_id"]) for each in annotations(tmp_path)]
    assert set(kinds) == {(dict, 1), (list, 3)}
    assert [each["segmentation"] for each in annotations(tmp_path) if each["category_id"] == 3] == [[]] * 8
    assert result.annotations["train"] == {LabelType.BOXES: 16, LabelType.SEGMENTATIONS: 8}
    text = exported_text(result, ExportRequest(COCO, selection=selection))
    assert "train: 8 images with 16 boxes, 8 segmentations" in text
    assert "  12 boxes without a mask: `--label-types segmentations` leaves them out, `--box-polygons`" in text

    exported(COCO, rendition="border", selection=selection, box_polygons=True)
    (coco, _) = readers(tmp_path)
    for each in coco.loadAnns(coco.getAnnIds(catIds=3)):
        left, top, width, height = each["bbox"]
        (polygon,) = each["segmentation"]
        assert polygon == pytest.approx(
            [left, top, left + width, top, left + width, top + height, left, top + height], abs=0.01
        )
        assert coco.annToMask(each).sum() == pytest.approx(each["area"], rel=0.05)
    assert "without a mask" not in exported_text(result, ExportRequest(COCO, selection=selection, box_polygons=True))


@pytest.mark.usefixtures("rollback")
def test_only_masks_leaves_boxes_without_one_out_and_images_too(
    labelled_root: LabelledRoot, exported: Any, tmp_path: Path
) -> None:
    labelled_root.db.execute("DELETE FROM segmentation WHERE label_name = ?", (RED,))
    labelled_root.db.execute("DELETE FROM segmentation WHERE image_id = ?", (image(1).image_id,))
    result = exported(COCO, rendition="border", selection=Selection(label_types=MASKS))
    assert result.images == {"train": 7, "validation": 4}
    assert {each["category_id"] for each in annotations(tmp_path)} == {1}
    assert all(each["segmentation"] for each in annotations(tmp_path))


@pytest.mark.usefixtures("rollback")
def test_a_mask_without_a_box_comes_with_the_box_it_was_drawn_from(
    labelled_root: LabelledRoot, exported: Any, tmp_path: Path
) -> None:
    exported(COCO, rendition="border", selection=Selection(label_types=BOTH), dest=tmp_path / "before")
    labelled_root.db.execute("DELETE FROM box WHERE label_name = ?", (BLUE,))
    selected = Selection(label_types=BOTH)
    exported(COCO, rendition="border", selection=selected, dest=tmp_path / "after")
    before, after = annotations(tmp_path / "before"), annotations(tmp_path / "after")
    places = ("image_id", "category_id", "segmentation", "area")
    assert sorted(str([each[key] for key in places]) for each in after) == sorted(
        str([each[key] for key in places]) for each in before
    )
    assert {each["iscrowd"] for each in after} == {0}  # of a box that is not known, neither is this
    assert "1e-" not in str([each["bbox"] for each in after])
    # Whether it would be among boxes that are chosen by more than their class, nothing says.
    filtered = Selection(label_types=BOTH, attributes=(("is_group_of", 0),))
    result = exported(COCO, rendition="border", selection=filtered, dest=tmp_path / "filtered")
    assert {each["category_id"] for each in annotations(tmp_path / "filtered")} == {3}
    assert result.annotations["train"] == {LabelType.BOXES: 8, LabelType.SEGMENTATIONS: 8}


def test_only_masks_of_chosen_classes_are_written(exported: Any, tmp_path: Path) -> None:
    result = exported(COCO, rendition="border", selection=Selection(label_types=MASKS), label_names=(BLUE,))
    assert {each["category_id"] for each in annotations(tmp_path)} == {1}
    assert result.annotations["train"] == {LabelType.SEGMENTATIONS: 8}


def test_masks_that_a_crop_cut_off_are_counted(exported: Any) -> None:
    whole = exported(COCO, rendition="seen", selection=Selection(label_types=MASKS))
    some = exported(COCO, rendition="seen", selection=Selection(label_types=MASKS), min_visible=0.9)
    assert some.unseen[LabelType.SEGMENTATIONS] > whole.unseen[LabelType.SEGMENTATIONS]
    written = [sum(counts[LabelType.SEGMENTATIONS] for counts in each.annotations.values()) for each in (whole, some)]
    assert written[1] < written[0]
    request = ExportRequest(COCO, min_visible=0.9)
    assert f"left out: {some.unseen[LabelType.SEGMENTATIONS]} segmentations, because" in exported_text(some, request)


# ---- archives that are missing or damaged


@pytest.mark.parametrize("label_types", [MASKS, BOTH])
def test_masks_that_are_missing_or_damaged_are_counted_and_the_first_is_named(
    label_types: tuple[LabelType, ...], archive: Any, labelled_root: LabelledRoot, exported: Any, tmp_path: Path
) -> None:
    with zipfile.ZipFile(labelled_root.root / "v7/train/train-masks-0.zip") as file:
        members = {name: file.read(name) for name in file.namelist()}
    missing, broken, other = list(members)[:3]
    del members[missing]
    members[broken] = members[broken][:100]
    members[other] = b"<html>"
    archive(members)
    selection = Selection(label_types=label_types)
    result = exported(COCO, rendition="border", selection=selection)
    assert result.unread_masks == 3
    text = exported_text(result, ExportRequest(COCO, selection=selection))
    assert f"left out: 3 masks that could not be read, the first is {missing}: not in the mask archives" in text
    assert result.annotations["train"][LabelType.SEGMENTATIONS] == 13
    assert len(annotations(tmp_path)) == (16 if LabelType.BOXES in label_types else 13)


def test_without_its_archive_the_command_that_fetches_it_is_said_before_anything_is_written(
    archive: Any, labelled_root: LabelledRoot, exported: Any, tmp_path: Path
) -> None:
    archive(None)
    with pytest.raises(UsageError, match="the mask archives of train are not in") as raised:
        exported(COCO, rendition="border", selection=Selection(label_types=BOTH))
    assert "`oidl run --annotations segmentations --annotations masks`" in raised.value.hint
    assert not list(tmp_path.iterdir())
    exported(COCO, rendition="border", selection=Selection(label_types=BOTH, subsets=("validation",)))


@pytest.mark.usefixtures("rollback")
def test_only_archives_that_have_masks_of_the_files_are_needed(labelled_root: LabelledRoot, exported: Any) -> None:
    put_mask(labelled_root.db, "f" * 16, 1, RED, "f.png", (0, 1, 0, 1))
    exported(COCO, rendition="border", selection=Selection(label_types=MASKS))


def test_a_damaged_archive_is_said_and_leaves_the_export_before(archive: Any, exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="border", selection=Selection(label_types=MASKS))
    before = annotations(tmp_path)
    archive({}).write_bytes(b"PK no more")
    with pytest.raises(MetadataError, match=r"train-masks-0.zip cannot be read: it is not a ZIP file"):
        exported(COCO, rendition="border", selection=Selection(label_types=MASKS))
    assert annotations(tmp_path) == before
    shutil.rmtree(tmp_path)


# ---- formats without a place


@EVERY_FORMAT
@pytest.mark.parametrize("label_type", LabelType)
def test_a_type_that_a_format_has_no_place_for_is_refused(form: Format, label_type: LabelType) -> None:
    if label_type in form.label_types:
        assert label_type in written_kinds(form, (label_type,))
        return
    for asked in ((label_type,), (LabelType.BOXES, label_type)):
        with pytest.raises(UsageError, match=f"--format {form.name} does not support {label_type}") as raised:
            written_kinds(form, asked)
        assert raised.value.hint.startswith("use --label-types boxes")
