"""Makes renditions: upright, sRGB, without metadata, in the size and format asked for."""

from dataclasses import dataclass

from oidl.imaging.formats import suffix_format
from oidl.imaging.geometry import geometry
from oidl.imaging.inspect import STRICT, Picture, missing_part
from oidl.imaging.vips import pyvips
from oidl.model import Failure, Reason, Rendition, ResizeMode

_QUALITY_FORMATS = frozenset({"jpg", "jpeg", "webp", "avif", "heic", "heif", "jxl", "jp2", "tif", "tiff"})
_OPAQUE_FORMATS = frozenset({"jpg", "jpeg"})
_WHITE = [255, 255, 255]


@dataclass(frozen=True, slots=True)
class Rendered:
    """The bytes of one output file, and its size in pixels."""

    body: bytes
    width: int
    height: int


def render(picture: Picture, rendition: Rendition) -> Rendered | Failure:
    """`rendition` of `picture`; a `Failure` if the picture is not whole or cannot be rendered.

    All of the picture is decoded, also what a crop then drops, so nothing that
    is cut short passes. A picture that `ShrinkToFit` would leave as it is keeps
    its very bytes.
    """
    if rendition.mode is None:
        width, height = picture.width, picture.height
        return missing_part(picture) or Rendered(picture.body, width, height)
    assert rendition.box_size is not None
    if _fits_as_it_is(picture, rendition, rendition.box_size):
        return missing_part(picture) or Rendered(picture.body, picture.width, picture.height)
    goal = geometry(rendition.mode, *picture.upright_size, rendition.box_size)
    try:
        image = pyvips.Image.thumbnail_buffer(
            picture.body,
            goal.width,
            height=goal.height,
            size="force",
            option_string=STRICT,
            # Only where colours would shift without it: it costs 6–8 ms.
            **({} if picture.is_srgb else {"output_profile": "srgb"}),
        )
        if (goal.crop_width, goal.crop_height) != (goal.width, goal.height):
            # Into memory first: a crop would leave the rows below it unread, and damage there unseen.
            image = image.copy_memory().crop(goal.left, goal.top, goal.crop_width, goal.crop_height)
        if picture.has_alpha and rendition.format in _OPAQUE_FORMATS:
            image = image.flatten(background=_WHITE)
        quality = {} if rendition.quality is None else {"Q": rendition.quality}
        return Rendered(
            image.write_to_buffer(f".{rendition.format}", keep="none", **quality),
            goal.crop_width,
            goal.crop_height,
        )
    except pyvips.Error:
        return missing_part(picture) or Failure(Reason.RESIZE_FAILED, f"cannot be made into {rendition.format}")


def why_not_saved(rendition: Rendition) -> str | None:
    """Why libvips here cannot write such files (an unknown format, a quality that means nothing), or None."""
    if rendition.quality is not None and rendition.format not in _QUALITY_FORMATS:
        return f"{rendition.format} files have no quality to set"
    try:
        pyvips.Image.black(8, 8, bands=3).write_to_buffer(f".{rendition.format}")
    except pyvips.Error:
        return f"{rendition.format!r} is not a format that can be written here"
    return None


def _fits_as_it_is(picture: Picture, rendition: Rendition, box_size: int) -> bool:
    return (
        rendition.mode is ResizeMode.SHRINK_TO_FIT
        and rendition.quality is None
        and suffix_format(f".{rendition.format}") == picture.format
        and picture.orientation == 1
        and picture.is_srgb
        and max(picture.width, picture.height) <= box_size
    )
