"""What a format is: its name, the annotations that it has a place for, where its files lie, and its writer."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TextIO

from oidl.export.image import Category, LabelledImage
from oidl.model import LabelType


@dataclass(frozen=True, slots=True)
class ExportTarget:
    """What an export is about. `directory` is empty, and takes the place of the earlier export when all is written.

    `splits` are in the words of the format; `kinds` are the annotations that are written. `categories`, in the order
    of their numbers, are those of boxes, masks and labels; `categories_of` has those of relationships and points, with
    the same numbers. `box_polygons` is the request's.
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
        """A new UTF-8 text file `name` of the export."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "w", encoding="utf-8", newline="")


WriteImage = Callable[[LabelledImage], None]
"""How a format takes one image after another; its file lies in the export already."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of labels: `write` opens it for one export and takes the images until it is closed.

    `label_types` are the annotations that it has a place for. `files` are the names that it writes, relative to the
    export, with `{split}` and `{kind}`, and `*` where there is a file for each image; what readers open first is last.
    `images` is the directory of the image files. `split_names` says what the format calls a subset, if not by its
    name. Without its `required_splits` no reader takes it. `takes_all` images, also those without annotations.
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
        """What the format calls a subset or a part of `--split`."""
        return self.split_names.get(split, split)

    def names(self, splits: Sequence[str], kinds: Sequence[LabelType]) -> list[str]:
        """The names in `files` for these splits and kinds."""
        found = (
            name.format(split=split, kind=kind) for name in self.files for split in splits for kind in kinds or "-"
        )
        return list(dict.fromkeys(found))

    def entries(self, splits: Sequence[str], kinds: Sequence[LabelType]) -> list[str]:
        """What all of it is in at the top of the export: images first, what readers open first last."""
        paths = [*(self.images.format(split=split) for split in splits), *self.names(splits, kinds)]
        return list(dict.fromkeys(PurePosixPath(path).parts[0] for path in paths))
