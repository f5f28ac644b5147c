"""Conversion of saved originals to a format that more programs read: CMYK and PNG to upright full-size sRGB JPEGs."""

from oidl.imaging import turbo
from oidl.imaging.encode import LONGEST_SIDE, encode
from oidl.imaging.inspect import Picture, strictness
from oidl.imaging.orientation import upright
from oidl.imaging.rendition import Rendered
from oidl.imaging.samples import standardised
from oidl.imaging.vips import VIPS_ERRORS, pyvips
from oidl.model import Failure, Reason, Validation

_QUALITY = 95


def converted(picture: Picture, background: str, validation: Validation) -> Rendered | Failure:
    """All of `picture` as an sRGB JPEG; transparent pixels are blended with `background` (six hex digits)."""
    if max(picture.width, picture.height) > LONGEST_SIDE:
        return Failure(
            Reason.RESIZE_FAILED,
            f"{picture.width} × {picture.height} pixels, but a jpg has at most {LONGEST_SIDE} along a side",
        )
    try:
        image = pyvips.Image.new_from_buffer(picture.body, f"[{strictness(validation)}]")
        image = standardised(image)
        if not picture.is_srgb:
            image = image.icc_transform("srgb", embedded=True)
        if image.format != "uchar":
            image = image.colourspace("b-w" if image.bands < 3 else "srgb")
        if image.hasalpha():
            under = list(bytes.fromhex(background))
            image = image.flatten(background=under if image.bands > 3 else [sum(under) / 3])
        image = upright(image, picture.orientation).copy_memory()
        width, height = image.width, image.height
        body = encode(image, (0, 0, width, height), "jpg", _QUALITY)
    except (turbo.NotEncodedError, *VIPS_ERRORS):
        return Failure(Reason.RESIZE_FAILED, f"its {picture.format} cannot be converted")
    return Rendered(body, width, height, picture.orientation, width, height)
