"""Byte streams of archives: peekable, unzipped and read in pieces, with errors translated."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Protocol, TypeAlias

from oidl.errors import MetadataError

Stream: TypeAlias = io.RawIOBase | io.BufferedIOBase
"""A sequential stream of bytes, such as a `VerifiedStream` or an open file."""

CHUNK_BYTES = 64 * 1024  # small enough for parsed data to stay in the processor's cache


class TextSource(Protocol):
    """Text that knows its reading position."""

    def undecodable(self, name: str) -> MetadataError:
        """The error for the piece read last, which is not UTF-8."""
        ...


@contextmanager
def translating_archive_errors(name: str, lines: TextSource | None = None) -> Iterator[None]:
    """Translates errors in the bytes of `name` to `MetadataError`; `lines` give the position.

    Text is decoded on demand, so this block must surround the code that iterates over it.
    """
    try:
        yield
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:  # OSError: from gzip, or from a failing disk
        raise MetadataError(
            f"{name} is damaged or cut short: {error}", hint="fetch it again, or use an undamaged copy"
        ) from error
    except UnicodeDecodeError as error:
        raise (lines.undecodable(name) if lines else not_utf8(name)) from error


def not_utf8(name: str, where: str = "") -> MetadataError:
    """The error for a text file in another encoding; `where` describes the position."""
    return MetadataError(
        f"{name} is not UTF-8 text{where and ': '}{where}",
        hint="save it as UTF-8, for example with `iconv -f latin1 -t utf-8`",
    )


def cut_short(name: str, line: int, complaint: str) -> MetadataError:
    """The error for a text file whose last `line` has no line end and is not a row.

    This is the only sign of truncation if the server does not give the length and the connection ends early, or if a
    copy was interrupted.
    """
    return MetadataError(
        f"{name} seems to be cut short: line {line:,}, its last, has no line end and is half a row ({complaint})",
        hint="fetch it again, or use a complete copy; if it is complete, remove that line",
    )


def heed_cancellation() -> None:
    """Raises `trio.Cancelled` in a Trio thread whose work was cancelled; does nothing anywhere else.

    Call it regularly in code that may run long without reading from its source: a few kilobytes of gzip can hold
    millions of lines.
    """
    import trio  # slow to import

    with suppress(RuntimeError):  # not a Trio thread
        trio.from_thread.check_cancelled()


class PeekedStream(io.RawIOBase):
    """A stream whose first `count` bytes are in `head` and are still read; reading checks for cancellation."""

    def __init__(self, stream: Stream, count: int) -> None:
        self._stream = stream
        self.head = b""
        while len(self.head) < count and (more := stream.read(count - len(self.head))):
            self.head += more
        self._unread = self.head

    def readable(self) -> bool:
        """True: this is a stream to read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, b"" at the end."""
        heed_cancellation()
        if self._unread and size >= 0:
            data, self._unread = self._unread[:size], self._unread[size:]
            return data
        data, self._unread = self._unread, b""
        return data + (self._stream.read(size) or b"")


def gunzipped(stream: Stream, count: int = 0) -> PeekedStream:
    """`stream`, unzipped if its first bytes are gzip's, with the first `count` bytes peeked.

    Reading it checks for cancellation.
    """
    content = PeekedStream(stream, 2)
    if content.head == b"\x1f\x8b":
        return PeekedStream(gzip.GzipFile(fileobj=content), count)
    return PeekedStream(content, count)


def chunks(stream: Stream | IO[bytes], name: str) -> Iterator[bytes]:
    """The bytes of `stream` to its end, in pieces of `CHUNK_BYTES`."""
    while True:
        with translating_archive_errors(name):
            chunk = stream.read(CHUNK_BYTES)
        if not chunk:
            return
        yield chunk
