"""What a picture is, by its header, and whether it is complete, by decoding it.

libvips keeps its error text in one buffer for the whole process; with several
threads it may belong to another image. So failures are judged by the exception
alone and described in our own words.
"""

from dataclasses import dataclass

from oidl.imaging import turbo
from oidl.imaging.cost import excess, excess_bytes, excess_pixels, excess_scans
from oidl.imaging.exif import exif_orientation
from oidl.imaging.formats import sniff
from oidl.imaging.jpeg_header import read_header
from oidl.imaging.samples import SAMPLE_BYTES, colours, is_standard
from oidl.imaging.vips import VIPS_ERRORS, pyvips
from oidl.model import Failure, Reason, Validation

MAX_PIXELS = 200_000_000
"""The largest picture that is decoded: a 1.4 kB JPEG can claim 64,250 × 64,250 pixels and cost 20 GB."""

_SRGB_PROFILE = b"sRGB IEC61966-2.1"  # the name in the profile; a conversion from it would change nothing
_STRICTNESS = {Validation.OFF: "none", Validation.DECODE: "error", Validation.STRICT: "warning"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A body and the contents of its header.

    `width` and `height` are pixels as stored, before the EXIF `orientation`
    (1–8) is applied; `bands` includes alpha. `profile` is the ICC profile unless
    that is sRGB. `is_srgb`: the colours need no conversion. `is_plain_jpeg`:
    libjpeg-turbo decodes it directly (8 bits, grey or three bands).
    `is_standard`: libvips' thumbnails handle its bands and samples correctly.
    """

    body: bytes
    format: str
    width: int
    height: int
    bands: int
    orientation: int
    profile: bytes | None
    is_srgb: bool
    is_cmyk: bool
    is_grey: bool
    is_plain_jpeg: bool
    is_standard: bool


def inspect(body: bytes, max_pixels: int = MAX_PIXELS) -> Picture | Failure:
    """The picture in `body`, by its header alone; nothing is decoded."""
    name = sniff(body)
    if name is None:
        return Failure(Reason.NOT_AN_IMAGE, f"starts with {bytes(body[:12])!r}")
    if too_much := excess(body, name):
        return Failure(Reason.TOO_LARGE, f"its {name} has {too_much}")
    picture = _jpeg(body, max_pixels) if name == "jpeg" else _other(body, name, max_pixels)
    return picture or Failure(Reason.CORRUPT, f"its {name} header cannot be read")


def decode_check(picture: Picture, validation: Validation = Validation.DECODE) -> Failure | None:
    """Decodes all of `picture`; returns a `Failure` if a part is missing or unreadable."""
    try:
        if picture.format == "jpeg":
            try:
                turbo.check(picture.body, picture.bands, validation)
            except turbo.UnsupportedError:
                _decode(picture, validation, ",shrink=8")  # still reads all data, at a fraction of the cost
        else:
            _decode(picture, validation)
    except (turbo.DamagedError, *VIPS_ERRORS):
        return Failure(Reason.CORRUPT, f"its {picture.format} data ends early or is damaged")
    return None


def strictness(validation: Validation) -> str:
    """The option string for libvips' loaders: libvips/libvips#5195, `fail_on=` as an argument may be ignored."""
    return f"fail_on={_STRICTNESS[validation]}"


def _decode(picture: Picture, validation: Validation, more: str = "") -> None:
    image = pyvips.Image.new_from_buffer(picture.body, f"[{strictness(validation)}{more}]", access="sequential")
    image.cast("uchar").avg()  # any operation that reads all pixels; the cast, because NaNs have no mean


def _jpeg(body: bytes, max_pixels: int) -> Picture | Failure | None:
    header = read_header(body)
    if header is None:
        return None
    if too_large := excess_pixels(header.width, header.height, max_pixels):
        return Failure(Reason.TOO_LARGE, too_large)
    if not header.is_readable:
        return Failure(Reason.CORRUPT, f"a jpeg of {header.bits} bits, or of a kind that common decoders cannot read")
    pixels = header.width * header.height
    if header.is_multiscan and (too_many := excess_scans(body, pixels, max(max_pixels, MAX_PIXELS))):
        return Failure(Reason.TOO_LARGE, f"its jpeg has {too_many}")
    profile = _foreign(header.profile)
    return Picture(
        body=body,
        format="jpeg",
        width=header.width,
        height=header.height,
        bands=header.bands,
        orientation=exif_orientation(header.exif),
        profile=profile,
        is_srgb=profile is None and header.bands in (1, 3),
        is_cmyk=header.bands == 4,
        is_grey=header.bands < 3,
        is_plain_jpeg=header.bands in (1, 3),
        is_standard=True,
    )


def _other(body: bytes, name: str, max_pixels: int) -> Picture | Failure | None:
    try:
        header = pyvips.Image.new_from_buffer(body, "", access="sequential")
    except VIPS_ERRORS:
        return None
    width, height = header.width, header.height
    if too_large := excess_pixels(width, height, max_pixels):
        return Failure(Reason.TOO_LARGE, too_large)
    bytes_a_pixel = header.bands * SAMPLE_BYTES[header.format]
    if too_much := excess_bytes(width * height, bytes_a_pixel, max(max_pixels, MAX_PIXELS)):
        return Failure(Reason.TOO_LARGE, f"its {name} has {too_much}")
    # Field by field: the list of all names cannot be read if one of them, such as a PNG text key, is not UTF-8.
    orientation = header.get("orientation") if header.get_typeof("orientation") else 1
    profile = _foreign(header.get("icc-profile-data") if header.get_typeof("icc-profile-data") else None)
    return Picture(
        body=body,
        format=name,
        width=width,
        height=height,
        bands=header.bands,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        profile=profile,
        is_srgb=profile is None and header.interpretation in ("srgb", "b-w"),
        is_cmyk=header.interpretation == "cmyk",
        is_grey=colours(header) == 1,
        is_plain_jpeg=False,
        is_standard=is_standard(header),
    )


def _foreign(profile: bytes | None) -> bytes | None:
    return None if profile is None or _SRGB_PROFILE in profile else profile
