"""What the files beside the image lists hold, as parts that go into tables one after the other.

Names of classes and the tree of them are known by the names of their files, or by the catalogue, annotations
by their header; a file may be plain, gzipped, or a tar of some.
"""

import gzip
from collections.abc import Iterable, Iterator, Sequence
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

Part: TypeAlias = tuple[str, tuple[str, ...], Iterable[Columns]]
"""A table, some of its columns, and batches of their values, to be read before the next part is asked for."""

_BATCH = 1000


def read_parts(
    path: Path, skipped: ReadReport, keep: Filter | None = None, kind: FileKind | None = None
) -> Iterator[Part]:
    """The parts of the file at `path`, less the annotations of images that `keep` leaves out.

    `kind` is what the catalogue calls it, None for a file that is in none.
    Bad rows go to `skipped`, which judges them at the end. Raises `UsageError` if there is no such
    file, `MetadataError` for one that cannot be read, is damaged or of no kind that is known.
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
            if found := class_list(list_name, kind if list_name == name else None):
                yield _class_part(found[0], Lines(pieces), list_name)
                continue
            lines = Lines(pieces)
            with translating_archive_errors(list_name, lines):
                annotations = read_annotations(lines.texts(), name=list_name, skipped=skipped, keep=keep)
            if not annotations:
                raise MetadataError(
                    f"{list_name} is no annotation file", hint=f"its header fits none of: {', '.join(TABLES)}"
                )
            yield annotations.table, annotations.columns, _read(list_name, annotations.batches, lines)
    skipped.judge(name)


def _class_part(flag: str | None, lines: Lines, name: str) -> Part:
    classes = read_classes(lines, name)
    if flag:
        known = _batches((*known, 1) for known in classes)
        return "class", ("label_name", "display_name", flag), _read(name, known, lines)
    return "class", ("label_name", "display_name"), _read(name, _batches(classes), lines)


def _read(name: str, batches: Iterable[Columns], lines: Lines | None = None) -> Iterator[Columns]:
    with translating_archive_errors(name, lines):
        yield from batches


def _batches(rows: Iterable[Sequence[Any]]) -> Iterator[Columns]:
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH)):
        yield list(zip(*batch, strict=True))
