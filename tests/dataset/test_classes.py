"""Files of classes: names, lists and the tree, in every published shape."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from oidl.dataset.classes import class_list, is_hierarchy, read_classes, read_hierarchy
from oidl.dataset.rows import ReadReport
from oidl.dataset.sections import read_parts
from oidl.errors import ExitCode, MetadataError, UsageError
from oidl.model import FileKind

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


def test_a_list_that_is_cut_within_a_row_is_said_to_be() -> None:
    with pytest.raises(
        MetadataError, match=r"f\.csv seems to be cut short: line 2, its last, .* \(1 field instead of 2"
    ):
        list(read_classes([f"{CAT},Cat\n", TABBY], "f.csv"))
    assert list(read_classes([f"{CAT}\n", TABBY], "f.txt")) == [(CAT, None), (TABBY, None)]


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
        ("class-descriptions.csv.gz", (None,)),
        ("classes-bbox.txt.gz", ("is_boxable",)),
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


@pytest.mark.parametrize("label_name", ["/m/\\ud800", "Cat", "", "/m/caf\\u00e9", "/m/1\\u0000"])
def test_what_is_no_name_of_a_class_is_none_in_a_tree_either(label_name: str) -> None:
    for text in (
        f'{{"LabelName": "{label_name}"}}',
        f'{{"LabelName": "/m/1", "Part": [{{"LabelName": "{label_name}"}}]}}',
    ):
        with pytest.raises(MetadataError, match=r"h\.json is not a tree of classes: '.*' is not the name") as refused:
            list(read_hierarchy(io.BytesIO(text.encode()), "h.json"))
        str(refused.value).encode()


def test_a_tree_that_is_too_large_is_not_read_to_its_end() -> None:
    file = io.BytesIO(b" " * (20 * 1024 * 1024))
    with pytest.raises(MetadataError, match="more than"):
        list(read_hierarchy(file, "h.json"))
    assert file.tell() < 17 * 1024 * 1024


def _parts(path: Path) -> list[tuple[str, list[tuple[object, ...]]]]:
    return [
        (table, [row for batch in batches for row in zip(*batch, strict=True)])
        for table, _, batches in read_parts(path, ReadReport())
    ]


def test_a_file_is_taken_for_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "classes-bbox.txt").write_text(f"{CAT}\n")
    assert _parts(tmp_path / "classes-bbox.txt") == [("class", [(CAT, None, 1)])]
    (tmp_path / "x-hierarchy.json").write_text(json.dumps(TREE))
    assert [(table, len(rows)) for table, rows in _parts(tmp_path / "x-hierarchy.json")] == [("class_hierarchy", 3)]
    labels = b"ImageID,Source,LabelName,Confidence\n000a1249af2bc5f0,human,/m/1,1\n"
    (tmp_path / "labels.csv.gz").write_bytes(gzip.compress(labels))
    assert _parts(tmp_path / "labels.csv.gz") == [("label", [("000a1249af2bc5f0", "human", "/m/1", 1.0)])]


@pytest.mark.parametrize(
    ("kind", "text", "part"),
    [
        (FileKind.CLASSES, f"{CAT},Cat\n", ("class", [(CAT, "Cat")])),
        (FileKind.BOXABLE_CLASSES, f"{CAT},Cat\n", ("class", [(CAT, "Cat", 1)])),
        (FileKind.SEGMENTATION_CLASSES, f"{CAT}\n", ("class", [(CAT, None, 1)])),
        (FileKind.HIERARCHY, json.dumps({"LabelName": CAT}), ("class_hierarchy", [])),
    ],
)
def test_what_the_catalogue_says_a_file_is_it_is_whatever_its_name(
    kind: FileKind, text: str, part: object, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text(text)
    parts = read_parts(tmp_path / "mine", ReadReport(), kind=kind)
    assert [(table, [row for batch in batches for row in zip(*batch, strict=True)]) for table, _, batches in parts] == [
        part
    ]


def test_the_lists_of_an_archive_number_their_rows_one_after_the_other(tmp_path: Path) -> None:
    point = "000a1249af2bc5f0,0.5,0.25,/m/1"
    texts = {"a.csv": f"{point}\n\n{point}\n", "b.csv": f"{point}\n{point[:-5]}\n" + f"{point}\n" * 200}
    with tarfile.open(tmp_path / "mine.tar.gz", "w:gz") as archive:
        for name, text in texts.items():
            body = f"ImageId,X,Y,Label\n{text}".encode()
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    told: list[str] = []
    parts = read_parts(tmp_path / "mine.tar.gz", ReadReport(report=told.append))
    numbers = [number for _, _, batches in parts for batch in batches for number in batch[-1]]
    assert numbers == [1, 3, 4, *range(6, 206)]
    assert told == ["mine.tar.gz: b.csv line 3: 3 fields instead of 4"]


def test_what_is_no_annotation_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no annotation file"):
        _parts(tmp_path / "nothing.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(MetadataError, match=r"other\.csv is not an annotation file"):
        _parts(tmp_path / "other.csv")


LABELS = "ImageID,Source,LabelName,Confidence"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class-descriptions.csv", f"{CAT},café\n"),
        ("classes-bbox.txt", f"{CAT}\n/m/café\n"),
        ("labels.csv", f"{LABELS},café\n000a1249af2bc5f0,human,/m/1,1,\n"),
        ("labels.csv", f"{LABELS}\n" + "000a1249af2bc5f0,human,/m/1,1\n" * 3000 + "000a1249af2bc5f0,human,/m/café,1\n"),
    ],
)
def test_what_is_not_utf_8_is_said_not_to_be(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(MetadataError, match=f"{name} is not UTF-8 text") as refused:
        _parts(tmp_path / name)
    assert refused.value.exit_code is ExitCode.METADATA


@pytest.mark.parametrize("name", ["class-descriptions.csv", "classes-bbox.txt", "x-hierarchy.json"])
def test_files_of_classes_may_be_gzipped(tmp_path: Path, name: str) -> None:
    text = json.dumps(TREE) if name.endswith("json") else f"{CAT}\n{TABBY}\n"
    plain, packed = tmp_path / name, tmp_path / f"{name}.gz"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    assert _parts(packed) == _parts(plain) != []
    packed.write_bytes(gzip.compress(text.encode())[:-9])
    with pytest.raises(MetadataError, match="damaged or cut short"):
        _parts(packed)
