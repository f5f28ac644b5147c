"""The images that a command is about, as the user chooses them."""

from dataclasses import dataclass
from pathlib import Path

from oidl.model.catalogue import LabelType
from oidl.model.licenses import LicenseFilter


@dataclass(frozen=True, slots=True)
class Selection:
    """Which images to download: `subsets` (empty is all), ImageIDs from a file, and at most `limit` images.

    With `label_types`, an image must have an annotation of one of these types that is of one of `classes` (display or
    label names; empty is any) and satisfies the other conditions: `attributes` are columns of `box` with their required
    values, `min_box_area` is a share of the image. `where` is SQL over `image`; the licence check must match one of
    `license`. `limit_per_class` is how many images of each class to have. The order is that of the ImageIDs or, with
    `shuffle`, a random one determined by `seed`.
    """

    subsets: tuple[str, ...] = ()
    image_ids: Path | None = None
    limit: int | None = None
    classes: tuple[str, ...] = ()
    include_subclasses: bool = False
    label_types: tuple[LabelType, ...] = ()
    verified_only: bool = False
    attributes: tuple[tuple[str, int], ...] = ()
    min_box_area: float | None = None
    limit_per_class: int | None = None
    shuffle: bool = False
    seed: int = 0
    where: str | None = None
    license: tuple[LicenseFilter, ...] = ()

    @property
    def has_criteria(self) -> bool:
        """Whether it selects by more than subsets and a limit."""
        return bool(self.image_ids or self.label_types or self.license or self.shuffle or self.where is not None)

    @property
    def is_narrowed(self) -> bool:
        """Whether it selects some images of its subsets, not all of them."""
        return bool(self.image_ids or self.label_types or self.license or self.limit or self.where is not None)
