"""The definition of a format: its name, the annotations that it supports, the paths of its files, and its writer."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TextIO

from oidl.export.image import Category, LabelledImage
from oidl.model import LabelType


@dataclass(frozen=True, slots=True)
class ExportTarget:
    """The target of an export. `directory` is empty at first; the complete export then replaces the earlier one.

    `splits` are named as in the format; `kinds` are the annotations to write. `categories`, in the order of their
    numbers, are those of boxes, masks and labels; `categories_of` has those of relationships and points, with the same
    numbers. `box_polygons` is that of the request.
    """

    directory: Path
    title: str
    rendition: str
    splits: Sequence[str]
    categories: Sequence[Category]
    kinds: Sequence[LabelType]
    categories_of: Mapping[LabelType, Sequence[Category]] = field(default_factory=dict)
    box_polygons: bool = False

    def open_text(self, name: str) -> TextIO:
        """Creates the UTF-8 text file `name` of the export."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "w", encoding="utf-8", newline="")


WriteImage = Callable[[LabelledImage], None]
"""Writes one image; its file is already in the export."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of labels: `write` opens it for one export and receives the images until it is closed.

    `label_types` are the annotations that it supports. `files` are the names that it writes, relative to the export,
    with `{split}` and `{kind}`, and `*` for one file per image; the file that readers open first comes last. `images`
    is the directory of the image files. `split_names` maps a subset to its name in the format if that differs. Readers
    need the `required_splits`. If `takes_all`, images without annotations are exported too.
    """

    name: str
    label_types: tuple[LabelType, ...]
    write: Callable[[ExportTarget], AbstractContextManager[WriteImage]]
    files: tuple[str, ...]
    images: str = "images/{split}"
    split_names: Mapping[str, str] = field(default_factory=dict)
    required_splits: tuple[str, ...] = ()
    takes_all: bool = False

    def split_name(self, split: str) -> str:
        """The name in the format of a subset or a part of `--split`."""
        return self.split_names.get(split, split)

    def names(self, splits: Sequence[str], kinds: Sequence[LabelType]) -> list[str]:
        """The names in `files` for these splits and kinds."""
        names = (
            name.format(split=split, kind=kind) for name in self.files for split in splits for kind in kinds or "-"
        )
        return list(dict.fromkeys(names))

    def entries(self, splits: Sequence[str], kinds: Sequence[LabelType]) -> list[str]:
        """The top-level entries of the export: images first, the file that readers open first last."""
        paths = [*(self.images.format(split=split) for split in splits), *self.names(splits, kinds)]
        return list(dict.fromkeys(PurePosixPath(path).parts[0] for path in paths))
