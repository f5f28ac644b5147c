"""A picture from disk: one that the database names, and that is a picture by its first bytes.

A client names an ImageID and a rendition, never a path. Files are read in
pieces, so that a slow client holds little memory.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import trio
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from oidl.state.gallery import output_file
from oidl.storage.layout import is_image_id
from oidl.web.database import Lookup

_PIECE_BYTES = 64 * 1024
_SECONDS_TO_KEEP = 600  # in the browser: the same URL may be made anew by a later run

_KINDS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("image/jpeg", lambda head: head.startswith(b"\xff\xd8\xff")),
    ("image/png", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    ("image/gif", lambda head: head.startswith((b"GIF87a", b"GIF89a"))),
    ("image/webp", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    ("image/avif", lambda head: head[4:12] in (b"ftypavif", b"ftypavis")),
)


def kind_of(head: bytes) -> str | None:
    """The type of a picture that browsers show, by its first 12 bytes; None for anything else."""
    return next((kind for kind, is_it in _KINDS if is_it(head)), None)


@dataclass(frozen=True, slots=True)
class _Opened:
    file: BinaryIO
    kind: str
    size_bytes: int


class Pictures:
    """Answers requests for pictures of what lies below, or is recorded from, `root_dir`."""

    def __init__(self, lookup: Lookup, root_dir: Path) -> None:
        self._lookup = lookup
        self._root_dir = root_dir
        self._threads = trio.CapacityLimiter(4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the picture that the path names, or 404."""
        named = Request(scope).path_params
        opened = await self._open(named["image_id"], named["rendition"])
        if opened is None:
            await PlainTextResponse("There is no such picture.\n", 404)(scope, receive, send)
            return
        try:
            await self._send(opened, scope, send)
        finally:
            opened.file.close()

    async def _open(self, image_id: str, rendition: str) -> _Opened | None:
        if not is_image_id(image_id):
            return None
        row = await self._lookup(output_file, image_id, rendition)
        if row is None:
            return None
        return await trio.to_thread.run_sync(_opened, self._root_dir / row.path, limiter=self._threads)

    async def _send(self, opened: _Opened, scope: Scope, send: Send) -> None:
        headers = [
            (b"content-type", opened.kind.encode()),
            (b"content-length", str(opened.size_bytes).encode()),
            (b"cache-control", f"private, max-age={_SECONDS_TO_KEEP}".encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        left = opened.size_bytes if scope["method"] == "GET" else 0
        while left:
            piece = await trio.to_thread.run_sync(opened.file.read, min(left, _PIECE_BYTES), limiter=self._threads)
            if not piece:  # the file was cut short meanwhile; the client sees that it is
                return
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _opened(path: Path) -> _Opened | None:
    """The file at `path`, if it is one and a picture; nobody is kept waiting by a pipe."""
    try:
        file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: SIM115 - the caller's
    except (OSError, ValueError):  # ValueError: a zero byte in a path
        return None
    about = os.fstat(file.fileno())
    kind = kind_of(file.read(12)) if stat.S_ISREG(about.st_mode) else None
    if kind is None:
        file.close()
        return None
    file.seek(0)
    return _Opened(file, kind, about.st_size)
