"""The size of a rendition, by the rules of ImageMagick's geometry arguments. Pure.

The older downloader called ImageMagick with `NxN>`, `NxN^` and a centred
extent, or `NxN!`; this is the same arithmetic, so the sizes are the same.
"""

from dataclasses import dataclass

from oidl.model import ResizeMode

BY_ROTATION = {0: 1, 90: 8, 180: 3, 270: 6}
"""From degrees counter-clockwise, as Open Images publishes them, to the EXIF orientations of the same turn."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Scale to `width` × `height` pixels, then crop or pad to `out_width` × `out_height` around the centre."""

    width: int
    height: int
    out_width: int
    out_height: int

    @property
    def left(self) -> int:
        """Pixels cropped off on the left; negative for a border."""
        return (self.width - self.out_width) // 2

    @property
    def top(self) -> int:
        """Pixels cropped off at the top; negative for a border."""
        return (self.height - self.out_height) // 2

    @property
    def is_scaled_only(self) -> bool:
        """Whether nothing is cropped off or added."""
        return (self.width, self.height) == (self.out_width, self.out_height)


def geometry(mode: ResizeMode, width: int, height: int, box_size: int) -> Geometry:
    """How an upright picture of `width` × `height` is resized for a box of `box_size` pixels.

    `ShrinkToFit` keeps the aspect ratio and never enlarges; `FillCrop` covers the
    box and crops to the centre; `FillDistort` stretches to the box. `Border` fits
    into the box and pads; `KeepRatio` makes the shorter side as long as the box.
    These two enlarge if necessary, like img2dataset's modes of these names.
    """
    fit, cover = sorted((box_size / width, box_size / height))
    match mode:
        case ResizeMode.SHRINK_TO_FIT:
            return _scaled_only(_scaled(width, min(1.0, fit)), _scaled(height, min(1.0, fit)))
        case ResizeMode.FILL_CROP:
            new_width, new_height = _scaled(width, cover), _scaled(height, cover)
            return Geometry(max(box_size, new_width), max(box_size, new_height), box_size, box_size)
        case ResizeMode.FILL_DISTORT:
            return _scaled_only(box_size, box_size)
        case ResizeMode.BORDER:
            return Geometry(_scaled(width, fit), _scaled(height, fit), box_size, box_size)
        case ResizeMode.KEEP_RATIO:
            return _scaled_only(_scaled(width, cover), _scaled(height, cover))


def _scaled_only(width: int, height: int) -> Geometry:
    return Geometry(width, height, width, height)


def _scaled(length: int, scale: float) -> int:
    return max(1, int(length * scale + 0.5))
