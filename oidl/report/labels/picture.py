"""What is written of a picture, in whatever format: its file, its size, and what is to be seen in it."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from oidl.imaging.placing import PlacedBox
from oidl.report.labels.text import plain
from oidl.state.labelled import Box, FileRow, Label, LabelClass

_WHOLE = 0.999  # of a box; rounding takes a little


@dataclass(frozen=True, slots=True)
class Category:
    """A class as an export has it: `number` counts from 1, `name` is unlike all others of the export."""

    number: int
    label_name: str
    name: str
    parent: str


@dataclass(frozen=True, slots=True)
class Thing:
    """A box that is at least partly in the file: as published, and where it lies there."""

    category: Category
    published: Box
    box: PlacedBox

    @property
    def is_truncated(self) -> bool:
        """Whether it goes on beyond the file: published so, or cut off by what made the file."""
        return self.published.is_truncated == 1 or self.box.visible < _WHOLE

    def attribute(self, name: str) -> bool:
        """Whether the published attribute is set; unknown is not."""
        return bool(getattr(self.published, name) == 1)


@dataclass(frozen=True, slots=True)
class Picture:
    """A file below its subset's image directory, as a reader sees it: `width` × `height` pixels."""

    file: FileRow
    name: PurePath
    width: int
    height: int
    things: Sequence[Thing]
    labels: Sequence[tuple[Category, Label]] = ()

    @property
    def shows_something(self) -> bool:
        """Whether anything is to be seen in it; labels of what was looked for and not found show nothing."""
        return bool(self.things) or any(label.is_there for _, label in self.labels)


@dataclass(frozen=True, slots=True)
class Target:
    """Where an export goes, and of what. `image_directories` are absolute, by subset.

    What lies in `root_dir`, as the images do, is named from there, so that all of it can be moved.
    """

    root_dir: Path
    dest: Path
    title: str
    rendition: str
    image_directories: Mapping[str, Path]
    categories: Sequence[Category]
    kinds: Sequence[str]

    def images_from(self, directory: Path, subset: str) -> Path:
        """The directory of the images as a reader in `directory` finds it: relative if both are in the root."""
        root, start, goal = (path.resolve() for path in (self.root_dir, directory, self.image_directories[subset]))
        if start.is_relative_to(root) and goal.is_relative_to(root):
            return Path(os.path.relpath(goal, start))
        return self.image_directories[subset]


Add = Callable[[Picture], None]
"""How a format takes one picture after another."""


def categories(classes: Sequence[LabelClass]) -> list[Category]:
    """`classes` in their order, numbered from 1; a name that several have gets the MID behind it."""
    names = [plain(each.display_name or each.label_name) for each in classes]
    uses = Counter(names)
    return [
        Category(
            number,
            each.label_name,
            name if uses[name] == 1 else f"{name} ({each.label_name})",
            plain(each.parent or name),
        )
        for number, (each, name) in enumerate(zip(classes, names, strict=True), start=1)
    ]
