"""An archive on its way from the network to its reader, verified.

    download ──► bounded channel ──► VerifiedStream, read by `consume` in a thread
        └──► <root>/<name>.part ──► the final path, if the file itself is needed

The rule: the stream ends only if size and checksums are right: the published
ones or, if there are none, those that the server gives for its file. So a
consumer that reads to the end before it commits never commits anything else,
although it works while the bytes still arrive. Cancellation reaches the thread
at its next read, as `trio.Cancelled`.
"""

import hashlib
import io
import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

from oidl.dataset.published import PublishedFile
from oidl.errors import MetadataError
from oidl.net.part import discard, writing
from oidl.net.resume import ContentChangedError, download
from oidl.settings import NetworkSettings
from oidl.text import without_secrets

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

_CHUNK = 256 * 1024
_CHUNKS_IN_FLIGHT = 8
_MAX_STARTS = 3  # if the server replaces the file during the fetch


@dataclass(frozen=True, slots=True)
class FetchedArchive(Generic[T]):
    """The result of `consume` for a verified archive, and the archive's size and MD5 (lower-case hex).

    `checked_by` is how they were verified: `md5`, `sha256`, the header `x-goog-hash` or `etag`, `bytes`, or empty.
    """

    value: T
    bytes: int
    md5: str
    checked_by: str = ""


class VerifiedStream(io.RawIOBase):
    """The bytes of an archive; the stream ends only if they are the published ones.

    `next_chunk` returns the next bytes, b"" at the end. If size or checksums
    differ from the archive's, reading past the last byte raises `MetadataError`
    instead of ending; unknown ones are not checked.
    """

    def __init__(self, archive: PublishedFile, next_chunk: Callable[[], bytes]) -> None:
        self._archive = archive
        self._next_chunk = next_chunk
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256() if archive.sha256 else None
        self._server_md5: tuple[str, str] | None = None
        self._rest = memoryview(b"")
        self.size_bytes = 0

    @property
    def md5(self) -> str:
        """The MD5 of the bytes read so far, in lower-case hex."""
        return self._md5.hexdigest()

    @property
    def checked_by(self) -> str:
        """How the end of the stream is verified, as in `FetchedArchive`."""
        if self._archive.md5 or self._archive.sha256:
            return "md5" if self._archive.md5 else "sha256"
        return self._server_md5[1] if self._server_md5 else "bytes" if self._archive.bytes else ""

    def set_server_md5(self, md5: str, header: str) -> None:
        """Takes the MD5 that the server gives in `header`; it is ignored if a checksum is published."""
        if not (self._archive.md5 or self._archive.sha256):
            self._server_md5 = md5, header

    def readable(self) -> bool:
        """True: this is a stream to read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Reads up to as many bytes as fit; returns 0 at the verified end."""
        if not self._rest:
            self._rest = memoryview(self._pull())
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def drain(self) -> None:
        """Reads to the verified end; tarfile would stop before it."""
        self._rest = memoryview(b"")
        while self._pull():
            pass

    def _pull(self) -> bytes:
        chunk = self._next_chunk()
        self._md5.update(chunk)
        self.size_bytes += len(chunk)
        if self._sha256:
            self._sha256.update(chunk)
        if not chunk:
            self._check_end()
        return chunk

    def _check_end(self) -> None:
        archive = self._archive
        md5 = archive.md5 or (self._server_md5[0] if self._server_md5 else None)
        sha256 = self._sha256.hexdigest() if self._sha256 else None
        expected = _describe(archive.bytes, md5, archive.sha256)
        got = _describe(archive.bytes and self.size_bytes, md5 and self.md5, sha256)
        if got != expected:
            raise MetadataError(
                f"{archive.name} is not the published file: expected {expected}, got {got}",
                hint="run the same command again to fetch it again; nothing of it was kept",
            )


async def fetch_archive(
    archive: PublishedFile,
    root: Path,
    *,
    transfers: NetworkSettings,
    tls: ssl.SSLContext,
    keep: Path | None,
    consume: Callable[[VerifiedStream], T],
    on_bytes: Callable[[int], Awaitable[None]],
) -> FetchedArchive[T]:
    """Fetches the archive and returns what `consume` returns for it, after all of it is verified.

    `consume` runs in a thread and should read to the end before it commits. If
    the server replaces the file meanwhile, `consume` is called again from the
    start; the stream of the first call has then raised `trio.Cancelled`. The file
    is moved to `keep` if that is given. An intact file that is already there
    (otherwise at `<root>/<name>`) is read instead of fetched. Raises
    `MetadataError`, `DiskError` and what `consume` raises.
    """
    limiter = trio.CapacityLimiter(1)  # a separate one: the default limiter serves DNS too
    saved = keep or root / archive.name
    if await trio.to_thread.run_sync(_is_intact, saved, archive, limiter=limiter):
        return await trio.to_thread.run_sync(_read_saved, saved, archive, consume, limiter=limiter)
    with writing(root):
        await trio.Path(root).mkdir(parents=True, exist_ok=True)
    for _ in range(_MAX_STARTS):
        try:
            return await _fetch(archive, root, transfers, tls, keep, consume, on_bytes, limiter)
        except ContentChangedError:
            continue
    raise MetadataError(f"{without_secrets(archive.url)} changed again and again while it was being fetched")


def part_of(archive: PublishedFile, root: Path) -> Path:
    """The path of an archive that is not complete yet."""
    return root / f"{archive.name}.part"


def discard_part(archive: PublishedFile, root: Path) -> None:
    """Removes what a killed fetch may have left of an archive that is no longer needed."""
    discard(part_of(archive, root))


async def _fetch(
    archive: PublishedFile,
    root: Path,
    transfers: NetworkSettings,
    tls: ssl.SSLContext,
    keep: Path | None,
    consume: Callable[[VerifiedStream], T],
    on_bytes: Callable[[int], Awaitable[None]],
    limiter: trio.CapacityLimiter,
) -> FetchedArchive[T]:
    part = part_of(archive, root)
    send, receive = trio.open_memory_channel[bytes](_CHUNKS_IN_FLIGHT)
    stream = VerifiedStream(archive, partial(_received, receive))
    failure: Exception | None = None
    fetched: FetchedArchive[T] | None = None
    is_doubtful = False

    async def bring() -> None:
        nonlocal failure
        try:
            await download(
                archive.url,
                part,
                send.send,
                transfers=transfers,
                tls=tls,
                expected_bytes=archive.bytes,
                on_bytes=on_bytes,
                on_md5=stream.set_server_md5,  # called before the first byte is sent, or the end
            )
            send.close()  # only here: a closed channel is the end of the file
        except Exception as error:
            failure = error
            nursery.cancel_scope.cancel()

    def work() -> FetchedArchive[T]:
        value = _consumed(stream, consume)
        # Still in the thread: a cancellation cannot separate this from what `consume` committed.
        if keep:
            with writing(keep):
                keep.parent.mkdir(parents=True, exist_ok=True)
                os.replace(part, keep)
        discard(part)
        return FetchedArchive(value, stream.size_bytes, stream.md5, stream.checked_by)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bring)
        try:
            fetched = await trio.to_thread.run_sync(work, limiter=limiter)
        except Exception as error:
            is_doubtful = failure is None and isinstance(error, MetadataError)
            failure = failure or error
            nursery.cancel_scope.cancel()
    if is_doubtful:  # the bytes are wrong, or may be: do not resume from them
        await trio.to_thread.run_sync(discard, part, limiter=limiter)
    if failure is not None:
        raise failure
    assert fetched is not None
    return fetched


def _consumed(stream: VerifiedStream, consume: Callable[[VerifiedStream], T]) -> T:
    try:
        value = consume(stream)
    except MetadataError:
        if stream.checked_by:
            stream.drain()  # if the bytes are not the published ones, its error is the better one
        raise
    stream.drain()
    return value


def _received(receive: trio.MemoryReceiveChannel[bytes]) -> bytes:
    try:
        return trio.from_thread.run(receive.receive)
    except trio.EndOfChannel:
        return b""


def _is_intact(saved: Path, archive: PublishedFile) -> bool:
    """Whether an earlier run kept the complete archive; False if no checksum is known."""
    try:
        if not (archive.md5 or archive.sha256) or saved.stat().st_size != (archive.bytes or saved.stat().st_size):
            return False
        with saved.open("rb") as file:
            VerifiedStream(archive, partial(_read_chunk, file)).drain()
    except (OSError, MetadataError):
        return False
    return True


def _read_saved(saved: Path, archive: PublishedFile, consume: Callable[[VerifiedStream], T]) -> FetchedArchive[T]:
    with saved.open("rb") as file:
        stream = VerifiedStream(archive, partial(_read_chunk, file))
        value = _consumed(stream, consume)
        return FetchedArchive(value, stream.size_bytes, stream.md5, stream.checked_by)


def _read_chunk(file: io.BufferedReader) -> bytes:
    trio.from_thread.check_cancelled()
    return file.read(_CHUNK)


def _describe(size_bytes: int | None, md5: str | None, sha256: str | None) -> str:
    size = f"{size_bytes} bytes" if size_bytes is not None else ""
    return " and ".join(filter(None, (size, md5 and f"MD5 {md5}", sha256 and f"SHA-256 {sha256}")))
