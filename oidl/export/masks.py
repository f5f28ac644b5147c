"""The masks of an export: the box that each belongs to, and its pixels in the file.

The published lists of boxes do not mention masks; a mask has the sides of the box it was drawn from, which "can be used
to relate the mask data with the boxes data". The two lists are rounded differently, so the sides may differ.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from oidl.dataset.mask_archives import MaskArchives
from oidl.errors import UsageError
from oidl.hints import command
from oidl.imaging.boxes import Transform
from oidl.imaging.masks import MAX_MASK_PIXELS, Mask, read_mask, transform_mask
from oidl.model import Failure
from oidl.state.annotation_rows import Segmentation, has_segmentations
from oidl.state.connection import StateConnection
from oidl.state.file_annotations import Box
from oidl.state.selection import SelectedImages

_SAME_SIDE = 0.001  # of the width or height: a pixel of the image that annotators saw
_DIGITS = "0123456789abcdef"


def pair(boxes: Sequence[Box], masks: Sequence[Segmentation]) -> tuple[dict[int, Segmentation], list[Segmentation]]:
    """The mask of each box of one image, by the index of the box; and the masks that belong to no box.

    A mask belongs to the box of its class with the nearest sides, at most a thousandth away.
    """
    near = sorted(
        (distance, mask_at, box_at)
        for mask_at, mask in enumerate(masks)
        for box_at, box in enumerate(boxes)
        if box.label_name == mask.label_name and (distance := _distance(box, mask)) <= _SAME_SIDE
    )
    box_of: dict[int, int] = {}
    has_mask: set[int] = set()
    for _, mask_at, box_at in near:
        if mask_at not in box_of and box_at not in has_mask:
            box_of[mask_at] = box_at
            has_mask.add(box_at)
    of_box = {box_at: masks[mask_at] for mask_at, box_at in box_of.items()}
    return of_box, [mask for mask_at, mask in enumerate(masks) if mask_at not in box_of]


def _distance(box: Box, mask: Segmentation) -> float:
    return max(
        abs(box.x_min - mask.box_x_min),
        abs(box.x_max - mask.box_x_max),
        abs(box.y_min - mask.box_y_min),
        abs(box.y_max - mask.box_y_max),
    )


def box_of(mask: Segmentation) -> Box:
    """The box that a mask was drawn from; its other fields are unknown."""
    sides = mask.box_x_min, mask.box_x_max, mask.box_y_min, mask.box_y_max
    return Box(mask.image_id, mask.label_name, "", 1.0, *sides, None, None, None, None, None)


class MaskReader:
    """Reads masks of up to `max_pixels` from the archives in the directories of the subsets."""

    def __init__(self, directories: Mapping[str, Path], max_pixels: int = MAX_MASK_PIXELS) -> None:
        self._directories = directories
        self._max_pixels = max_pixels
        self._archives = MaskArchives(directories)

    def require_archives(
        self,
        db: StateConnection,
        rendition: str,
        label_names: Collection[str] | None,
        selected: SelectedImages | None,
    ) -> None:
        """Raises `UsageError` if files of `rendition` have masks in an archive that is missing on the disk."""
        for subset, directory in self._directories.items():
            missing = [
                digit
                for digit in _DIGITS
                if not self._archives.has_archive(subset, digit)
                and has_segmentations(db, rendition, subset, digit, label_names, selected)
            ]
            if missing:
                raise UsageError(
                    f"the mask archives of {subset} are not in {directory} "
                    f"(for ImageIDs that begin with {', '.join(missing)})",
                    hint=f"run {command('run', '--annotations segmentations --annotations masks')} to fetch them",
                )

    def read(self, subset: str, segmentation: Segmentation, transform: Transform) -> Mask | Failure | None:
        """The mask, moved to a file; None if no pixel of it is left there.

        Raises `MetadataError` for an archive that cannot be read.
        """
        body = self._archives.read(subset, segmentation.image_id, segmentation.mask_path)
        if isinstance(body, Failure):
            return body
        pixels = read_mask(body, self._max_pixels)
        return pixels if isinstance(pixels, Failure) else transform_mask(pixels, transform)

    def close(self) -> None:
        """Closes the archives."""
        self._archives.close()
