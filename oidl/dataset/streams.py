"""Streams of bytes as archives have them: peeked at, unzipped, and read in pieces, with errors in words."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Protocol, TypeAlias

from oidl.errors import MetadataError

Stream: TypeAlias = io.RawIOBase | io.BufferedIOBase
"""What is read here: bytes, in order. A `VerifiedStream` is one, and so is an open file."""

CHUNK_BYTES = 64 * 1024  # what is cut from a piece of it stays in the processor's cache


class TextSource(Protocol):
    """Text that knows how far it has been read."""

    def undecodable(self, name: str) -> MetadataError:
        """The error for what was read last, which is not UTF-8."""
        ...


@contextmanager
def translating_archive_errors(name: str, lines: TextSource | None = None) -> Iterator[None]:
    """A block in which what is wrong with the bytes of `name` is a `MetadataError`; it says where in `lines`.

    Text is decoded as it is asked for, so it goes around whatever asks for it.
    """
    try:
        yield
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:  # OSError: gzip's, or a disk that fails
        raise MetadataError(
            f"{name} is damaged or cut short: {error}", hint="fetch it again, or give an undamaged copy"
        ) from error
    except UnicodeDecodeError as error:
        raise (lines.undecodable(name) if lines else not_utf8(name)) from error


def not_utf8(name: str, where: str = "") -> MetadataError:
    """The error for a file of text in another encoding; `where` it shows, in words."""
    return MetadataError(
        f"{name} is not UTF-8 text{where and ': '}{where}",
        hint="save it as UTF-8, for example with `iconv -f latin1 -t utf-8`",
    )


def cut_short(name: str, line: int, complaint: str) -> MetadataError:
    """The error for a file of text whose last `line` has no line end and is no row.

    It is the only sign, if a server does not say how long a file is and the connection ends too soon, or if a copy was
    interrupted.
    """
    return MetadataError(
        f"{name} seems to be cut short: line {line:,}, its last, has no line end and is half a row ({complaint})",
        hint="fetch it again, or give the whole file; if it is whole, remove that line",
    )


def heed_cancellation() -> None:
    """Raises `trio.Cancelled` in a thread of Trio's if its work was cancelled; anywhere else this does nothing.

    To be called now and then by whatever may go on for long without a byte from its source: a few kilobytes of gzip
    hold millions of lines.
    """
    import trio  # slow to import

    with suppress(RuntimeError):  # a thread of somebody else's
        trio.from_thread.check_cancelled()


class PeekedStream(io.RawIOBase):
    """A stream whose first `count` bytes are in `head`, and are read again; reading it heeds cancellation."""

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
    """`stream` unzipped, if its first bytes are gzip's, and peeked at; reading it heeds cancellation."""
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
