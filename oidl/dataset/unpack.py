"""Archives taken apart: into files under the root, or into the lines of image lists.

The only place that knows tar. Nothing here is seekable: members come in the
archive's order and are read as they arrive, in memory that does not grow with
them. The rule: a member's name is never trusted. Links, devices and names that lead
out of their directory are refused, and nothing lands under a final
name before the stream has been read to its (verified) end.
"""

import codecs
import gzip
import hashlib
import io
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias

from oidl.dataset.rows import Skipped, read_images
from oidl.errors import MetadataError, UsageError
from oidl.model import Image, ListFile
from oidl.net.part import writing

Stream: TypeAlias = io.RawIOBase | io.BufferedIOBase
"""What is read here: bytes, in order. A `VerifiedStream` is one, and so is an open file."""

MAX_LINE_BYTES = 1024 * 1024
MAX_NOTE_BYTES = 1024 * 1024  # of a long name or of pax headers, which tarfile reads into memory at once
_CHUNK = 64 * 1024  # what is cut from a piece of it stays in the processor's cache
_TAR_MAGIC_AT = 257
_NOTES = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
}
_WHAT_IS_NEEDED = "a CSV file in the published format is needed, plain, gzipped or in a tar"


def unpack(
    stream: Stream,
    staging: Path,
    destination: Path,
    *,
    name: str = "the archive",
    on_name: Callable[[str], None] = lambda name: None,
) -> tuple[Path, ...]:
    """The files of a `.tar.gz`, as they stand now under `destination`.

    They are written to `staging` first, a directory of its own on the same
    filesystem, and moved when the stream has been read to its end; `staging`
    is gone afterwards, come what may. `on_name` is told of every file as it is begun.
    Raises `MetadataError` for an archive that is damaged or hostile, `DiskError`.
    Every file must lie in some directory: the root itself is not an archive's to write to.
    """
    names: list[PurePosixPath] = []
    try:
        with writing(staging):
            shutil.rmtree(staging, ignore_errors=True)  # a killed run's
            staging.mkdir(parents=True)
        with reading(name):
            content = _gunzipped(_Peeked(stream, 2))
        for member, file in _members(content, name):
            if len(member.parts) < 2:  # beside the state database, or in its place
                raise MetadataError(f"{name} is refused: its member {member} is in no directory of the dataset")
            on_name(str(member))
            _copy(file, staging / member, name)
            names.append(member)
        if not names:
            raise MetadataError(f"{name} holds no files")
        with writing(destination):
            return _moved(names, staging, destination, name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class HashedFile(io.RawIOBase):
    """The file at `path`, read once from its begin to its end; by then it is known by `identity`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._sha256 = hashlib.sha256()  # with the SHA instructions of processors, faster than MD5

    def readable(self) -> bool:
        """True: this is a stream to read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, b"" at the end."""
        chunk = self._file.read(size)
        self._sha256.update(chunk)
        return chunk

    @property
    def identity(self) -> ListFile:
        """What tells the content, once all is read, from another."""
        while self.read(_CHUNK):
            pass
        found = os.fstat(self._file.fileno())
        return ListFile(found.st_size, found.st_mtime, self._sha256.hexdigest())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()


def open_local_list(path: Path) -> HashedFile:
    """The image list at `path`, to be given to `read_list` and closed.

    Raises `UsageError` if there is no such file, `MetadataError` if it may not be read.
    """
    if path.is_dir():
        raise UsageError(f"the image list {path} is a directory", hint="give the CSV file or archive in it")
    try:
        return HashedFile(path)
    except FileNotFoundError as error:
        raise UsageError(f"there is no image list {path}") from error
    except OSError as error:
        raise MetadataError(f"the image list {path} cannot be read: {error.strerror}") from error


def identify(path: Path, check: Callable[[], object]) -> ListFile:
    """What the list at `path` is known by; `check` is called now and then. Raises as `open_local_list` does."""
    with open_local_list(path) as file, reading(str(path)):
        while file.read(1024 * 1024):
            check()
        return file.identity


def read_list(
    stream: Stream, name: str, subsets: frozenset[str], known_subsets: frozenset[str], skipped: Skipped
) -> Iterator[Image]:
    """The images of `subsets` in an image list, packed or plain; ends only after the stream's (verified) end.

    Raises `MetadataError` for what is no image list, is damaged, holds no
    images, or has more bad rows than may be skipped.
    """
    for list_name, pieces in open_lists(stream, name):
        lines = Lines(pieces)
        with reading(list_name, lines):
            yield from read_images(
                iter(lines), name=list_name, subsets=subsets, known_subsets=known_subsets, skipped=skipped
            )
    skipped.check(name)


def open_lists(stream: Stream, name: str, suffixes: Sequence[str] = (".csv",)) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The CSV files in `stream`, each in pieces of whole lines: it may be one itself, gzipped, or a tar of some.

    What it is, its first bytes say, not `name`. Pieces are to be read before the
    next file is asked for, and where `reading` is about. Reads the stream to its end.
    """
    with reading(name):
        content = _Peeked(_gunzipped(_Peeked(stream, 2)), tarfile.BLOCKSIZE)
    if content.head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise MetadataError(
            f"{name} is UTF-16 text, by the byte order mark in line 1",
            hint="save it as UTF-8, for example with `iconv -f utf-16 -t utf-8`",
        )
    if not content.head[_TAR_MAGIC_AT:].startswith(b"ustar"):
        yield name, _pieces(content, name)
        return
    is_empty = True
    for member, file in _members(content, name):
        if member.suffix in suffixes:
            is_empty = False
            yield f"{name}: {member}", _pieces(file, name)
    if is_empty:
        raise MetadataError(f"{name} holds no image list", hint="a .csv file is looked for in it")


class Lines:
    """The lines of UTF-8 text, with their ends, which comes in pieces of whole lines; to be gone through once.

    It knows which piece is being read, so `first_undecodable` can say where text is not UTF-8.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._before = 0  # lines

    def __iter__(self) -> Iterator[str]:
        # Only "\n" ends a line, so that csv sees line ends as they are. There is no faster way to get
        # lines: a generator that yields each costs 1 µs a line.
        return chain.from_iterable(
            io.TextIOWrapper(io.BytesIO(piece), encoding="utf-8", newline="\n") for piece in self._noted()
        )

    def _noted(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._before += self._piece.count(b"\n")
            self._piece = piece
            yield piece

    def texts(self) -> Iterator[str]:
        """The pieces as text."""
        return map(bytes.decode, self._noted())

    def first_undecodable(self) -> str:
        """Where the piece that was read last stops being UTF-8, in words."""
        try:
            self._piece.decode()
        except UnicodeDecodeError as error:
            line = self._before + self._piece.count(b"\n", 0, error.start) + 1
            return f"line {line} has the byte 0x{self._piece[error.start]:02x}"
        return "it has bytes that are none"


@contextmanager
def reading(name: str, lines: Lines | None = None) -> Iterator[None]:
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


class _Peeked(io.RawIOBase):
    """A stream whose first bytes were looked at, and are read again."""

    def __init__(self, stream: Stream, count: int) -> None:
        self._stream = stream
        self.head = b""
        while len(self.head) < count and (more := stream.read(count - len(self.head))):
            self.head += more
        self._unread = self.head

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._unread and size >= 0:
            data, self._unread = self._unread[:size], self._unread[size:]
            return data
        data, self._unread = self._unread, b""
        return data + (self._stream.read(size) or b"")


class _Member(tarfile.TarInfo):
    """A member's header; one that is damaged or cut off is an error, where tarfile takes it for the end.

    So is one that announces more about the next member than any would have.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        member = super().frombuf(buf, encoding, errors)
        if member.type in _NOTES and member.size > MAX_NOTE_BYTES:
            raise tarfile.ReadError(f"the name or the notes of a member have {member.size} bytes")
        return member

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_Member":
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the zeros that end an archive; not in typeshed
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error
        except RecursionError as error:
            raise tarfile.ReadError("there is no end to the notes of a member") from error


def _members(content: Stream, name: str) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    """The plain files of the tar `content`, by names that are safe below any directory; then reads it out."""
    seen: set[PurePosixPath] = set()
    directories = {PurePosixPath()}
    with reading(name), tarfile.open(fileobj=content, mode="r|", bufsize=_CHUNK, tarinfo=_Member) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or "\0" in member.name:
                raise _hostile(name, member, "leads out of its directory")
            if member.isdir():
                continue
            if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
                raise _hostile(name, member, "is not a plain file")
            if path in seen or path in directories or not seen.isdisjoint(path.parents):
                raise _hostile(name, member, "is there twice")
            seen.add(path)
            directories.update(path.parents)
            file = tar.extractfile(member)
            assert file is not None
            yield path, file
    for _ in _chunks(content, name):  # the end of a tar is not yet the end of the gzip, nor that of the stream
        pass


def _hostile(name: str, member: tarfile.TarInfo, why: str) -> MetadataError:
    return MetadataError(
        f"{name} is refused: its member {member.name!r} {why}",
        hint="nothing of it was unpacked; no archive of Open Images has such a member",
    )


def _gunzipped(stream: _Peeked) -> Stream:
    return gzip.GzipFile(fileobj=stream) if stream.head == b"\x1f\x8b" else stream


def _copy(content: IO[bytes], path: Path, name: str) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in _chunks(content, name):
                file.write(chunk)


def _moved(names: list[PurePosixPath], staging: Path, destination: Path, name: str) -> tuple[Path, ...]:
    root = destination.resolve()
    for member in names:
        if not (root / member).parent.resolve().is_relative_to(root):
            raise MetadataError(
                f"{name} is refused: {destination / member.parent} is a link that leads out of {destination}",
                hint="nothing was unpacked; remove the link or choose another --root-dir",
            )
    for member in names:
        (root / member).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staging / member, root / member)
    return tuple(destination / member for member in names)


def _pieces(content: Stream | IO[bytes], name: str) -> Iterator[bytes]:
    """The bytes of `content` in pieces of whole lines, none of these much longer than `MAX_LINE_BYTES`."""
    rest = b""
    with reading(name):
        for chunk in _chunks(content, name):
            if b"\0" in chunk:
                raise MetadataError(f"{name} is not a text file", hint=_WHAT_IS_NEEDED)
            whole, newline, last = chunk.rpartition(b"\n")
            if newline:
                yield rest + whole + newline
                rest = b""
            rest += last
            if len(rest) > MAX_LINE_BYTES:
                raise MetadataError(f"{name} has a line of more than {MAX_LINE_BYTES} bytes, so it is no image list")
        if rest:
            yield rest


def _chunks(stream: Stream | IO[bytes], name: str) -> Iterator[bytes]:
    while True:
        with reading(name):
            chunk = stream.read(_CHUNK)
        if not chunk:
            return
        yield chunk
