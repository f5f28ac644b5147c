"""Archives are unpacked whole or not at all, and never outside their directory."""

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oidl.dataset.lists import MAX_LINE_BYTES, Lines, open_lists, read_list
from oidl.dataset.local_list import identify, open_local_list
from oidl.dataset.rows import ReadReport
from oidl.dataset.streams import Stream, translating_archive_errors
from oidl.dataset.tar import MAX_NOTE_BYTES
from oidl.dataset.unpack import unpack
from oidl.errors import DiskError, ExitCode, MetadataError, UsageError
from oidl.model import Image, ListFile

MakeTar = Callable[..., bytes]

FILES = {"2017_11/classes.txt": "/m/01\n", "2017_11/train/annotations-human.csv": "ImageID\n" * 1000}


def special(name: str, kind: bytes, target: str = "", pax_headers: dict[str, str] | None = None) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.pax_headers = kind, target, pax_headers or {}
    return member


HOSTILE = {
    "an absolute name": tarfile.TarInfo("/etc/oidl-test"),
    "a name that climbs": tarfile.TarInfo("2017_11/../../oidl-test"),
    "a climbing directory": special("../oidl-test", tarfile.DIRTYPE),
    "a symlink": special("2017_11/link", tarfile.SYMTYPE, "/etc"),
    "a hard link": special("2017_11/link", tarfile.LNKTYPE, "/etc/passwd"),
    "a device": special("2017_11/device", tarfile.CHRTYPE),
    "a pipe": special("2017_11/pipe", tarfile.FIFOTYPE),
    "a sparse file": special("2017_11/sparse", tarfile.REGTYPE, pax_headers={"GNU.sparse.map": "0,1"}),
    "a name with a NUL": tarfile.TarInfo("2017_11/é\0"),
    "no name": tarfile.TarInfo("."),
    "a name that was there": tarfile.TarInfo("./2017_11//classes.txt"),
    "a file as a directory": tarfile.TarInfo("2017_11/classes.txt/x"),
    "a directory as a file": tarfile.TarInfo("2017_11/train"),
}


class Dripping(io.RawIOBase):
    """A stream that gives one byte at a time, and says when it has been read to its end."""

    def __init__(self, content: bytes) -> None:
        self._rest = content
        self.is_at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        piece, self._rest = self._rest[:1], self._rest[1:]
        self.is_at_end = not piece
        buffer[: len(piece)] = piece
        return len(piece)


class Unverified(io.BytesIO):
    """A stream whose bytes turn out, at its end, not to be the published ones."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not data:
            raise MetadataError("not the published file")
        return data


def unpacked(content: bytes | Stream, root: Path) -> tuple[Path, ...]:
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    return unpack(stream, root / ".staging", root, name="a.tar.gz")


def everything_in(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_files_stand_under_their_names_as_plain_files(tar_gz: MakeTar, tmp_path: Path) -> None:
    told: list[str] = []
    content = tar_gz({f"./{name}": text for name, text in FILES.items()})
    paths = unpack(io.BytesIO(content), tmp_path / ".staging", tmp_path, on_name=told.append)
    assert paths == tuple(tmp_path / name for name in FILES)
    assert {str(path.relative_to(tmp_path)): path.read_text() for path in paths} == FILES
    assert not any(path.stat().st_mode & 0o7111 for path in paths)
    assert told == list(FILES)
    assert not (tmp_path / ".staging").exists()


def test_a_file_of_an_earlier_time_is_replaced(tar_gz: MakeTar, tmp_path: Path) -> None:
    unpacked(tar_gz({"2017_11/classes.txt": "old\n"}), tmp_path)
    unpacked(tar_gz(FILES), tmp_path)
    assert (tmp_path / "2017_11/classes.txt").read_text() == "/m/01\n"


def test_what_a_killed_run_left_is_not_mixed_in(tar_gz: MakeTar, tmp_path: Path) -> None:
    left = tmp_path / ".staging/2017_11/classes.txt"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    unpacked(tar_gz(FILES), tmp_path)
    assert (tmp_path / "2017_11/classes.txt").read_text() == "/m/01\n"


@pytest.mark.parametrize("member", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_member_is_refused_and_nothing_is_unpacked(
    tar_gz: MakeTar, tmp_path: Path, member: tarfile.TarInfo
) -> None:
    root = tmp_path / "root"
    with pytest.raises(MetadataError, match=r"a\.tar\.gz is refused: its member") as refused:
        unpacked(tar_gz(FILES, member), root)
    assert refused.value.exit_code is ExitCode.METADATA
    assert everything_in(tmp_path) == ["root"]


def test_a_link_on_disk_that_leads_out_is_not_followed(tar_gz: MakeTar, tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "2017_11").symlink_to(outside)
    with pytest.raises(MetadataError, match="leads out of"):
        unpacked(tar_gz(FILES), root)
    assert everything_in(outside) == []


@pytest.mark.parametrize("padding", [0, 1_000_000])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bytes_that_do_not_verify_are_never_moved_into_place(
    plain_tar: MakeTar, tmp_path: Path, padding: int, pack: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(MetadataError, match="not the published file"):
        unpacked(Unverified(pack(plain_tar(FILES) + bytes(padding))), tmp_path)
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("kind", ["tar_gz", "plain_tar"])
def test_an_archive_cut_short_is_refused_whole(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, share: float
) -> None:
    whole: bytes = request.getfixturevalue(kind)(FILES).rstrip(b"\0")
    with pytest.raises(MetadataError, match="cut short"):
        unpacked(whole[: int(len(whole) * share)], tmp_path)
    assert everything_in(tmp_path) == []


def test_a_damaged_header_is_not_taken_for_the_end(plain_tar: MakeTar, tmp_path: Path) -> None:
    content = bytearray(plain_tar(FILES))
    second = content.index(b"2017_11/train")
    content[second] ^= 1
    with pytest.raises(MetadataError, match="damaged"):
        unpacked(bytes(content), tmp_path)


def test_a_gzip_whose_checksum_is_wrong_is_refused(tar_gz: MakeTar, tmp_path: Path) -> None:
    content = bytearray(tar_gz(FILES))
    content[-5] ^= 1  # of the length, the last four bytes, or of the CRC before them
    with pytest.raises(MetadataError, match="damaged"):
        unpacked(bytes(content), tmp_path)
    assert everything_in(tmp_path) == []


def test_an_archive_without_files_is_refused(tar_gz: MakeTar, tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match="contains no files"):
        unpacked(tar_gz({}), tmp_path)


def test_a_root_that_is_a_file_is_a_disk_error(tar_gz: MakeTar, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match="could not be written"):
        unpacked(tar_gz(FILES), tmp_path / "file")


def listed(stream: Stream, subsets: frozenset[str], skipped: ReadReport | None = None) -> list[Image]:
    return list(read_list(stream, "list", subsets, subsets, skipped or ReadReport()))


def test_a_list_is_known_by_its_bytes_however_it_is_packed(
    published_list: str, subsets: frozenset[str], plain_tar: MakeTar
) -> None:
    text = published_list.encode()
    packed = plain_tar({"2017_11/train/images.csv": published_list, "2017_11/README": "no list"})
    kinds = [listed(io.BytesIO(kind), subsets) for kind in (text, gzip.compress(text), packed, gzip.compress(packed))]
    assert len(kinds[0]) == 10
    assert kinds == [kinds[0]] * 4


def test_every_list_of_an_archive_is_read(published_list: str, subsets: frozenset[str], tar_gz: MakeTar) -> None:
    skipped = ReadReport()
    files = {f"2017_11/{subset}/images.csv": published_list + "bad\n" for subset in ("train", "test")}
    with pytest.raises(MetadataError, match="the rows of list are bad: 2 of the first 22"):
        listed(io.BytesIO(tar_gz(files)), subsets, skipped)
    assert [example.partition(" line ")[0] for example in skipped.examples] == [f"list: {name}" for name in files]


def test_images_come_only_before_an_end_that_verifies(
    published_list: str, subsets: frozenset[str], tar_gz: MakeTar
) -> None:
    text = published_list.encode()
    for content in (text, gzip.compress(text), tar_gz({"images.csv": published_list})):
        images = read_list(Unverified(content), "list", subsets, subsets, ReadReport())
        with pytest.raises(MetadataError, match="not the published file"):
            list(images)


def test_bytes_may_come_one_by_one_and_are_all_read(
    published_list: str, subsets: frozenset[str], tar_gz: MakeTar
) -> None:
    stream = Dripping(tar_gz({"images.csv": published_list}) + bytes(100))
    assert len(listed(stream, subsets)) == 10
    assert stream.is_at_end


def test_real_lists_are_read_as_published(sample_lists: list[str], subsets: frozenset[str], tar_gz: MakeTar) -> None:
    content = tar_gz({f"2017_11/{number}/images.csv": text for number, text in enumerate(sample_lists)})
    assert len(listed(io.BytesIO(content), subsets)) == 3000


def _described(kind: bytes, size: int) -> bytes:
    """The headers and content of a tar's member that says something of `size` bytes about the next one."""
    start, end = (f"{size} comment=", "\n") if kind in (tarfile.XHDTYPE, tarfile.XGLTYPE) else ("", "")
    member = special("note", kind)
    member.size = size
    content = (start + "x" * (size - len(start + end)) + end).encode()
    return member.tobuf(tarfile.GNU_FORMAT) + content + bytes(-size % tarfile.BLOCKSIZE)


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_what_is_said_of_a_member_is_not_read_at_any_length(
    published_list: str, subsets: frozenset[str], plain_tar: MakeTar, kind: bytes
) -> None:
    listing = plain_tar({"images.csv": published_list})
    stream = io.BytesIO(_described(kind, MAX_NOTE_BYTES + 1) + listing)
    with pytest.raises(MetadataError, match=f"the name or the notes of a member have {MAX_NOTE_BYTES + 1} bytes"):
        listed(stream, subsets)
    if kind != tarfile.GNUTYPE_LONGNAME:  # by which the list would be called
        assert len(listed(io.BytesIO(_described(kind, MAX_NOTE_BYTES) + listing), subsets)) == 10


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_notes_about_notes_have_an_end(
    published_list: str, subsets: frozenset[str], plain_tar: MakeTar, kind: bytes
) -> None:
    stream = io.BytesIO(_described(kind, 100) * 5000 + plain_tar({"images.csv": published_list}))
    with pytest.raises(MetadataError, match="there is no end to the notes of a member"):
        listed(stream, subsets)


@pytest.mark.parametrize("member", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_list_beside_a_hostile_member_is_refused(
    published_list: str, subsets: frozenset[str], tar_gz: MakeTar, member: tarfile.TarInfo
) -> None:
    files = {"2017_11/classes.txt": "", "2017_11/train/images.csv": published_list}
    with pytest.raises(MetadataError, match="list is refused"):
        listed(io.BytesIO(tar_gz(files, member)), subsets)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "contains no images"),
        (b"\x1f\x8b", "is damaged or cut short"),
        (gzip.compress(b"ImageID" * 100, mtime=0)[:20], "is damaged or cut short"),
        (b"\xff\xd8\xff\xe0 a picture", "is not UTF-8 text"),
        (b"ImageID,\0Subset", "is not a text file"),
        (b"x" * (MAX_LINE_BYTES + 300_000), f"has a line of more than {MAX_LINE_BYTES} bytes"),
        (b"ImageID\n", "has no column Subset"),
        (b'"ImageID\n', "is not a CSV file: a quote is opened and not closed"),
    ],
)
def test_what_is_no_list_is_said_to_be_none(content: bytes, complaint: str, subsets: frozenset[str]) -> None:
    with pytest.raises(MetadataError, match=f"^list {complaint}"):
        listed(io.BytesIO(content), subsets)


CR_ALONE = b"ImageID,Source,LabelName,Confidence\r0000000000000001,me,/m/1,1\r"


@pytest.mark.parametrize("content", [CR_ALONE, CR_ALONE * 40_000, b"/m/1,Cat\r/m/2,Dog"])
def test_a_file_whose_lines_end_in_cr_alone_is_said_to(content: bytes) -> None:
    with pytest.raises(MetadataError) as caught:
        next(next(pieces for _, pieces in open_lists(io.BytesIO(content), "list.csv")))
    assert caught.value.message == "the lines of list.csv end in CR alone, as on old Macs"
    assert caught.value.hint == r"save it with LF or CRLF as line end, for example with `tr '\r' '\n'`"


def test_an_archive_without_a_list_is_refused(tar_gz: MakeTar) -> None:
    with pytest.raises(MetadataError, match="contains no image list"):
        list(open_lists(io.BytesIO(tar_gz({"classes.txt": ""})), "list"))


def test_long_lists_are_cut_into_lines_where_lines_end() -> None:
    text = "".join(f"{number},Парк\u2028\r\n" for number in range(100_000))  # of several chunks
    lines = [line for _, pieces in open_lists(io.BytesIO(text.encode()), "list") for line in Lines(pieces)]
    assert lines == [line + "\n" for line in text.split("\n")[:-1]]


def test_a_list_that_is_not_there_or_is_a_directory_is_a_usage_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(UsageError, match=str(path)):
            open_local_list(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_list_that_may_not_be_read_is_a_metadata_error(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.touch(mode=0)
    with pytest.raises(MetadataError, match="Permission denied"):
        open_local_list(path)


def test_a_file_beside_the_state_database_is_refused(tar_gz: MakeTar, tmp_path: Path) -> None:
    stream = io.BytesIO(tar_gz({"2017_11/classes.txt": "/m/0", "oidl.sqlite3": "hostile"}))
    with pytest.raises(MetadataError, match=r"oidl\.sqlite3 is in no directory"):
        unpack(stream, tmp_path / "staging", tmp_path / "root")
    assert not (tmp_path / "root" / "oidl.sqlite3").exists()
    assert not (tmp_path / "root" / "2017_11").exists()


def test_a_byte_that_is_not_utf_8_is_told_of_by_its_line(tmp_path: Path) -> None:
    text = "".join(f"{number},Парк\r\n" for number in range(50_000)).encode()  # of several chunks
    lines = text + "50000,Café\n".encode("latin-1") + text
    with pytest.raises(MetadataError, match=r"list is not UTF-8 text: line 50001 has the byte 0xe9") as refused:
        list(_numbered(io.BytesIO(lines)))
    assert "iconv" in refused.value.hint
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        mark = "" if encoding == "utf-16" else "\ufeff"
        with pytest.raises(MetadataError, match=r"UTF-16 text, by the byte order mark in line 1"):
            list(_numbered(io.BytesIO((mark + "ImageID,Subset\n").encode(encoding))))


def _numbered(stream: Stream) -> Iterator[str]:
    for name, pieces in open_lists(stream, "list"):
        lines = Lines(pieces)
        with translating_archive_errors(name, lines):
            yield from lines


def test_a_local_list_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"x" * 200_000)
    os.utime(path, (5, 5))
    known = ListFile(200_000, 5.0, hashlib.sha256(b"x" * 200_000).hexdigest())
    with open_local_list(path) as file:
        file.read(7)
        assert file.identity == known
    assert identify(path) == known
