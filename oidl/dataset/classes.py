"""The classes: their names, the lists that contain them, and their hierarchy.

Small files, in as many formats as there are versions: names with or without a
header, CRLF line ends, lists of plain names, and one JSON tree. The file name
gives the meaning of a list, otherwise the catalogue does.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from pathlib import PurePosixPath
from typing import Any

from oidl.dataset.csv_records import csv_complaint
from oidl.dataset.streams import cut_short
from oidl.errors import MetadataError
from oidl.model import FileKind
from oidl.text import counted

_MAX_HIERARCHY_BYTES = 16 * 1024 * 1024  # the real one has 86 kB
_MAX_DEPTH = 100
_NAME = re.compile(r"/[a-z]+/[!-~]+").fullmatch

# The column of `class` that a list of classes sets, by the end of its name; the first match counts.
_LISTS = (
    ("classes-bbox-trainable.txt", "is_box_trainable"),
    ("classes-trainable.txt", "is_trainable"),
    ("classes-bbox.txt", "is_boxable"),
    ("class-descriptions-boxable.csv", "is_boxable"),
    ("classes-segmentation.txt", "is_segmentable"),
    ("classes.txt", None),
    ("class-descriptions.csv", None),
    ("attributes-description.csv", None),
    ("dict.csv", None),
)

# The same by the kind in the catalogue, if the name matches none of these.
_BY_KIND: dict[FileKind | None, tuple[str | None]] = {
    FileKind.CLASSES: (None,),
    FileKind.BOXABLE_CLASSES: ("is_boxable",),
    FileKind.SEGMENTATION_CLASSES: ("is_segmentable",),
    FileKind.ATTRIBUTE_CLASSES: (None,),
}

_KINDS = {"Subcategory": "subcategory", "Part": "part"}


def class_list(name: str, kind: FileKind | None = None) -> tuple[str | None] | None:
    """The column of `class` that the file `name` sets to 1, if any, in a tuple; None if it is not a list of classes.

    `kind` is its kind in the catalogue, if it is a file of one.
    """
    file = PurePosixPath(name).name.removesuffix(".gz")
    for end, flag in _LISTS:
        if file == end or file.endswith(f"-{end}"):
            return (flag,)
    return _BY_KIND.get(kind)


def is_hierarchy(name: str, kind: FileKind | None = None) -> bool:
    """Whether the file `name`, of this `kind`, is a tree of classes."""
    return kind is FileKind.HIERARCHY or name.removesuffix(".gz").endswith("hierarchy.json")


def read_classes(lines: Iterable[str], name: str) -> Iterator[tuple[str, str | None]]:
    """The classes in a list, and their display names if the list has them. Raises `MetadataError`."""
    last, width = "", 0
    reader = csv.reader(((last := line) for line in lines), strict=True)
    try:
        for row in reader:
            width = width or len(row)
            if len(row) < width and row and not last.endswith("\n"):
                raise cut_short(name, reader.line_num, f"{counted(len(row), 'field')} instead of {width}")
            label_name = row[0].removeprefix("\ufeff") if row else ""
            if _NAME(label_name):
                yield label_name, row[1] if len(row) > 1 else None
            elif row and reader.line_num > 1:  # the first line may be a header
                raise MetadataError(f"{name} line {reader.line_num}: {label_name[:80]!r} is not the name of a class")
    except csv.Error as error:
        raise MetadataError(f"{name} line {reader.line_num}: {csv_complaint(error)}") from error


def read_hierarchy(file: BufferedIOBase, name: str) -> Iterator[tuple[str, str, str]]:
    """Every (parent, child, kind) of a tree of classes; `kind` is `subcategory` or `part`. Raises `MetadataError`.

    `file` is an open file of plain JSON; at most the maximum size of such a tree is read.
    """
    text = file.read(_MAX_HIERARCHY_BYTES + 1)
    if len(text) > _MAX_HIERARCHY_BYTES:
        raise MetadataError(f"{name} has more than {_MAX_HIERARCHY_BYTES} bytes, so it is not a tree of classes")
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MetadataError(f"{name} is not JSON: {error}") from error
    yield from _below(tree, name, 0)


def _below(node: Any, name: str, depth: int) -> Iterator[tuple[str, str, str]]:
    if not isinstance(node, dict) or not isinstance(node.get("LabelName"), str) or depth > _MAX_DEPTH:
        raise MetadataError(f"{name} is not a tree of classes")
    if not _NAME(node["LabelName"]):  # also rejects lone surrogates, which JSON can hold and UTF-8 cannot
        raise MetadataError(f"{name} is not a tree of classes: {node['LabelName'][:80]!a} is not the name of a class")
    for key, kind in _KINDS.items():
        children = node.get(key, [])
        if not isinstance(children, list):
            raise MetadataError(f"{name} is not a tree of classes")
        for child in children:
            yield from _below(child, name, depth + 1)
            yield node["LabelName"], child["LabelName"], kind
