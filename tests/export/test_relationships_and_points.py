"""Relationships and points next to COCO's instances: in separate files, at the objects' places in the images."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from labelled import BLUE, LABELLED, NAMES, RED, RENDITIONS, SUBSETS, WOODEN, LabelledRoot
from pictures import COLOURS, check_box
from PIL import Image as Pillow

from oidl.errors import UsageError
from oidl.export.describe import exported_text
from oidl.export.formats.coco import COCO
from oidl.export.request import ExportRequest
from oidl.model import ORIGINAL, LabelType
from oidl.settings import Selection

RELATIONSHIPS, POINTS = Selection(label_types=(LabelType.RELATIONSHIPS,)), Selection(label_types=(LabelType.POINTS,))
EVERYTHING = Selection(label_types=COCO.label_types)
ALL_RENDITIONS = pytest.mark.parametrize("rendition", [rendition.name for rendition in RENDITIONS])


def written(dest: Path, kind: str, subset: str = "train") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((dest / f"annotations/{kind}_{subset}.json").read_text())
    return found


def records(dest: Path, kind: str) -> Iterator[tuple[Pillow.Image, dict[int, str], dict[str, Any]]]:
    """The image, the classes by number, and each record of all subsets."""
    for subset in SUBSETS:
        content = written(dest, kind, subset)
        images = {each["id"]: each["file_name"] for each in content["images"]}
        classes = {each["id"]: each["label_name"] for each in content["categories"]}
        for each in content[kind]:
            with Pillow.open(dest / "images" / subset / images[each["image_id"]]) as picture:
                yield picture.convert("RGB"), classes, each


@ALL_RENDITIONS
def test_the_objects_of_relationships_lie_on_their_objects(rendition: str, exported: Any, tmp_path: Path) -> None:
    result = exported(COCO, rendition=rendition, selection=RELATIONSHIPS)
    found = []
    for picture, classes, each in records(tmp_path, "relationships"):
        for name, bbox in (("red", each["subject"]["bbox"]), ("blue", each["object"]["bbox"])):
            left, top, width, height = bbox
            if each["relationship"] == "is":
                name = "red"
            if rendition != "seen":  # a crop that looks for something may leave a sliver
                check_box(picture, name, left, top, left + width, top + height)
        found.append((each["relationship"], *(classes[each[end]["category_id"]] for end in ("subject", "object"))))
    assert set(found) == {("on", RED, BLUE), ("is", RED, WOODEN)}
    assert len(found) == sum(counts[LabelType.RELATIONSHIPS] for counts in result.annotations.values())
    assert len(found) == 2 * (LABELLED - (rendition == ORIGINAL)) or rendition == "seen"
    assert result.unseen[LabelType.RELATIONSHIPS] == 2 * (LABELLED - (rendition == ORIGINAL)) - len(found)


@ALL_RENDITIONS
def test_points_lie_on_the_objects_whether_people_saw_the_class_there_or_not(
    rendition: str, exported: Any, tmp_path: Path
) -> None:
    result = exported(COCO, rendition=rendition, selection=POINTS, with_empty=True)
    found = []
    for picture, classes, each in records(tmp_path, "points"):
        label_name = classes[each["category_id"]]
        x, y = each["point"]
        near = picture.getpixel((min(int(x), picture.width - 1), min(int(y), picture.height - 1)))
        expected = COLOURS["red" if label_name == RED else "blue"]
        assert max(abs(one - other) for one, other in zip(near, expected, strict=True)) < 60
        found.append((label_name, each["estimated_yes_no"], each["yes_votes"], each["text_label"]))
    expected_points = {(RED, "yes", 3, None), (BLUE, "no", 3, None)}
    assert set(found) == expected_points or (rendition == "seen" and set(found) < expected_points)
    assert len(found) == sum(counts[LabelType.POINTS] for counts in result.annotations.values())
    assert len(found) == 2 * (LABELLED - (rendition == ORIGINAL)) - result.unseen[LabelType.POINTS]
    assert result.unseen[LabelType.POINTS] == 0 or rendition == "seen"


def test_files_are_there_for_what_was_asked_for(exported: Any, tmp_path: Path) -> None:
    def names() -> set[str]:
        return {path.name.partition("_")[0] for path in (tmp_path / "annotations").iterdir()}

    exported(COCO, rendition="border", selection=EVERYTHING)
    assert names() == {"instances", "relationships", "points"}
    exported(COCO, rendition="border", selection=RELATIONSHIPS)
    assert names() == {"relationships"}
    exported(COCO, rendition="border")
    assert names() == {"instances"}


def test_images_and_categories_have_the_same_numbers_in_each_file(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="border", selection=EVERYTHING)
    instances, *others = (written(tmp_path, kind) for kind in ("instances", "relationships", "points"))
    numbers = {each["label_name"]: each["id"] for each in instances["categories"]}
    assert WOODEN not in numbers
    for other in others:
        assert other["images"] == instances["images"]
        assert numbers.items() >= {
            (each["label_name"], each["id"]) for each in other["categories"] if each["label_name"] != WOODEN
        }
    assert [each["label_name"] for each in others[0]["categories"]] == [BLUE, RED, WOODEN]
    assert [each["label_name"] for each in others[1]["categories"]] == [BLUE, RED]
    exported(COCO, rendition="border", selection=POINTS)
    assert written(tmp_path, "points")["categories"] == others[1]["categories"]


def test_relationships_of_a_chosen_class_are_those_to_other_classes_too(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="border", selection=RELATIONSHIPS, label_names=(BLUE,))
    content = written(tmp_path, "relationships")
    assert [each["relationship"] for each in content["relationships"]] == ["on"] * 8
    assert [(each["id"], each["name"]) for each in content["categories"]][:1] == [(1, NAMES[BLUE])]
    assert RED in {each["label_name"] for each in content["categories"]}
    exported(COCO, rendition="border", selection=POINTS, label_names=(RED,))
    content = written(tmp_path, "points")
    assert [each["label_name"] for each in content["categories"]] == [RED]
    assert len(content["points"]) == 8


def test_an_image_of_which_every_point_says_no_shows_nothing(exported: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none has points that fit the options"):
        exported(COCO, rendition="border", selection=POINTS, label_names=(BLUE,))
    result = exported(COCO, rendition="border", selection=POINTS, label_names=(BLUE,), with_empty=True)
    assert result.annotations["train"] == {LabelType.POINTS: 8}


def test_what_a_crop_cut_off_is_counted_by_kind(exported: Any) -> None:
    result = exported(COCO, rendition="seen", selection=EVERYTHING, min_visible=0.99)
    assert result.unseen[LabelType.RELATIONSHIPS] > 0
    text = exported_text(result, ExportRequest(COCO, min_visible=0.99))
    assert f"left out: {result.unseen[LabelType.RELATIONSHIPS]} relationships, because they lie outside" in text


def test_nothing_is_exported_that_is_not_in_the_database(labelled_root: LabelledRoot, exported: Any) -> None:
    labelled_root.db.execute("BEGIN")
    try:
        labelled_root.db.execute("DELETE FROM point")
        with pytest.raises(UsageError, match="there are no points in the database"):
            exported(COCO, rendition="border", selection=EVERYTHING)
    finally:
        labelled_root.db.execute("ROLLBACK")
