"""Streams of bytes as archives have them: peeked at, unzipped, and read in pieces, with errors in words."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol, TypeAlias

from oidl.errors import MetadataError

Stream: TypeAlias = io.RawIOBase | io.BufferedIOBase
"""What is read here: bytes, in order. A `VerifiedStream` is one, and so is an open file."""

CHUNK_BYTES = 64 * 1024  # what is cut from a piece of it stays in the processor's cache


class TextSource(Protocol):
    """Text that knows how far it has been read."""

    def first_undecodable(self) -> str:
        """Where it stops being UTF-8, in words."""
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
        where = f": {lines.first_undecodable()}" if lines else ""
        raise MetadataError(
            f"{name} is not UTF-8 text{where}", hint="save it as UTF-8, for example with `iconv -f latin1 -t utf-8`"
        ) from error


class PeekedStream(io.RawIOBase):
    """A stream whose first `count` bytes are in `head`, and are read again."""

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
        if self._unread and size >= 0:
            data, self._unread = self._unread[:size], self._unread[size:]
            return data
        data, self._unread = self._unread, b""
        return data + (self._stream.read(size) or b"")


def gunzipped(stream: PeekedStream) -> Stream:
    """`stream` unzipped, if its first bytes are gzip's."""
    return gzip.GzipFile(fileobj=stream) if stream.head == b"\x1f\x8b" else stream


def chunks(stream: Stream | IO[bytes], name: str) -> Iterator[bytes]:
    """The bytes of `stream` to its end, in pieces of `CHUNK_BYTES`."""
    while True:
        with translating_archive_errors(name):
            chunk = stream.read(CHUNK_BYTES)
        if not chunk:
            return
        yield chunk
