"""What is to be sent for a request, before anything is broken on the way: status, headers, which bytes. Pure.

Ranges are as RFC 9110, section 14: one range, `If-Range` against the ETag, 416
for one that begins beyond the end. Bodies are handed out in pieces and never
read as a whole.
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
    """What a client asked for; header names in lower case, the path without its query."""

    method: bytes
    path: str
    headers: dict[bytes, bytes]
    is_kept_alive: bool


@dataclass(frozen=True, slots=True)
class Response:
    """`length` bytes are promised, those of `body` from `start` to `stop` are to be sent."""

    status: int
    headers: dict[str, str]
    body: bytes | Path
    length: int
    start: int
    stop: int

    def cut(self, sent_bytes: int) -> "Response":
        """The same promise, of which only `sent_bytes` are sent."""
        return replace(self, stop=min(self.stop, self.start + max(0, sent_bytes)))

    def pieces(self, piece_bytes: int = _PIECE_BYTES) -> Iterator[bytes | memoryview]:
        """What is to be sent, in order; of a file, `piece_bytes` at a time."""
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
    """The response that `answer`, whose body is `body`, is to `request`."""
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
    """The first byte asked for and the one after the last, or None if all are wanted."""
    if request.headers.get(b"if-range", etag.encode()) != etag.encode():
        return None
    asked = _RANGE.fullmatch(request.headers.get(b"range", b""))
    if asked is None or asked[1] == asked[2] == b"":
        return None
    if not asked[1]:  # the last so many bytes
        return max(0, size_bytes - int(asked[2])), size_bytes
    last = int(asked[2]) if asked[2] else size_bytes - 1
    return int(asked[1]), min(last + 1, size_bytes)


def _etag(body: bytes | Path) -> str:
    if isinstance(body, Path):
        stat = body.stat()
        return f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    return f'"{hash(body) & 0xFFFFFFFFFFFFFFFF:x}"'  # Python keeps it with the bytes: free from the second time on
