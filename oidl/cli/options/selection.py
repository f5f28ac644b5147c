"""Options: which images, for every command that can choose some."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from oidl.cli.options.groups import SELECTION, filled, in_section
from oidl.cli.options.lists import list_of
from oidl.cli.options.types import A_SHARE, AT_LEAST_ONE, LIMIT
from oidl.errors import UsageError
from oidl.model import LabelType, LicenseFilter
from oidl.settings import Selection

_ATTRIBUTES = {
    "isoccluded": "is_occluded",
    "istruncated": "is_truncated",
    "isgroupof": "is_group_of",
    "isdepiction": "is_depiction",
    "isinside": "is_inside",
}

_SELECTION = Selection()
_LICENSES = list_of("licence", "same,unknown", LicenseFilter, takes_all=True)


@dataclass(frozen=True, kw_only=True)
@in_section(SELECTION)
class SelectionOptions:
    """Which images."""

    subset: Annotated[tuple[str, ...], list_of("subset", "validation,test")] = ()
    """A list of `train`, `validation` and `test`, like `validation,test`. Default: all of them."""

    image_ids: Path | None = _SELECTION.image_ids
    """Only the images in this file of `ImageID` or `subset/ImageID` lines."""

    classes: Annotated[tuple[str, ...], list_of("class", "Cat,Dog")] = ()
    """Only images that show one of these classes, like `Cat,Dog`: names or MIDs. Exports number them in this order."""

    include_subclasses: bool = _SELECTION.include_subclasses
    """Also take the subclasses of `--classes`, like Dog for Animal; in an export each is a class of its own."""

    label_types: Annotated[tuple[LabelType, ...], list_of("label type", "boxes,labels", LabelType)] = ()
    """What shows that an image has a class: `boxes` (default), `labels`, `segmentations`, `relationships`, `points`."""

    verified_only: bool = _SELECTION.verified_only
    """Use only labels that people confirmed; `--label-types` is then `labels` by default."""

    attributes: Annotated[tuple[str, ...], list_of("attribute", "IsGroupOf=0,IsOccluded=0")] = ()
    """Use only boxes with these flags, like `IsGroupOf=0,IsOccluded=0`."""

    min_box_area: Annotated[float | None, A_SHARE] = _SELECTION.min_box_area
    """Use only boxes that cover at least this share of the image, like `0.05`."""

    limit_per_class: Annotated[int | None, LIMIT, AT_LEAST_ONE] = _SELECTION.limit_per_class
    """Take this many images of each class; an image counts for each class that it shows. `all`: no limit."""

    shuffle: bool = _SELECTION.shuffle
    """Take images in random order, not by ImageID."""

    seed: int = _SELECTION.seed
    """Random seed for `--shuffle`, `--sample`, and `--split` of exports and packs; the same seed, the same result."""

    where: str | None = _SELECTION.where
    """Only images for which this SQL expression is true, like `width > 1024`; see `oidl help choosing`."""

    license: Annotated[tuple[LicenseFilter, ...], _LICENSES] = ()
    """Only images whose licence check says one of these, like `same,unchecked` or `free`. `all`: any."""

    def settings(self, limit: int | None = None) -> Selection:
        """Which images, and how many of them. Raises `UsageError` for options that exclude each other."""
        if self.include_subclasses and not self.classes:
            raise UsageError("--include-subclasses requires --classes", hint="add --classes Animal, for example")
        if self.where is not None and not self.where.strip():
            raise UsageError("--where is empty", hint='write an SQL expression like "width > 1024", or leave it out')
        attributes = tuple(map(_attribute, self.attributes))
        about_boxes = bool(attributes) or self.min_box_area is not None
        types = self.label_types
        if not types and (self.classes or about_boxes or self.verified_only or self.limit_per_class is not None):
            types = (LabelType.LABELS,) if self.verified_only and not about_boxes else (LabelType.BOXES,)
        for option, is_given, label_type in (
            ("--attributes", bool(attributes), LabelType.BOXES),
            ("--min-box-area", self.min_box_area is not None, LabelType.BOXES),
            ("--verified-only", self.verified_only, LabelType.LABELS),
        ):
            if is_given and label_type not in types:
                raise UsageError(
                    f"{option} applies only to {label_type}, which --label-types leaves out",
                    hint=f"add {label_type} to --label-types, or leave out {option}",
                )
        return filled(Selection, self, subsets=self.subset, limit=limit, label_types=types, attributes=attributes)


def _attribute(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    column = _ATTRIBUTES.get(name.strip().replace("_", "").lower())
    if not column or value.strip() not in ("0", "1", "-1"):
        raise UsageError(
            f"--attributes: {text!r} is not an attribute of boxes",
            hint="write it like IsGroupOf=0; the others are IsOccluded, "
            "IsTruncated, IsDepiction and IsInside; 1 is yes, 0 no, -1 unknown",
        )
    return column, int(value)
