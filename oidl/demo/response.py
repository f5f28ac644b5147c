"""The correct response to a request, before a fault breaks it: status, headers, bytes. Pure.

Ranges follow RFC 9110, section 14: one range, `If-Range` with the ETag, 416 for a
range that begins beyond the end. Bodies are sent in pieces and never read as a
whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from oidl.demo.site import CannedResponse, ServerFault

_PIECE_BYTES = 256 * 1024
_RANGE = re.compile(rb"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request; header names are in lower case, the path is without its query."""

    method: bytes
    path: str
    headers: dict[bytes, bytes]
    is_kept_alive: bool


@dataclass(frozen=True, slots=True)
class Response:
    """A response that promises `length` bytes and sends those of `body` from `start` to `stop`."""

    status: int
    headers: dict[str, str]
    body: bytes | Path
    length: int
    start: int
    stop: int

    def cut(self, sent_bytes: int) -> "Response":
        """The same promise, but only `sent_bytes` are sent."""
        return replace(self, stop=min(self.stop, self.start + max(0, sent_bytes)))

    def pieces(self, piece_bytes: int = _PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """The bytes to send, in order, `piece_bytes` at a time."""
        if isinstance(self.body, Path):
            with self.body.open("rb") as file:
                file.seek(self.start)
                for at in range(self.start, self.stop, piece_bytes):
                    yield file.read(min(piece_bytes, self.stop - at))
            return
        view = memoryview(self.body)
        for at in range(self.start, self.stop, piece_bytes):
            yield view[at : min(at + piece_bytes, self.stop)]


def respond(request: Request, answer: CannedResponse, body: bytes | Path) -> Response:
    """The response to `request` that `answer` describes, with this `body`."""
    size_bytes = body.stat().st_size if isinstance(body, Path) else len(body)
    headers = {"Content-Type": answer.content_type, **answer.headers}
    status, start, stop = answer.status, 0, size_bytes
    if status == 200 and (answer.behaviour is ServerFault.NORMAL or answer.resumable):
        headers = {"ETag": _etag(body), "Accept-Ranges": "bytes", **headers}
        span = _range(request, headers["ETag"], size_bytes)
        if span is not None and span[0] >= size_bytes:
            headers["Content-Range"] = f"bytes */{size_bytes}"
            status, stop = 416, 0
        elif span is not None:
            start, stop = span
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size_bytes}"
            status = 206
    response = Response(status, headers, body, stop - start, start, stop)
    return response.cut(0) if request.method == b"HEAD" else response


def _range(request: Request, etag: str, size_bytes: int) -> tuple[int, int] | None:
    """The first requested byte and the one after the last; None if the request is for all."""
    if request.headers.get(b"if-range", etag.encode()) != etag.encode():
        return None
    match = _RANGE.fullmatch(request.headers.get(b"range", b""))
    if match is None or match[1] == match[2] == b"":
        return None
    if not match[1]:  # a number of bytes from the end
        return max(0, size_bytes - int(match[2])), size_bytes
    last = int(match[2]) if match[2] else size_bytes - 1
    return int(match[1]), min(last + 1, size_bytes)


def _etag(body: bytes | Path) -> str:
    if isinstance(body, Path):
        stat = body.stat()
        return f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    return f'"{hash(body) & 0xFFFFFFFFFFFFFFFF:x}"'  # bytes cache their hash, so this is free from the second time on
