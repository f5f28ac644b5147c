"""What can happen to a published photo: how often, what the server answers, and what a run must record.

One table, with about the shares of Flickr: one in six photos is gone or changed,
and some arrive only at the second try. It gives the expected outcome of a run on a
demo, image by image.
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
"""Where Flickr redirects requests for a photo that its owner has deleted or hidden."""

_SLOW_S = 1.5


@dataclass(frozen=True, slots=True)
class PublishedPhoto:
    """A photo as it was listed: the path of its URL, and the file with its bytes."""

    path: str
    file: Path
    bytes: int
    seed: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of `REALISTIC` or `HOSTILE`.

    `share` is the fraction of all images. `published_share` is the part of the photo
    that was published at all. A scenario that `covers_thumbnail` also applies to the
    300K thumbnail; other thumbnails are fine.
    """

    name: str
    share: float
    status: Status
    reason: Reason | None
    answer: Callable[[PublishedPhoto], CannedResponse]
    published_share: float = 1.0
    covers_thumbnail: bool = False


def _fine(published: PublishedPhoto) -> CannedResponse:
    return CannedResponse(published.file)


def _always(answer: CannedResponse) -> Callable[[PublishedPhoto], CannedResponse]:
    return lambda published: answer


def _first(*answers: CannedResponse) -> Callable[[PublishedPhoto], CannedResponse]:
    return lambda published: CannedResponse(published.file, first=answers)


def _first_attempt(behaviour: ServerFault) -> Callable[[PublishedPhoto], CannedResponse]:
    return lambda published: CannedResponse(
        published.file, first=(CannedResponse(published.file, behaviour=behaviour),)
    )


def _rest_later(behaviour: ServerFault) -> Callable[[PublishedPhoto], CannedResponse]:
    """Breaks off at first, then sends the rest to clients that request it."""
    return lambda published: CannedResponse(
        published.file, first=(CannedResponse(published.file, behaviour=behaviour, resumable=True),)
    )


def _as(behaviour: ServerFault) -> Callable[[PublishedPhoto], CannedResponse]:
    return lambda published: CannedResponse(published.file, behaviour=behaviour)


def _moved(published: PublishedPhoto) -> CannedResponse:
    return CannedResponse(published.file, first=(redirect(f"{published.path}?moved"),))


def _slow(published: PublishedPhoto) -> CannedResponse:
    return CannedResponse(published.file, behaviour=ServerFault.SLOW, bytes_per_s=published.bytes / _SLOW_S)


def _edited(published: PublishedPhoto) -> CannedResponse:
    return CannedResponse(partial(_damaged, published.file))


def _replaced(published: PublishedPhoto) -> CannedResponse:
    return CannedResponse(partial(photo, published.seed, 320, 240, quality=60))


def _damaged(file: Path) -> bytes:
    """The photo with some changed bytes in the middle: as long as before, and it still decodes."""
    body = bytearray(file.read_bytes())
    middle = len(body) // 2
    body[middle : middle + 16] = bytes(byte ^ 0x15 for byte in body[middle : middle + 16])
    return bytes(body)


def _png(width: int, height: int) -> bytes:
    """A plain grey PNG, like a placeholder."""

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

REALISTIC: tuple[Scenario, ...] = (
    FINE,  # all images that the others leave
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
    Scenario("published cut short", 0.007, Status.FAILED, Reason.CORRUPT, _fine, published_share=0.6),
    Scenario("endless", 0.003, Status.FAILED, Reason.TOO_LARGE, _as(ServerFault.ENDLESS)),
    # Available, with some patience.
    Scenario("moved", 0.01, Status.DONE, None, _moved),
    Scenario("no length", 0.007, Status.DONE, None, _as(ServerFault.CHUNKED)),
    Scenario("slow", 0.007, Status.DONE, None, _slow),
    Scenario("cut once", 0.007, Status.DONE, None, _first_attempt(ServerFault.CUT)),
    Scenario("cut and continued", 0.007, Status.DONE, None, _rest_later(ServerFault.CUT)),
    Scenario("reset once", 0.007, Status.DONE, None, _first_attempt(ServerFault.RESET)),
    Scenario("garbage once", 0.003, Status.DONE, None, _first_attempt(ServerFault.GARBAGE)),
    Scenario("broken twice", 0.007, Status.DONE, None, _first(_BROKEN, _BROKEN)),
    Scenario("busy once", 0.007, Status.DONE, None, _first(_BUSY)),
)

HOSTILE: tuple[Scenario, ...] = (
    FINE,
    Scenario("drip once", 0.02, Status.DONE, None, _first_attempt(ServerFault.DRIP)),
    Scenario("stall once", 0.02, Status.DONE, None, _first_attempt(ServerFault.STALL)),
    Scenario("stall for good", 0.02, Status.RETRY, Reason.TIMEOUT, _as(ServerFault.STALL)),
    Scenario("cut once", 0.02, Status.DONE, None, _first_attempt(ServerFault.CUT)),
    Scenario("cut and continued", 0.02, Status.DONE, None, _rest_later(ServerFault.CUT)),
    Scenario("reset once", 0.02, Status.DONE, None, _first_attempt(ServerFault.RESET)),
    Scenario("garbage once", 0.02, Status.DONE, None, _first_attempt(ServerFault.GARBAGE)),
    Scenario("broken twice", 0.02, Status.DONE, None, _first(_BROKEN, _BROKEN)),
    Scenario("busy once", 0.02, Status.DONE, None, _first(_BUSY)),
    Scenario("endless", 0.02, Status.FAILED, Reason.TOO_LARGE, _as(ServerFault.ENDLESS)),
)
"""Every way in which a server can misbehave, at one in five photos: worse than any real server."""


def assign(images: int, scenarios: tuple[Scenario, ...] = REALISTIC) -> list[Scenario]:
    """A scenario for each of `images`; each kind occurs if there are enough images, and the first fills the rest."""
    rest = [each for each in scenarios[1:] for _ in range(max(1, round(each.share * images)))]
    return ([scenarios[0]] * (images - len(rest)) + rest)[:images]
