"""Files of classes: names, lists and the tree, in every shape that was published."""

import gzip
import io
import json
from pathlib import Path

import pytest

from oidl.dataset.classes import class_list, is_hierarchy, read_classes, read_hierarchy
from oidl.dataset.parts import read_parts
from oidl.dataset.rows import Skipped
from oidl.errors import MetadataError, UsageError

CAT, TABBY, TAIL, ANIMAL = "/m/01yrx", "/m/02", "/g/1hb_tail", "/m/0jbk"


@pytest.mark.parametrize(
    "lines",
    [
        ["LabelName,DisplayName\r\n", f"{CAT},Cat\r\n", f'{TABBY},"Cat, ""tabby"""\r\n'],
        [f"{CAT},Cat\n", f'{TABBY},"Cat, ""tabby"""\n'],
        [f"\ufeff{CAT},Cat\r\n", "\r\n", f'{TABBY},"Cat, ""tabby"""'],
    ],
)
def test_names_come_with_or_without_a_header(lines: list[str]) -> None:
    assert list(read_classes(lines, "f.csv")) == [(CAT, "Cat"), (TABBY, 'Cat, "tabby"')]


def test_a_list_has_no_names_in_words() -> None:
    assert list(read_classes([f"{CAT}\n", f"{TABBY}\n"], "classes.txt")) == [(CAT, None), (TABBY, None)]


def test_what_is_no_class_is_told_by_its_line() -> None:
    with pytest.raises(MetadataError, match=r"f\.csv line 2: 'Cat' is not the name of a class"):
        list(read_classes([f"{CAT}\n", "Cat\n"], "f.csv"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("class-descriptions.csv", (None,)),
        ("oidv7-class-descriptions.csv", (None,)),
        ("oidv7-class-descriptions-boxable.csv", ("is_boxable",)),
        ("classes_2017_11.tar.gz: 2017_11/classes-bbox.txt", ("is_boxable",)),
        ("classes-bbox-trainable.txt", ("is_box_trainable",)),
        ("classes-trainable.txt", ("is_trainable",)),
        ("classes-segmentation.txt", ("is_segmentable",)),
        ("oidv6-attributes-description.csv", (None,)),
        ("train-annotations-bbox.csv", None),
        ("oidv6-relationship-triplets.csv", None),
    ],
)
def test_a_lists_name_says_what_it_means(name: str, expected: object) -> None:
    assert class_list(name) == expected


TREE = {
    "LabelName": ANIMAL,
    "Subcategory": [{"LabelName": CAT, "Subcategory": [{"LabelName": TABBY}], "Part": [{"LabelName": TAIL}]}],
}


def test_the_tree_is_taken_apart() -> None:
    assert is_hierarchy("bbox_labels_600_hierarchy.json")
    assert set(read_hierarchy(io.BytesIO(json.dumps(TREE).encode()), "h.json")) == {
        (ANIMAL, CAT, "subcategory"),
        (CAT, TABBY, "subcategory"),
        (CAT, TAIL, "part"),
    }


def _deep() -> str:
    return '{"LabelName": "/m/1", "Part": [' * 5000 + '{"LabelName": "/m/1"}' + "]}" * 5000


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"LabelName": "a", "Part": {}}', '{"LabelName": 1}', "{", _deep()])
def test_what_is_no_tree_is_refused(text: str) -> None:
    with pytest.raises(MetadataError, match=r"h\.json"):
        list(read_hierarchy(io.BytesIO(text.encode()), "h.json"))


def test_a_tree_that_is_too_large_is_not_read_to_its_end() -> None:
    file = io.BytesIO(b" " * (20 * 1024 * 1024))
    with pytest.raises(MetadataError, match="more than"):
        list(read_hierarchy(file, "h.json"))
    assert file.tell() < 17 * 1024 * 1024


def _parts(path: Path) -> list[tuple[str, list[tuple[object, ...]]]]:
    return [
        (table, [row for batch in batches for row in zip(*batch, strict=True)])
        for table, _, batches in read_parts(path, Skipped())
    ]


def test_a_file_is_taken_for_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "classes-bbox.txt").write_text(f"{CAT}\n")
    assert _parts(tmp_path / "classes-bbox.txt") == [("class", [(CAT, None, 1)])]
    (tmp_path / "x-hierarchy.json").write_text(json.dumps(TREE))
    assert [(table, len(rows)) for table, rows in _parts(tmp_path / "x-hierarchy.json")] == [("class_hierarchy", 3)]
    labels = b"ImageID,Source,LabelName,Confidence\n000a1249af2bc5f0,human,/m/1,1\n"
    (tmp_path / "labels.csv.gz").write_bytes(gzip.compress(labels))
    assert _parts(tmp_path / "labels.csv.gz") == [("label", [("000a1249af2bc5f0", "human", "/m/1", 1.0)])]


def test_what_is_no_annotation_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no annotation file"):
        _parts(tmp_path / "nothing.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(MetadataError, match=r"other\.csv is no annotation file"):
        _parts(tmp_path / "other.csv")
