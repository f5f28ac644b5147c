"""How large a rendition comes out, by the rules of ImageMagick's geometry arguments. Pure.

The older downloader called ImageMagick with `NxN>`, `NxN^` and a centred
extent, or `NxN!`; these are the same sums, so the sizes are the same.
"""

from dataclasses import dataclass

from oidl.model import ResizeMode


@dataclass(frozen=True, slots=True)
class Geometry:
    """Scale to `width` × `height` pixels, then cut `crop_width` × `crop_height` out of the middle."""

    width: int
    height: int
    crop_width: int
    crop_height: int

    @property
    def left(self) -> int:
        """Pixels cut off on the left."""
        return (self.width - self.crop_width) // 2

    @property
    def top(self) -> int:
        """Pixels cut off at the top."""
        return (self.height - self.crop_height) // 2


def geometry(mode: ResizeMode, width: int, height: int, box_size: int) -> Geometry:
    """How a picture that is `width` × `height` when upright comes into a box of `box_size` pixels.

    `ShrinkToFit` never enlarges and keeps the aspect; `FillCrop` covers the box
    and keeps its middle; `FillDistort` is the box.
    """
    match mode:
        case ResizeMode.SHRINK_TO_FIT:
            scale = min(1.0, box_size / width, box_size / height)
            new_width, new_height = _scaled(width, scale), _scaled(height, scale)
            return Geometry(new_width, new_height, new_width, new_height)
        case ResizeMode.FILL_CROP:
            scale = max(box_size / width, box_size / height)
            return Geometry(
                max(box_size, _scaled(width, scale)), max(box_size, _scaled(height, scale)), box_size, box_size
            )
        case ResizeMode.FILL_DISTORT:
            return Geometry(box_size, box_size, box_size, box_size)


def _scaled(length: int, scale: float) -> int:
    return max(1, int(length * scale + 0.5))
