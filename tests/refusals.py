"""What the tests of bad input share: the check of the error message, and the parts of lists and archives."""

import io
import tarfile

HEADER = (
    b"ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,"
    b"Author,Title,OriginalSize,OriginalMD5,Thumbnail300KURL\n"
)


def assert_one_clear_line(text: str) -> None:
    lines = text.splitlines()
    assert lines[0].startswith("oidl: ")
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("  "))
    assert "Traceback" not in text


def tar_gz(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member, body in members:
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def member_of(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member
