"""An archive on its way from the network to whoever reads it, vouched for.

    download ──► bounded channel ──► VerifiedStream, read by `consume` in a thread
        └──► <root>/<name>.part ──► its place, where the file itself is wanted

The rule: the stream's end is only ever seen if size and checksums are right: the
published ones or, for want of such, what the server says of its own file. So a
consumer that reads to the end before it commits never commits anything else,
though it works while the bytes still arrive. Cancellation reaches the thread
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
_MAX_STARTS = 3  # of a file that is replaced on the server while it is fetched


@dataclass(frozen=True, slots=True)
class FetchedArchive(Generic[T]):
    """What `consume` made of a verified archive, and the archive's size and MD5 (lower-case hex).

    `checked_by` is what vouches for these: `md5`, `sha256`, the header `x-goog-hash` or `etag`, `bytes`, or nothing.
    """

    value: T
    bytes: int
    md5: str
    checked_by: str = ""


class VerifiedStream(io.RawIOBase):
    """An archive's bytes, which end only if they are all the published ones.

    `next_chunk` gives the next bytes, b"" at the end. Reading past the last
    byte raises `MetadataError` instead of ending when size or checksums are others
    than the archive's; what of these is not known is not checked.
    """

    def __init__(self, archive: PublishedFile, next_chunk: Callable[[], bytes]) -> None:
        self._archive = archive
        self._next_chunk = next_chunk
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256() if archive.sha256 else None
        self._told: tuple[str, str] | None = None
        self._rest = memoryview(b"")
        self.size_bytes = 0

    @property
    def md5(self) -> str:
        """The MD5 of what was read so far, in lower-case hex."""
        return self._md5.hexdigest()

    @property
    def checked_by(self) -> str:
        """What the end of the stream is checked by, as in `FetchedArchive`."""
        if self._archive.md5 or self._archive.sha256:
            return "md5" if self._archive.md5 else "sha256"
        return self._told[1] if self._told else "bytes" if self._archive.bytes else ""

    def told(self, md5: str, header: str) -> None:
        """The server says in this header that the file's MD5 is this; it counts where none is published."""
        if not (self._archive.md5 or self._archive.sha256):
            self._told = md5, header

    def readable(self) -> bool:
        """True: this is a stream to read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Reads up to as many bytes as fit; 0 is the verified end."""
        if not self._rest:
            self._rest = memoryview(self._pull())
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def drain(self) -> None:
        """Reads to the verified end, where tarfile would stop short of it."""
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
        md5 = archive.md5 or (self._told[0] if self._told else None)
        sha256 = self._sha256.hexdigest() if self._sha256 else None
        expected = _in_words(archive.bytes, md5, archive.sha256)
        got = _in_words(archive.bytes and self.size_bytes, md5 and self.md5, sha256)
        if got != expected:
            raise MetadataError(
                f"{archive.name} is not the published file: expected {expected}, got {got}",
                hint="nothing of it was kept; run the same command again to fetch it anew",
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
    """What `consume` returns for the archive, once all of it is verified.

    `consume` runs in a thread and should read to the end before it commits. It
    is called again, from the start, if the server's file is replaced meanwhile;
    the stream of the first call has then raised `trio.Cancelled`. The file ends as
    `keep`, if that is given; one that is there (or, else, as `<root>/<name>`) and intact is read
    instead of fetched. Raises `MetadataError`, `DiskError` and what `consume` does.
    """
    limiter = trio.CapacityLimiter(1)  # of its own: the default one serves DNS too
    kept = keep or root / archive.name
    if await trio.to_thread.run_sync(_is_intact, kept, archive, limiter=limiter):
        return await trio.to_thread.run_sync(_read_kept, kept, archive, consume, limiter=limiter)
    with writing(root):
        await trio.Path(root).mkdir(parents=True, exist_ok=True)
    for _ in range(_MAX_STARTS):
        try:
            return await _fetch(archive, root, transfers, tls, keep, consume, on_bytes, limiter)
        except ContentChangedError:
            continue
    raise MetadataError(f"{without_secrets(archive.url)} changed again and again while it was being fetched")


def part_of(archive: PublishedFile, root: Path) -> Path:
    """Where an archive stands while it is not complete."""
    return root / f"{archive.name}.part"


def discard_part(archive: PublishedFile, root: Path) -> None:
    """Removes what a fetch that was killed may have left, of an archive that is no longer needed."""
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
                on_md5=stream.told,  # before the first byte is sent, or the end
            )
            send.close()  # only here: a closed channel is the end of the file
        except Exception as error:
            failure = error
            nursery.cancel_scope.cancel()

    def work() -> FetchedArchive[T]:
        value = _consumed(stream, consume)
        # Still in the thread: no cancellation comes between what `consume` committed and this.
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
    if is_doubtful:  # the bytes are wrong, or may be: nothing is built upon them
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
            stream.drain()  # where the bytes are not the published ones, that is the better sentence
        raise
    stream.drain()
    return value


def _received(receive: trio.MemoryReceiveChannel[bytes]) -> bytes:
    try:
        return trio.from_thread.run(receive.receive)
    except trio.EndOfChannel:
        return b""


def _is_intact(kept: Path, archive: PublishedFile) -> bool:
    """Whether the archive was kept by an earlier run; without a known checksum there is no telling."""
    try:
        if not (archive.md5 or archive.sha256) or kept.stat().st_size != (archive.bytes or kept.stat().st_size):
            return False
        with kept.open("rb") as file:
            VerifiedStream(archive, partial(_read_chunk, file)).drain()
    except (OSError, MetadataError):
        return False
    return True


def _read_kept(kept: Path, archive: PublishedFile, consume: Callable[[VerifiedStream], T]) -> FetchedArchive[T]:
    with kept.open("rb") as file:
        stream = VerifiedStream(archive, partial(_read_chunk, file))
        value = _consumed(stream, consume)
        return FetchedArchive(value, stream.size_bytes, stream.md5, stream.checked_by)


def _read_chunk(file: io.BufferedReader) -> bytes:
    trio.from_thread.check_cancelled()
    return file.read(_CHUNK)


def _in_words(size_bytes: int | None, md5: str | None, sha256: str | None) -> str:
    size = f"{size_bytes} bytes" if size_bytes is not None else ""
    return " and ".join(filter(None, (size, md5 and f"MD5 {md5}", sha256 and f"SHA-256 {sha256}")))
