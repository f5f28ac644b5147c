"""What a format is: its name, the annotations that it has a place for, the files that are its own, and its writer."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from oidl.export.image import Category, LabelledImage
from oidl.model import LabelType
from oidl.storage.atomic import atomic_text


@dataclass(frozen=True, slots=True)
class ExportTarget:
    """Where an export goes and what it is about. `image_directories` are absolute, by split.

    `categories` are in the order of their numbers; `kinds` are the annotations that are written.
    """

    root_dir: Path
    dest: Path
    title: str
    rendition: str
    image_directories: Mapping[str, Path]
    categories: Sequence[Category]
    kinds: Sequence[LabelType]

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the export has, in order."""
        return tuple(self.image_directories)

    def open_text(self, name: str) -> AbstractContextManager[TextIO]:
        """A UTF-8 text file `name` of the export, to write."""
        return atomic_text(self.dest / name)

    def images_from(self, directory: Path, split: str) -> Path:
        """The directory of the images as a reader in `directory` finds it: relative if both are in the root."""
        root, start, goal = (path.resolve() for path in (self.root_dir, directory, self.image_directories[split]))
        if start.is_relative_to(root) and goal.is_relative_to(root):
            return Path(os.path.relpath(goal, start))
        return self.image_directories[split]


WriteImage = Callable[[LabelledImage], None]
"""How a format takes one image after another."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of labels: `write` opens it for one export and takes the images until it is closed.

    `label_types` are the annotations that it has a place for. `files` and `links` are the names that it gives,
    relative to the export, with `{split}` and `{kind}` in them.
    """

    name: str
    label_types: tuple[LabelType, ...]
    write: Callable[[ExportTarget], AbstractContextManager[WriteImage]]
    files: tuple[str, ...]
    links: tuple[str, ...] = ()
