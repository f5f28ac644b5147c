"""Image lists and annotation files as lines of text, plain or packed."""

import codecs
import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import IO

from oidl.dataset.rows import ReadReport, read_images
from oidl.dataset.streams import (
    Stream,
    chunks,
    cut_short,
    gunzipped,
    not_utf8,
    translating_archive_errors,
)
from oidl.dataset.tar import members
from oidl.errors import MetadataError
from oidl.model import Image

MAX_LINE_BYTES = 1024 * 1024
_TAR_MAGIC_AT = 257
_WHAT_IS_NEEDED = "use a CSV file in the published format, plain, gzipped or in a tar"


def read_list(
    stream: Stream, name: str, subsets: frozenset[str], known_subsets: frozenset[str], skipped: ReadReport
) -> Iterator[Image]:
    """The images of `subsets` in an image list, packed or plain; ends only after the stream's (verified) end.

    Raises `MetadataError` if the stream is not an image list, is damaged, has no
    images, or has too many bad rows.
    """
    for list_name, pieces in open_lists(stream, name):
        lines = Lines(pieces)
        with translating_archive_errors(list_name, lines):
            yield from read_images(
                iter(lines), name=list_name, subsets=subsets, known_subsets=known_subsets, skipped=skipped
            )
    skipped.check(name)


def open_lists(stream: Stream, name: str, suffixes: Sequence[str] = (".csv",)) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The CSV files in `stream`, each in pieces of whole lines: the stream is one itself, gzipped, or a tar of some.

    The first bytes decide this, not `name`. The caller must read the pieces before it requests the next file, inside
    `translating_archive_errors`. Reads the stream to its end.
    """
    with translating_archive_errors(name):
        content = gunzipped(stream, tarfile.BLOCKSIZE)
    if content.head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise MetadataError(
            f"{name} is UTF-16 text, by the byte order mark in line 1",
            hint="save it as UTF-8, for example with `iconv -f utf-16 -t utf-8`",
        )
    if not content.head[_TAR_MAGIC_AT:].startswith(b"ustar"):
        yield name, _line_blocks(content, name)
        return
    is_empty = True
    for member, file in members(content, name):
        if member.suffix in suffixes:
            is_empty = False
            yield f"{name}: {member}", _line_blocks(file, name)
    if is_empty:
        raise MetadataError(f"{name} contains no image list", hint="use an archive with a .csv file in it")


class Lines:
    """The lines, with their ends, of UTF-8 text that comes in pieces of whole lines; can be iterated once.

    It remembers the current piece, so `undecodable` can report where the text is not UTF-8.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._before = 0  # lines

    def __iter__(self) -> Iterator[str]:
        # Only "\n" ends a line, so that csv sees the original line ends. This is the fastest way to get
        # lines: a generator that yields each costs 1 µs a line.
        return chain.from_iterable(
            io.TextIOWrapper(io.BytesIO(piece), encoding="utf-8", newline="\n") for piece in self._remembering()
        )

    def _remembering(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._before += self._piece.count(b"\n")
            self._piece = piece
            yield piece

    def texts(self) -> Iterator[str]:
        """The pieces as text."""
        return map(bytes.decode, self._remembering())

    def undecodable(self, name: str) -> MetadataError:
        """The error for the last piece, which is not UTF-8."""
        try:
            self._piece.decode()
        except UnicodeDecodeError as error:
            line = self._before + self._piece.count(b"\n", 0, error.start) + 1
            if error.end == len(self._piece) and error.reason == "unexpected end of data":
                return cut_short(name, line, "it ends within a character")
            return not_utf8(name, f"line {line} has the byte 0x{self._piece[error.start]:02x}")
        return not_utf8(name)


def _line_blocks(content: Stream | IO[bytes], name: str) -> Iterator[bytes]:
    """The bytes of `content` in pieces of whole lines, none much longer than `MAX_LINE_BYTES`."""
    rest, is_first = b"", True
    with translating_archive_errors(name):
        for chunk in chunks(content, name):
            if is_first and _ends_lines_in_cr(chunk):
                raise MetadataError(
                    f"the lines of {name} end in CR alone, as on old Macs",
                    hint="save it with LF or CRLF as line end, for example with `tr '\\r' '\\n'`",
                )
            is_first = False
            if b"\0" in chunk:
                raise MetadataError(f"{name} is not a text file", hint=_WHAT_IS_NEEDED)
            whole, newline, last = chunk.rpartition(b"\n")
            if newline:
                yield rest + whole + newline
                rest = b""
            rest += last
            if len(rest) > MAX_LINE_BYTES:
                raise MetadataError(
                    f"{name} has a line of more than {MAX_LINE_BYTES} bytes, so it is not an image list"
                )
        if rest:
            yield rest


def _ends_lines_in_cr(begin: bytes) -> bool:
    first = begin.partition(b"\n")[0].removesuffix(b"\r")
    return b"\r" in first and b'"' not in first.partition(b"\r")[0]
