"""What a picture is, from its header, and whether all of it is there, by decoding it.

libvips' error text comes from one buffer for the whole process and may be
another image's when threads work side by side; so failures are judged by the
exception alone and described in our own words.
"""

from dataclasses import dataclass

from oidl.imaging.formats import sniff
from oidl.imaging.vips import pyvips
from oidl.model import Failure, Reason

MAX_PIXELS = 200_000_000
"""The largest picture that is decoded: a 1.4 kB JPEG can claim 64,250 × 64,250 and cost 20 GB."""

STRICT = "[fail_on=error]"  # as an option string: libvips/libvips#5195, `fail_on=` itself is ignored by thumbnail
_SRGB_PROFILE = b"sRGB IEC61966-2.1"  # its name in the profile; converting from it would change nothing


@dataclass(frozen=True, slots=True)
class Picture:
    """A body and what its header says.

    `width` and `height` are pixels as stored, before the EXIF `orientation` (1–8) is applied.
    """

    body: bytes
    format: str
    width: int
    height: int
    orientation: int
    is_srgb: bool
    has_alpha: bool

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height once the orientation is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def inspect(body: bytes) -> Picture | Failure:
    """The picture in `body`, as far as its header tells; nothing is decoded."""
    name = sniff(body)
    if name is None:
        return Failure(Reason.NOT_AN_IMAGE, f"starts with {bytes(body[:12])!r}")
    try:
        header = pyvips.Image.new_from_buffer(body, "", access="sequential")
    except pyvips.Error:
        return Failure(Reason.CORRUPT, f"its {name} header cannot be read")
    if header.width * header.height > MAX_PIXELS:
        return Failure(Reason.TOO_LARGE, f"{header.width} × {header.height} pixels, at most {MAX_PIXELS} are decoded")
    fields = set(header.get_fields())
    orientation = header.get("orientation") if "orientation" in fields else 1
    has_foreign_profile = "icc-profile-data" in fields and _SRGB_PROFILE not in header.get("icc-profile-data")
    return Picture(
        body=body,
        format=name,
        width=header.width,
        height=header.height,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        is_srgb=header.interpretation in ("srgb", "b-w") and not has_foreign_profile,
        has_alpha=bool(header.hasalpha()),
    )


def missing_part(picture: Picture) -> Failure | None:
    """Decodes all of `picture`; the failure if a part of it is missing or damaged beyond reading."""
    # A JPEG decoded at an eighth is still read to its last byte, at a fraction of the cost.
    options = "[fail_on=error,shrink=8]" if picture.format == "jpeg" else STRICT
    try:
        pyvips.Image.new_from_buffer(picture.body, options, access="sequential").avg()
    except pyvips.Error:
        return Failure(Reason.CORRUPT, f"its {picture.format} data ends early or is damaged")
    return None
