"""What a picture is, from its header, and whether all of it is there, by decoding it.

libvips' error text comes from one buffer for the whole process and may be
another image's when threads work side by side; so failures are judged by the
exception alone and described in our own words.
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
"""The largest picture that is decoded: a 1.4 kB JPEG can claim 64,250 × 64,250 and cost 20 GB."""

_SRGB_PROFILE = b"sRGB IEC61966-2.1"  # its name in the profile; converting from it would change nothing
_STRICTNESS = {Validation.OFF: "none", Validation.DECODE: "error", Validation.STRICT: "warning"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A body and what its header says.

    `width` and `height` are pixels as stored, before the EXIF `orientation`
    (1–8) is applied; `bands` count alpha. `profile` is the ICC profile where it
    is another than sRGB. `is_srgb` says that no colour needs conversion, `is_plain_jpeg` that libjpeg-turbo
    decodes it to just its colours: 8 bits, grey or three bands; `is_standard` that libvips'
    thumbnails are right about its bands and samples.
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
    """The picture in `body`, as far as its header tells; nothing is decoded."""
    name = sniff(body)
    if name is None:
        return Failure(Reason.NOT_AN_IMAGE, f"starts with {bytes(body[:12])!r}")
    if too_much := excess(body, name):
        return Failure(Reason.TOO_LARGE, f"its {name} has {too_much}")
    picture = _jpeg(body, max_pixels) if name == "jpeg" else _other(body, name, max_pixels)
    return picture or Failure(Reason.CORRUPT, f"its {name} header cannot be read")


def missing_part(picture: Picture, validation: Validation = Validation.DECODE) -> Failure | None:
    """Decodes all of `picture`; the failure if a part of it is missing or damaged beyond reading."""
    try:
        if picture.format == "jpeg":
            try:
                turbo.check(picture.body, picture.bands, validation)
            except turbo.UnsupportedError:
                _decode(picture, validation, ",shrink=8")  # it still reads all of the data, at a fraction of the cost
        else:
            _decode(picture, validation)
    except (turbo.DamagedError, *VIPS_ERRORS):
        return Failure(Reason.CORRUPT, f"its {picture.format} data ends early or is damaged")
    return None


def strictness(validation: Validation) -> str:
    """What libvips' loaders are told, as an option string: libvips/libvips#5195, `fail_on=` alone may be ignored."""
    return f"fail_on={_STRICTNESS[validation]}"


def _decode(picture: Picture, validation: Validation, more: str = "") -> None:
    image = pyvips.Image.new_from_buffer(picture.body, f"[{strictness(validation)}{more}]", access="sequential")
    image.cast("uchar").avg()  # whatever reads all pixels; of numbers that are none there is no mean


def _jpeg(body: bytes, max_pixels: int) -> Picture | Failure | None:
    header = read_header(body)
    if header is None:
        return None
    if too_large := excess_pixels(header.width, header.height, max_pixels):
        return Failure(Reason.TOO_LARGE, too_large)
    if not header.is_readable:
        return Failure(Reason.CORRUPT, f"a jpeg of {header.bits} bits or a process that no usual decoder reads")
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
    # Asked one by one: the list of all names cannot be read where one of them, a key of a PNG's text, is not UTF-8.
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
