"""What becomes of published photos: how often, how the server shows it, and how a run has to end for them.

One table, in about the shares that Flickr has them: of six photos one is gone
or changed, and some come only at the second try. Whoever runs on a demo can
tell from here what must come out, image by image.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from oidl.demo.site import TOO_MANY, CannedResponse, ServerFault, redirect, status_answer
from oidl.imaging.photo import photo
from oidl.model import Reason, Status

UNAVAILABLE_PATH = "/pw/images/en-us/photo_unavailable.png"
"""Where Flickr sends whoever asks for a photo that its owner has deleted or hidden."""

_SLOW_S = 1.5


@dataclass(frozen=True, slots=True)
class Published:
    """A photo as it was listed: under which URL path, and the file that has its bytes."""

    path: str
    file: Path
    bytes: int
    seed: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of `FATES`.

    `share` is of all images. `kept` is the part of the photo that was published
    at all. A fate that `covers_thumbnail` is the 300K thumbnail's too; other
    thumbnails are fine.
    """

    name: str
    share: float
    status: Status
    reason: Reason | None
    answer: Callable[[Published], CannedResponse]
    kept: float = 1.0
    covers_thumbnail: bool = False


def _fine(published: Published) -> CannedResponse:
    return CannedResponse(published.file)


def _always(answer: CannedResponse) -> Callable[[Published], CannedResponse]:
    return lambda published: answer


def _first(*answers: CannedResponse) -> Callable[[Published], CannedResponse]:
    return lambda published: CannedResponse(published.file, first=answers)


def _first_it(behaviour: ServerFault) -> Callable[[Published], CannedResponse]:
    return lambda published: CannedResponse(
        published.file, first=(CannedResponse(published.file, behaviour=behaviour),)
    )


def _rest_later(behaviour: ServerFault) -> Callable[[Published], CannedResponse]:
    """Breaks off at first, and has the rest for whoever asks for it."""
    return lambda published: CannedResponse(
        published.file, first=(CannedResponse(published.file, behaviour=behaviour, resumable=True),)
    )


def _as(behaviour: ServerFault) -> Callable[[Published], CannedResponse]:
    return lambda published: CannedResponse(published.file, behaviour=behaviour)


def _moved(published: Published) -> CannedResponse:
    return CannedResponse(published.file, first=(redirect(f"{published.path}?moved"),))


def _slow(published: Published) -> CannedResponse:
    return CannedResponse(published.file, behaviour=ServerFault.SLOW, bytes_per_s=published.bytes / _SLOW_S)


def _edited(published: Published) -> CannedResponse:
    return CannedResponse(partial(_damaged, published.file))


def _replaced(published: Published) -> CannedResponse:
    return CannedResponse(partial(photo, published.seed, 320, 240, quality=60))


def _damaged(file: Path) -> bytes:
    """The photo with some bytes turned in the middle: as long as before, and it still decodes."""
    body = bytearray(file.read_bytes())
    middle = len(body) // 2
    body[middle : middle + 16] = bytes(byte ^ 0x15 for byte in body[middle : middle + 16])
    return bytes(body)


def _png(width: int, height: int) -> bytes:
    """A plain grey PNG, as placeholders are."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = (b"\0" + b"\xc8" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PLACEHOLDER = CannedResponse(_png(500, 374), content_type="image/png")

_PAGE = CannedResponse(
    b"<!DOCTYPE html><html><body>This photo is no longer here.</body></html>", content_type="text/html"
)
_BUSY = CannedResponse(TOO_MANY, 429, "text/html", {"Retry-After": "1"})
_BROKEN = status_answer(500)

FINE = Scenario("fine", 1.0, Status.DONE, None, _fine)

FATES: tuple[Scenario, ...] = (
    FINE,  # whatever the others leave of 1
    # Gone or changed for good.
    Scenario(
        "unavailable",
        0.06,
        Status.FAILED,
        Reason.UNAVAILABLE,
        _always(redirect(UNAVAILABLE_PATH)),
        covers_thumbnail=True,
    ),
    Scenario("not found", 0.03, Status.FAILED, Reason.NOT_FOUND, _always(status_answer(404)), covers_thumbnail=True),
    Scenario("gone", 0.013, Status.FAILED, Reason.GONE, _always(status_answer(410)), covers_thumbnail=True),
    Scenario("forbidden", 0.007, Status.FAILED, Reason.FORBIDDEN, _always(status_answer(403)), covers_thumbnail=True),
    Scenario("edited", 0.01, Status.FAILED, Reason.MD5_MISMATCH, _edited),
    Scenario("replaced", 0.013, Status.FAILED, Reason.SIZE_MISMATCH, _replaced),
    Scenario("page", 0.01, Status.FAILED, Reason.NOT_AN_IMAGE, _always(_PAGE)),
    Scenario("placeholder", 0.01, Status.FAILED, Reason.NOT_AN_IMAGE, _always(PLACEHOLDER)),
    Scenario("published cut short", 0.007, Status.FAILED, Reason.CORRUPT, _fine, kept=0.6),
    Scenario("endless", 0.003, Status.FAILED, Reason.TOO_LARGE, _as(ServerFault.ENDLESS)),
    # There, with some patience.
    Scenario("moved", 0.01, Status.DONE, None, _moved),
    Scenario("no length", 0.007, Status.DONE, None, _as(ServerFault.CHUNKED)),
    Scenario("slow", 0.007, Status.DONE, None, _slow),
    Scenario("cut once", 0.007, Status.DONE, None, _first_it(ServerFault.CUT)),
    Scenario("cut and continued", 0.007, Status.DONE, None, _rest_later(ServerFault.CUT)),
    Scenario("reset once", 0.007, Status.DONE, None, _first_it(ServerFault.RESET)),
    Scenario("garbage once", 0.003, Status.DONE, None, _first_it(ServerFault.GARBAGE)),
    Scenario("broken twice", 0.007, Status.DONE, None, _first(_BROKEN, _BROKEN)),
    Scenario("busy once", 0.007, Status.DONE, None, _first(_BUSY)),
)

HOSTILE: tuple[Scenario, ...] = (
    FINE,
    Scenario("drip once", 0.02, Status.DONE, None, _first_it(ServerFault.DRIP)),
    Scenario("stall once", 0.02, Status.DONE, None, _first_it(ServerFault.STALL)),
    Scenario("stall for good", 0.02, Status.RETRY, Reason.TIMEOUT, _as(ServerFault.STALL)),
    Scenario("cut once", 0.02, Status.DONE, None, _first_it(ServerFault.CUT)),
    Scenario("cut and continued", 0.02, Status.DONE, None, _rest_later(ServerFault.CUT)),
    Scenario("reset once", 0.02, Status.DONE, None, _first_it(ServerFault.RESET)),
    Scenario("garbage once", 0.02, Status.DONE, None, _first_it(ServerFault.GARBAGE)),
    Scenario("broken twice", 0.02, Status.DONE, None, _first(_BROKEN, _BROKEN)),
    Scenario("busy once", 0.02, Status.DONE, None, _first(_BUSY)),
    Scenario("endless", 0.02, Status.FAILED, Reason.TOO_LARGE, _as(ServerFault.ENDLESS)),
)
"""Every way a server can be bad at one in five photos, as it is in nobody's real life."""


def deal(images: int, fates: tuple[Scenario, ...] = FATES) -> list[Scenario]:
    """A fate for each of `images`, at least one of each kind as far as they go round; the first kind fills up."""
    rest = [fate for fate in fates[1:] for _ in range(max(1, round(fate.share * images)))]
    return ([fates[0]] * (images - len(rest)) + rest)[:images]
