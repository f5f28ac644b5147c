"""Image files from disk: those that the database has a row for, and that are images by their first bytes.

A client names an ImageID and a rendition, never a path. Files are read in
pieces, so that a slow client takes little memory.
"""

import os
import stat
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import trio
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.homes import read_homes
from oidl.state.image_lookup import OutputFile, output_file
from oidl.state.load import loaded_list, loaded_subsets
from oidl.state.uploads import remote_address
from oidl.storage.layout import is_image_id
from oidl.storage.ownership import OwnFiles
from oidl.storage.shards.place import open_file, open_shard, place_of
from oidl.web.database import Database
from oidl.web.media import media_type

_PIECE_BYTES = 64 * 1024
_ELSEWHERE = 409  # not 404, which a page shows as lost
_CACHED_S = 600  # in the browser; a later run may make the file again, under the same URL


@dataclass(frozen=True, slots=True)
class _ImageFile:
    file: FileIO
    media_type: str
    size_bytes: int


class Pictures:
    """Answers requests for the image files that `database` has rows for; relative paths start at `root_dir`."""

    def __init__(self, database: Database, root_dir: Path) -> None:
        self._database = database
        self._root_dir = root_dir
        self._own = OwnFiles((), ())
        self._threads = trio.CapacityLimiter(4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the file that the path of the request names, 404 if there is none, or 409 if it is elsewhere."""
        named = Request(scope).path_params
        image = await self._open(named["image_id"], named["rendition"])
        if isinstance(image, str):
            text = f"This image is in a shard that is only in an object store: {image}\n"
            await PlainTextResponse(text, _ELSEWHERE)(scope, receive, send)
            return
        if image is None:
            await PlainTextResponse("There is no such image file.\n", 404)(scope, receive, send)
            return
        try:
            await self._send(image, scope, send)
        finally:
            image.file.close()

    async def _open(self, image_id: str, rendition: str) -> _ImageFile | str | None:
        """The image; the address of its shard if that is only in an object store; None if there is no such image."""
        if not is_image_id(image_id):
            return None
        row = await self._database(self._own_file, image_id, rendition)
        if row is None:
            return None
        image = await trio.to_thread.run_sync(_open_image, self._root_dir, row, limiter=self._threads)
        if image is None and (place := place_of(row.path)):
            return await self._database(remote_address, place.shard)
        return image

    def _own_file(self, db: StateConnection, image_id: str, rendition: str) -> OutputFile | None:
        """The file of this rendition of this image; None if no row names one, or one that is not oidl's."""
        row = output_file(db, image_id, rendition)
        if row is None:
            return None
        if not self._own.has(image_id, rendition, row.path):  # a later run may have made it
            held = loaded_list(db)
            layout = Layout(self._root_dir, held.directory if held else "")
            self._own = OwnFiles(read_homes(db, layout), loaded_subsets(db))
        return row if self._own.has(image_id, rendition, row.path) else None

    async def _send(self, image: _ImageFile, scope: Scope, send: Send) -> None:
        headers = [
            (b"content-type", image.media_type.encode()),
            (b"content-length", str(image.size_bytes).encode()),
            (b"cache-control", f"private, max-age={_CACHED_S}".encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        left = image.size_bytes if scope["method"] == "GET" else 0
        while left:
            piece = await trio.to_thread.run_sync(image.file.read, min(left, _PIECE_BYTES), limiter=self._threads)
            if not piece:  # the file became shorter meanwhile; the client sees that the body ends early
                return
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _open_image(root_dir: Path, row: OutputFile) -> _ImageFile | None:
    """The image of `row`; None if its file or shard is no regular file, or it is no image. Never waits."""
    place = place_of(row.path)
    try:
        file = open_shard(root_dir / place.shard) if place else open_file(root_dir / row.path)
    except (OSError, ValueError):  # ValueError: a zero byte in a path
        return None
    status = os.fstat(file.fileno())
    begin, size_bytes = (place.at, row.bytes) if place else (0, status.st_size)
    found = None
    if stat.S_ISREG(status.st_mode) and begin + size_bytes <= status.st_size:
        file.seek(begin)
        found = media_type(file.read(min(12, size_bytes)))
    if found is None:
        file.close()
        return None
    file.seek(begin)
    return _ImageFile(file, found, size_bytes)
