"""The members of a tar archive, by names that are safe. The only place that knows tar.

Nothing here is seekable: members come in the archive's order and are read as they arrive. A member's name is never
trusted: links, devices and names that lead out of their directory are refused.
"""

import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from oidl.dataset.streams import CHUNK_BYTES, Stream, chunks, translating_archive_errors
from oidl.errors import MetadataError

MAX_NOTE_BYTES = 1024 * 1024  # of a long name or of pax headers, which tarfile reads into memory at once
_NOTES = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
}


def members(content: Stream, name: str) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    """The plain files of the tar `content`, by names that are safe below any directory; then reads it out."""
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
    for _ in chunks(content, name):  # the end of a tar is not yet the end of the gzip, nor that of the stream
        pass


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


def _hostile(name: str, member: tarfile.TarInfo, why: str) -> MetadataError:
    return MetadataError(
        f"{name} is refused: its member {member.name!r} {why}",
        hint="nothing of it was unpacked; no archive of Open Images has such a member",
    )
