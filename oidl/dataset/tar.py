"""The members of a tar archive, under safe names. The only module that knows tar.

Nothing is seekable: members come in the order of the archive and are read as they arrive. Member names are never
trusted: links, devices and names that lead out of their directory are refused.
"""

import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from oidl.dataset.streams import CHUNK_BYTES, Stream, chunks, translating_archive_errors
from oidl.errors import MetadataError

MAX_NOTE_BYTES = 1024 * 1024  # for long names and pax headers, which tarfile reads into memory at once
_NOTES = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
}


def members(content: Stream, name: str) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    """The plain files of the tar `content`, under names that are safe below any directory; then reads to its end."""
    seen: set[PurePosixPath] = set()
    directories = {PurePosixPath()}
    with (
        translating_archive_errors(name),
        tarfile.open(fileobj=content, mode="r|", bufsize=CHUNK_BYTES, tarinfo=_Member) as tar,
    ):
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
    for _ in chunks(content, name):  # the gzip and the stream continue after the end of the tar
        pass


class _Member(tarfile.TarInfo):
    """A member's header. A damaged or truncated one is an error, although tarfile takes it for the end.

    A header with unreasonably long names or notes for the next member is an error too.
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


def _hostile(name: str, member: tarfile.TarInfo, why: str) -> MetadataError:
    return MetadataError(
        f"{name} is refused: its member {member.name!r} {why}",
        hint="nothing of it was unpacked; no archive of Open Images has such a member",
    )
