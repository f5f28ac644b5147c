"""What a picture is, from its header, and whether all of it is there, by decoding it.

libvips' error text comes from one buffer for the whole process and may be
another image's when threads work side by side; so failures are judged by the
exception alone and described in our own words.
"""

from dataclasses import dataclass

from oidl.imaging import turbo
from oidl.imaging.formats import sniff
from oidl.imaging.segments import read_header
from oidl.imaging.vips import pyvips
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
    decodes it to just its colours: 8 bits, grey or three bands.
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
    is_plain_jpeg: bool
    has_alpha: bool


def inspect(body: bytes, max_pixels: int = MAX_PIXELS) -> Picture | Failure:
    """The picture in `body`, as far as its header tells; nothing is decoded."""
    name = sniff(body)
    if name is None:
        return Failure(Reason.NOT_AN_IMAGE, f"starts with {bytes(body[:12])!r}")
    picture = _jpeg(body) if name == "jpeg" else _other(body, name)
    if picture is None:
        return Failure(Reason.CORRUPT, f"its {name} header cannot be read")
    if picture.width * picture.height > max_pixels:
        return Failure(Reason.TOO_LARGE, f"{picture.width} × {picture.height} pixels, at most {max_pixels} are decoded")
    return picture


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
    except (turbo.DamagedError, pyvips.Error):
        return Failure(Reason.CORRUPT, f"its {picture.format} data ends early or is damaged")
    return None


def strictness(validation: Validation) -> str:
    """What libvips' loaders are told, as an option string: libvips/libvips#5195, `fail_on=` alone may be ignored."""
    return f"fail_on={_STRICTNESS[validation]}"


def _decode(picture: Picture, validation: Validation, more: str = "") -> None:
    pyvips.Image.new_from_buffer(picture.body, f"[{strictness(validation)}{more}]", access="sequential").avg()


def _jpeg(body: bytes) -> Picture | None:
    header = read_header(body)
    if header is None:
        return None
    profile = _foreign(header.profile)
    return Picture(
        body=body,
        format="jpeg",
        width=header.width,
        height=header.height,
        bands=header.bands,
        orientation=header.orientation,
        profile=profile,
        is_srgb=profile is None and header.bands in (1, 3),
        is_cmyk=header.bands == 4,
        is_plain_jpeg=header.bits == 8 and header.bands in (1, 3),
        has_alpha=False,
    )


def _other(body: bytes, name: str) -> Picture | None:
    try:
        header = pyvips.Image.new_from_buffer(body, "", access="sequential")
    except pyvips.Error:
        return None
    fields = set(header.get_fields())
    orientation = header.get("orientation") if "orientation" in fields else 1
    profile = _foreign(header.get("icc-profile-data") if "icc-profile-data" in fields else None)
    return Picture(
        body=body,
        format=name,
        width=header.width,
        height=header.height,
        bands=header.bands,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        profile=profile,
        is_srgb=profile is None and header.interpretation in ("srgb", "b-w"),
        is_cmyk=header.interpretation == "cmyk",
        is_plain_jpeg=False,
        has_alpha=bool(header.hasalpha()),
    )


def _foreign(profile: bytes | None) -> bytes | None:
    return None if profile is None or _SRGB_PROFILE in profile else profile
