"""The files that a selection needs: those of its types and subsets, without the loaded ones and the user's own."""

from dataclasses import replace

import pytest
from builders import image

from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.dataset.published import Version
from oidl.errors import UsageError
from oidl.model import FileKind, LabelType
from oidl.pipeline.annotation_requirements import RequiredFiles, required_files
from oidl.settings import Selection
from oidl.state.annotations import OWN, AnnotationFile, load_file
from oidl.state.connection import StateConnection

BOXES = Selection(label_types=(LabelType.BOXES,), subsets=("train", "validation"))
CAT = "/m/01yrx"
LISTED = "listed: test, train"


@pytest.fixture
def v7() -> Version:
    return find_version(read_catalogue(None), "7")


def names(needed: RequiredFiles, kind: FileKind | None = None) -> list[str]:
    return [file.name for file in needed.files if kind in (None, file.kind)]


def own(db: StateConnection, table: str, name: str = "mine.csv", images: str = LISTED) -> None:
    """Loads a file of one's own with a row of an image in `train`."""
    columns, values = {
        "box": (
            ("image_id", "row_number", "source", "label_name", "confidence", "x_min", "x_max", "y_min", "y_max"),
            (image(1).image_id, 1, "me", CAT, 1, 0, 1, 0, 1),
        ),
        "point": (("image_id", "row_number", "x", "y", "label"), (image(1).image_id, 1, 0, 0, CAT)),
        "class": (("label_name", "display_name"), (CAT, "Cat")),
        "class_hierarchy": (("parent", "child", "kind"), (CAT, "/m/0tabby", "subcategory")),
    }[table]
    batch = [[value] for value in values]
    load_file(db, AnnotationFile(name, OWN, images), [(table, columns, [batch])], lambda: 0)


def test_a_selection_that_asks_nothing_of_annotations_needs_none(loaded_db: StateConnection, v7: Version) -> None:
    assert required_files(loaded_db, v7, Selection(where="true")) == RequiredFiles()


def test_the_files_of_the_subsets_and_the_classes_are_needed_until_they_are_loaded(
    loaded_db: StateConnection, v7: Version
) -> None:
    needed = required_files(loaded_db, v7, BOXES)
    boxes = names(needed, FileKind.BOXES)
    assert [name.split("-")[0] for name in boxes] == ["oidv6", "validation"]
    assert {FileKind.CLASSES, FileKind.HIERARCHY, FileKind.BOXES} <= {file.kind for file in needed.files}
    for file in needed.files:
        load_file(loaded_db, AnnotationFile(v7.recorded_name(file), file.kind, LISTED), [], lambda: 0)
    assert required_files(loaded_db, v7, BOXES) == RequiredFiles()


def test_own_annotations_stand_for_the_published_ones_of_their_subsets(loaded_db: StateConnection, v7: Version) -> None:
    own(loaded_db, "box", "a/mine.csv")
    needed = required_files(loaded_db, v7, BOXES)
    assert names(needed, FileKind.BOXES) == ["validation-annotations-bbox.csv"]
    assert (needed.overridden, needed.overriding) == ((FileKind.BOXES,), ("mine.csv",))


@pytest.mark.parametrize(
    ("images", "is_enough"), [("all", True), (LISTED, True), ("listed: train", True), ("chosen: few", False)]
)
def test_but_only_if_they_are_loaded_for_all_images_of_the_subset(
    images: str, is_enough: bool, loaded_db: StateConnection, v7: Version
) -> None:
    own(loaded_db, "box", images=images)
    needed = required_files(loaded_db, v7, Selection(label_types=(LabelType.BOXES,), subsets=("train",)))
    assert (not names(needed, FileKind.BOXES)) is is_enough


def test_own_classes_do_if_they_have_those_asked_for(loaded_db: StateConnection, v7: Version) -> None:
    own(loaded_db, "class", "class-names.csv")

    def kinds(*classes: str, include_subclasses: bool = False) -> set[FileKind]:
        types = (LabelType.BOXES,)
        selection = Selection(classes=classes, include_subclasses=include_subclasses, label_types=types)
        return {file.kind for file in required_files(loaded_db, v7, selection).files}

    assert kinds("cat") == {FileKind.BOXES}
    assert kinds("Cat", include_subclasses=True) == {FileKind.BOXES, FileKind.HIERARCHY}
    assert FileKind.CLASSES in kinds("Cat", "Dog")
    own(loaded_db, "class_hierarchy", "tree.json")
    assert kinds("Cat", include_subclasses=True) == {FileKind.BOXES}


def test_what_the_user_had_of_the_published_files_is_not_needed(loaded_db: StateConnection, v7: Version) -> None:
    file = next(file for file in v7.files if file.kind is FileKind.BOXES and file.subset == "validation")
    had = AnnotationFile(v7.recorded_name(file), file.kind, "all", modified_at="2026-11-24T00:00:00.000Z")
    load_file(loaded_db, had, [], lambda: 0)
    needed = required_files(loaded_db, v7, BOXES)
    assert file not in needed.files
    assert names(needed, FileKind.BOXES)
    assert needed.overridden == ()
    load_file(loaded_db, replace(had, images="listed: train"), [], lambda: 0)
    assert file in required_files(loaded_db, v7, BOXES).files, "of the images that came into the list later"


def test_a_type_that_is_not_published_is_refused_unless_it_is_ones_own(loaded_db: StateConnection) -> None:
    v3 = find_version(read_catalogue(None), "3")
    points = Selection(label_types=(LabelType.POINTS,), subsets=("train",))
    with pytest.raises(UsageError, match="V3 has no points"):
        required_files(loaded_db, v3, points)
    own(loaded_db, "point")
    assert {file.kind for file in required_files(loaded_db, v3, points).files} == {FileKind.CLASSES}
