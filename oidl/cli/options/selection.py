"""The options that choose images, for every command that has images to choose, and the `Selection` that they make."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from oidl.cli.options.groups import SELECTION, in_section
from oidl.cli.options.lists import list_of
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.types import LIMIT
from oidl.errors import UsageError
from oidl.model import LabelType
from oidl.settings import Selection

_ATTRIBUTES = {
    "isoccluded": "is_occluded",
    "istruncated": "is_truncated",
    "isgroupof": "is_group_of",
    "isdepiction": "is_depiction",
    "isinside": "is_inside",
}

CLASSES = list_of("class", "Cat,Dog")
LABEL_TYPES = list_of("label type", "boxes,labels", LabelType)


@dataclass(frozen=True, kw_only=True)
@in_section(SELECTION)
class SelectionOptions(PathOptions):
    """Which images."""

    subset: Annotated[tuple[str, ...], list_of("subset", "validation,test")] = ()
    """A list of `train`, `validation` and `test`, like `validation,test`. Default: all of them."""

    image_ids: Path | None = None
    """A file of `ImageID` or `subset/ImageID` lines: only these images."""

    classes: Annotated[tuple[str, ...], CLASSES] = ()
    """Only images that show one of these classes, like `Cat,Dog`: display names or MIDs, in any letter case."""

    include_subclasses: bool = False
    """What is below a class in the hierarchy counts as that class."""

    label_types: Annotated[tuple[LabelType, ...], LABEL_TYPES] = ()
    """What shows it, a list of `boxes` (if not given), `labels`, `segmentations`, `relationships` and `points`."""

    verified_only: bool = False
    """Of labels, only those that people verified to be true; `--label-types` is then `labels` if not given."""

    attributes: Annotated[tuple[str, ...], list_of("attribute", "IsGroupOf=0,IsOccluded=0")] = ()
    """Of boxes, only those with these flags, like `IsGroupOf=0,IsOccluded=0`."""

    min_box_area: float | None = None
    """Of boxes, only those of at least this share of the picture, like `0.05`."""

    limit_per_class: Annotated[int | None, LIMIT] = None
    """Have this many images of each class done; an image counts in each class that it shows; `all` lifts the limit."""

    shuffle: bool = False
    """Take images in an order that is drawn, not by ImageID."""

    seed: int = 0
    """What that order is drawn by: the same seed, the same order."""

    where: str | None = None
    """Only images for which this SQL expression over `image`, `width` and `height` is true, like `width > 1024`."""

    def selection(self, limit: int | None = None) -> Selection:
        """What was chosen. Raises `UsageError` for values that make no sense."""
        classes, types = self.classes, self.label_types
        if self.include_subclasses and not classes:
            raise UsageError(
                "--include-subclasses is about --classes", hint="use it with --classes Animal, for example"
            )
        attributes = tuple(map(_attribute, self.attributes))
        of_boxes = bool(attributes) or self.min_box_area is not None
        if not types and (classes or of_boxes or self.verified_only or self.limit_per_class is not None):
            types = (LabelType.LABELS,) if self.verified_only and not of_boxes else (LabelType.BOXES,)
        for option, is_given, label_type in (
            ("--attributes", bool(attributes), LabelType.BOXES),
            ("--min-box-area", self.min_box_area is not None, LabelType.BOXES),
            ("--verified-only", self.verified_only, LabelType.LABELS),
        ):
            if is_given and label_type not in types:
                raise UsageError(f"{option} is about {label_type}", hint=f"add {label_type} to --label-types")
        if self.min_box_area is not None and not 0 <= self.min_box_area <= 1:
            raise UsageError(f"--min-box-area is a share of the picture, 0 to 1, not {self.min_box_area}")
        if self.limit_per_class is not None and self.limit_per_class < 1:
            raise UsageError(f"--limit-per-class must be at least 1, not {self.limit_per_class}")
        return Selection(
            subsets=self.subset,
            image_ids=self.image_ids,
            limit=limit,
            classes=classes,
            include_subclasses=self.include_subclasses,
            label_types=types,
            verified_only=self.verified_only,
            attributes=attributes,
            min_box_area=self.min_box_area,
            limit_per_class=self.limit_per_class,
            shuffle=self.shuffle,
            seed=self.seed,
            where=self.where,
        )


def _attribute(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    column = _ATTRIBUTES.get(name.strip().replace("_", "").lower())
    if not column or value.strip() not in ("0", "1", "-1"):
        raise UsageError(
            f"--attributes: {text!r} is no attribute of a box",
            hint="like IsGroupOf=0; there are also IsOccluded, "
            "IsTruncated, IsDepiction and IsInside; 1 is yes, 0 no, -1 unknown",
        )
    return column, int(value)
