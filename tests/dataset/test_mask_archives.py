"""Masks leave ZIP archives of any origin unchanged, and an error names the damaged archive."""

import random
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from oidl.dataset import mask_archives
from oidl.dataset.mask_archives import MaskArchives
from oidl.errors import MetadataError
from oidl.model import Failure, Reason

IMAGE = "a" * 16
NAME = f"{IMAGE}_m01_0.png"
CONTENT = b"\x89PNG and so on" * 9


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[MaskArchives]:
    """Those in `tmp_path`, of `train`."""
    found: list[MaskArchives] = []

    class Late:
        def read(self, *of: str) -> bytes | Failure:
            found.append(MaskArchives({"train": tmp_path}))
            return found[-1].read("train", *of)

    yield Late()  # type: ignore[misc]
    for each in found:
        each.close()


def pack(path: Path, members: dict[str, bytes], **options: object) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as file:  # type: ignore[call-overload]
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("prefix", ["", "train-masks-a/"])
def test_each_member_is_read_by_its_name(method: int, prefix: str, archives: MaskArchives, tmp_path: Path) -> None:
    rng = random.Random(1)
    members = {f"{IMAGE}_m{number}.png": rng.randbytes(number) for number in range(300)}
    with zipfile.ZipFile(tmp_path / "train-masks-a.zip", "w", method) as file:
        file.comment = b"a comment, at the end of the file"
        for name, content in members.items():
            file.writestr(prefix + name, content)
    masks = MaskArchives({"train": tmp_path})
    assert {name: masks.read("train", IMAGE, name) for name in members} == members
    assert masks.read("train", IMAGE, "nosuch.png") == Failure(Reason.NOT_FOUND, "not in the mask archives")
    masks.close()
    assert masks.read("train", IMAGE, NAME) == Failure(Reason.NOT_FOUND, "not in the mask archives")
    masks.close()


def test_an_archive_of_more_members_than_16_bits_count_is_read(
    archives: MaskArchives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 10)  # so that the records of ZIP64 are written
    path = pack(
        tmp_path / "masks.zip", {f"{number}.png": bytes([number]) * 9 for number in range(20)} | {NAME: CONTENT}
    )
    assert b"PK\x06\x06" in path.read_bytes()
    assert archives.read(IMAGE, NAME) == CONTENT
    body = bytearray(path.read_bytes())
    end = body.rindex(b"PK\x05\x06")
    body[end + 8 : end + 20] = struct.pack("<2H2L", 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    path.write_bytes(body)
    assert archives.read(IMAGE, NAME) == CONTENT


def test_sizes_and_places_that_zip64_keeps_elsewhere_are_found(
    archives: MaskArchives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 5)
    path = pack(tmp_path / "masks.zip", {"other.png": b"other", NAME: CONTENT})
    assert b"\xff" * 8 + struct.pack("<H", len(NAME)) in path.read_bytes()
    assert b"\xff" * 4 + NAME.encode() in path.read_bytes()
    assert archives.read(IMAGE, NAME) == CONTENT


def test_only_the_archives_of_its_first_digit_are_asked_for_an_image(archives: MaskArchives, tmp_path: Path) -> None:
    pack(tmp_path / "train-masks-a.zip", {NAME: CONTENT})
    (tmp_path / "train-masks-b.zip").write_bytes(b"broken")
    masks = MaskArchives({"train": tmp_path, "test": tmp_path / "nowhere"})
    assert masks.read("train", IMAGE, NAME) == CONTENT
    assert isinstance(masks.read("test", IMAGE, NAME), Failure)
    assert masks.has_archive("train", "a")
    assert not masks.has_archive("train", "c")
    assert not masks.has_archive("test", "a")
    pack(tmp_path / "own-masks.zip", {"own.png": b"own"})
    masks.close()
    masks = MaskArchives({"train": tmp_path})
    assert masks.has_archive("train", "c")
    assert masks.read("train", IMAGE, "own.png") == b"own"
    masks.close()


def test_a_name_leads_nowhere(archives: MaskArchives, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    pack(tmp_path / "masks.zip", {"../secret": b"in the archive", "/etc/passwd": b"too"})
    assert isinstance(archives.read(IMAGE, "../secret"), Failure)
    assert archives.read(IMAGE, "secret") == b"in the archive"
    assert archives.read(IMAGE, "passwd") == b"too"


# ---- damage


def test_a_damaged_member_is_a_failure_and_the_others_are_read(archives: MaskArchives, tmp_path: Path) -> None:
    path = pack(tmp_path / "masks.zip", {NAME: CONTENT, "other.png": b"other"})
    sound = path.read_bytes()
    for place in range(sound.index(b"PK\x03\x04"), sound.index(b"other.png") - 30):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :])
        found = archives.read(IMAGE, NAME)
        assert found == CONTENT or (isinstance(found, Failure) and found.reason is Reason.CORRUPT), place
        assert archives.read(IMAGE, "other.png") == b"other"


def test_a_member_that_unpacks_to_more_than_it_says_is_not_unpacked(archives: MaskArchives, tmp_path: Path) -> None:
    path = pack(tmp_path / "masks.zip", {NAME: b"\0" * 9_000_000})
    body = bytearray(path.read_bytes())
    at = body.index(b"PK\x01\x02")
    body[at + 24 : at + 28] = struct.pack("<L", 100)
    path.write_bytes(body)
    tracemalloc.start()
    found = archives.read(IMAGE, NAME)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found, Failure)
    assert found.reason is Reason.CORRUPT
    assert peak < 1_000_000


def test_a_member_that_is_too_large_is_not_read(
    archives: MaskArchives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(tmp_path / "masks.zip", {NAME: CONTENT})
    monkeypatch.setattr(mask_archives, "MAX_MASK_BYTES", len(CONTENT) - 1)
    found = archives.read(IMAGE, NAME)
    assert isinstance(found, Failure)
    assert found.reason is Reason.TOO_LARGE


def test_an_encrypted_member_is_a_failure(archives: MaskArchives, tmp_path: Path) -> None:
    path = pack(tmp_path / "masks.zip", {NAME: CONTENT})
    body = bytearray(path.read_bytes())
    body[body.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(body)
    found = archives.read(IMAGE, NAME)
    assert isinstance(found, Failure)
    assert found.detail.startswith("encrypted")


@pytest.mark.parametrize("keep", [0, 3, 21, 60, -1, -10, -30])
def test_what_is_no_whole_archive_is_said_with_its_path(keep: int, archives: MaskArchives, tmp_path: Path) -> None:
    path = pack(tmp_path / "train-masks-a.zip", {NAME: CONTENT})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(MetadataError, match=r"the mask archive .*train-masks-a.zip cannot be read") as raised:
        archives.read(IMAGE, NAME)
    assert raised.value.hint == "remove it and fetch it again"


@pytest.mark.parametrize("seed", range(15))
def test_no_damage_is_a_traceback(seed: int, archives: MaskArchives, tmp_path: Path) -> None:
    rng = random.Random(seed)
    path = pack(tmp_path / "masks.zip", {NAME: CONTENT, "other.png": b"other"})
    for _ in range(30):
        body = bytearray(path.read_bytes())
        for _ in range(rng.randint(1, 8)):
            at = rng.choice((rng.randrange(len(body)), -rng.randint(1, 120)))
            body[at] = rng.choice((0, 0xFF, rng.randrange(256)))
        (tmp_path / "masks.zip").write_bytes(body)
        try:
            assert archives.read(IMAGE, NAME) is not None
        except MetadataError:
            pack(path, {NAME: CONTENT, "other.png": b"other"})


def test_an_unreadable_archive_is_said(archives: MaskArchives, tmp_path: Path) -> None:
    (tmp_path / "masks.zip").mkdir()
    with pytest.raises(MetadataError, match="Is a directory"):
        archives.read(IMAGE, NAME)


def test_memory_for_an_archive_is_little(tmp_path: Path) -> None:
    members = 4_000
    with zipfile.ZipFile(tmp_path / "masks.zip", "w") as file:
        for number in range(members):
            file.writestr(f"{number:016x}_m01_0.png", b"")
    masks = MaskArchives({"train": tmp_path})
    tracemalloc.start()
    masks.read("train", IMAGE, NAME)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    masks.close()
    assert kept < 20 * members
    assert peak < 300 * members
