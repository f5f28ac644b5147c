"""What every format writes of an image: its file, its size, and the boxes and labels in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from oidl.export.text import plain
from oidl.imaging.placing import PlacedBox
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
class LabelledBox:
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
class LabelledImage:
    """An image file of `width` × `height` pixels, as a reader sees it; `path` is relative to the export."""

    file: FileRow
    split: str
    path: PurePosixPath
    width: int
    height: int
    boxes: Sequence[LabelledBox]
    labels: Sequence[tuple[Category, Label]] = ()

    @property
    def name(self) -> str:
        """The name of the file: its ImageID and suffix."""
        return self.path.name

    @property
    def shows_something(self) -> bool:
        """Whether it has a box, or a label of a class that is there; labels of absent classes do not count."""
        return bool(self.boxes) or any(label.is_there for _, label in self.labels)


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
