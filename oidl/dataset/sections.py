"""The contents of all files other than image lists, as rows for the tables of the database.

Class names and the class tree are recognised by their file names or by the catalogue, annotations by their header. A
file may be plain, gzipped, or a tar of several.
"""

import gzip
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from oidl.dataset.annotations import Columns, Filter, read_annotations
from oidl.dataset.classes import class_list, is_hierarchy, read_classes, read_hierarchy
from oidl.dataset.columns import TABLES
from oidl.dataset.lists import Lines, open_lists
from oidl.dataset.rows import ReadReport
from oidl.dataset.streams import translating_archive_errors
from oidl.errors import MetadataError, UsageError
from oidl.model import FileKind

TableRows: TypeAlias = tuple[str, tuple[str, ...], Iterable[Columns]]
"""A table, some of its columns, and batches of their values. Read them before requesting the next one."""

_BATCH = 1000


def read_parts(
    path: Path, skipped: ReadReport, keep: Filter | None = None, kind: FileKind | None = None
) -> Generator[TableRows, None, None]:
    """The rows of the file at `path`, without the annotations of images that `keep` drops.

    `kind` is its kind in the catalogue, None for a file of the user's own. Bad rows go to `skipped`, which checks them
    at the end. Close it: it holds the file open. Raises `UsageError` if there is no such file, `MetadataError` if it
    cannot be read, is damaged or of no known kind.
    """
    name = path.name
    try:
        file = path.open("rb")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(f"there is no annotation file {path}") from error
    except OSError as error:
        raise MetadataError(f"the annotation file {path} cannot be read: {error.strerror}") from error
    with file:
        if is_hierarchy(name, kind):
            tree = gzip.GzipFile(fileobj=file) if file.peek(2).startswith(b"\x1f\x8b") else file
            yield "class_hierarchy", ("parent", "child", "kind"), _read(name, _batches(read_hierarchy(tree, name)))
            return
        for list_name, pieces in open_lists(file, name, suffixes=(".csv", ".txt")):
            if class_column := class_list(list_name, kind if list_name == name else None):
                yield _class_rows(class_column[0], Lines(pieces), list_name)
                continue
            lines = Lines(pieces)
            with translating_archive_errors(list_name, lines):
                annotations = read_annotations(lines.texts(), name=list_name, skipped=skipped, keep=keep)
            if not annotations:
                raise MetadataError(
                    f"{list_name} is not an annotation file",
                    hint=f"check its header: it matches none of {', '.join(TABLES)}",
                )
            yield annotations.table, annotations.columns, _read(list_name, annotations.batches, lines)
    skipped.judge(name)


def _class_rows(flag: str | None, lines: Lines, name: str) -> TableRows:
    classes = read_classes(lines, name)
    if flag:
        flagged = _batches((*names, 1) for names in classes)
        return "class", ("label_name", "display_name", flag), _read(name, flagged, lines)
    return "class", ("label_name", "display_name"), _read(name, _batches(classes), lines)


def _read(name: str, batches: Iterable[Columns], lines: Lines | None = None) -> Iterator[Columns]:
    with translating_archive_errors(name, lines):
        yield from batches


def _batches(rows: Iterable[Sequence[Any]]) -> Iterator[Columns]:
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH)):
        yield list(zip(*batch, strict=True))
