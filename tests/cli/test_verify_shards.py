"""`oidl verify` on a root whose images are in shards."""

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
import trio

from oidl.model import Finding
from oidl.pipeline.verify import Verifier, VerifySettings
from oidl.progress.verify import VerifyMeter
from oidl.state.database import open_reader

SAVING = ("--save-original-images", "--resize-box-size=64", "--nodownload-metadata", "--shard-samples=8")


class Image(NamedTuple):
    """An image in a shard of the root."""

    image_id: str
    shard: Path
    at: int
    bytes: int


BOTH = pytest.mark.parametrize("store", ["webdataset", "tfrecord"], indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "webdataset")


@pytest.fixture
def go(fine, run, store: str):
    return lambda *options: run(fine, *SAVING, f"--output-format={store}", *options)


@pytest.fixture
def settled(fine, go):
    """A settled run; 21 of its 24 images are in train, so in three shards of each rendition."""
    assert go().returncode == 0
    fine.site.requests.clear()
    return fine


@pytest.fixture
def verify(oidl, root: Path):
    def start(*arguments: object) -> tuple[int, dict]:
        ended = oidl("verify", "--json", "--root-dir", root, *arguments)
        assert ended.stderr == ""
        said = json.loads(ended.stdout)
        said["found"] = {fault: count for fault, count in said["found"].items() if count}
        return ended.returncode, said

    return start


@pytest.fixture
def images(root: Path, ask):
    """The images of the second shard of train, in their order."""

    def look(rendition: str = "images-resized") -> list[Image]:
        rows = ask(
            "SELECT f.image_id, f.path, f.bytes FROM file AS f JOIN shard_member AS m USING (image_id) "
            "JOIN shard AS s USING (shard_id) JOIN shard_set AS t ON t.set_id = s.set_id "
            "WHERE f.rendition = ?1 AND t.rendition = ?1 AND s.split = 'train' AND s.number = 1 ORDER BY m.place",
            rendition,
        )
        places = ((image_id, *path.split("#"), size) for image_id, path, size in rows)
        return [Image(image_id, root / shard, int(at), size) for image_id, shard, at, size in places]

    return look


@pytest.fixture
def pending(ask):
    return lambda: {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'pending'")}


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def flip(path: Path, at: int) -> None:
    overwrite(path, at, bytes([path.read_bytes()[at] ^ 0xFF]))


def _damage(shard: Path, members: list[Image], how: str) -> None:
    match how:
        case "flip":
            flip(shard, members[3].at + members[3].bytes // 2)
        case "cut":
            os.truncate(shard, members[4].at + 10)
        case "remove":
            shard.unlink()
        case "lengthen":
            overwrite(shard, shard.stat().st_size, b"\0")


@BOTH
def test_after_a_run_in_shards_all_is_well(settled, verify, oidl, root: Path):
    code, said = verify()
    assert (code, said["is_sound"], said["found"]) == (0, True, {})
    assert said["files"] == 2 * len(settled.images)
    assert said["shards"] == said["looked_up"] == 10
    assert "checked 10 complete shards\n" in oidl("verify", "--root-dir", root).stdout
    assert verify("--repair")[1]["found"] == {}


@BOTH
def test_a_damaged_image_and_its_shard_are_found_and_nothing_is_changed(settled, verify, images, tree, root: Path):
    bad = images()[2]
    overwrite(bad.shard, bad.at + bad.bytes // 2, bytes(bad.bytes - bad.bytes // 2))
    before = tree(root)
    code, said = verify()
    assert (code, said["found"]) == (3, {"damaged": 1, "wrong_shard": 1})
    (damaged,), (shard,) = said["examples"]["damaged"], said["examples"]["wrong_shard"]
    recorded = str(bad.shard.relative_to(root))
    assert (damaged["image_id"], damaged["path"]) == (bad.image_id, f"{recorded}#{bad.at}")
    assert (shard["image_id"], shard["path"], shard["rendition"]) == (None, recorded, "images-resized")
    assert {name: body for name, body in tree(root).items() if "sqlite3" not in name} == {
        name: body for name, body in before.items() if "sqlite3" not in name
    }


@BOTH
def test_an_original_without_its_md5_is_found(settled, verify, images):
    bad = images("original")[0]
    flip(bad.shard, bad.at + bad.bytes // 2)
    # TFRecord has a checksum for each record, which is looked at first.
    assert set(verify()[1]["found"]) in ({"wrong_md5", "wrong_shard"}, {"damaged", "wrong_shard"})


@BOTH
def test_what_is_wrong_between_the_images_is_found_by_the_shard(settled, verify, images):
    first = images()[0]
    at = first.shard.read_bytes().index(b"https://creativecommons.org")
    overwrite(first.shard, at, b"httpx")
    found = verify()[1]["found"]
    assert found.pop("wrong_shard") == 1
    assert found in ({}, {"damaged": 1})


@pytest.mark.parametrize(("how", "lost"), [("flip", 1), ("cut", 4), ("remove", 8), ("lengthen", 0)])
def test_only_the_damaged_images_of_a_shard_are_done_again(
    how: str, lost: int, settled, verify, images, go, ask, pending, tree, root: Path
):
    members = images()
    shard = members[0].shard
    bodies = {image.image_id: shard.read_bytes()[image.at : image.at + image.bytes] for image in members}
    _damage(shard, members, how)
    code, said = verify("--repair")
    name = {"flip": "damaged", "cut": "wrong_size", "remove": "missing", "lengthen": ""}[how]
    assert (code, said["found"]) == (3, {"wrong_shard": 1} | ({name: lost} if lost else {}))
    assert (said["requeued"], said["removed"]) == (lost, 0)
    assert len(pending()) == lost
    assert verify()[1]["found"] == {}

    assert go().returncode == 0
    assert settled.requests == {}  # they are made from the originals in their shards
    assert not shard.exists()
    for image_id, body in bodies.items():
        ((path, size),) = ask(
            "SELECT path, bytes FROM file WHERE image_id = ? AND rendition = 'images-resized'", image_id
        )
        name, _, at = path.partition("#")
        assert (root / name).read_bytes()[int(at) : int(at) + size] == body
    assert verify()[1]["found"] == {}


def test_what_is_copied_out_of_a_shard_is_checked(settled, verify, images, go, tell, pending, root: Path):
    first, *_, last = images()
    tell("DELETE FROM file WHERE image_id = ? AND rendition = 'images-resized'", first.image_id)
    flip(last.shard, last.at + last.bytes // 2)
    assert "1 image missing from shards will be fetched again" in go("--log-to-stdout").stdout
    assert not last.shard.exists()
    assert verify()[1]["found"].keys() <= {"incomplete"}  # the first, which no run of this plan makes again


@pytest.mark.parametrize("how", ["flip", "cut", "remove", "lengthen"])
def test_all_images_of_a_shard_without_checksums_are_done_again(
    how: str, settled, verify, images, go, ask, tell, pending, tree, root: Path
):
    tell("UPDATE shard_member SET crc32 = NULL")
    members = images()
    shard = members[0].shard
    _damage(shard, members, how)
    others = tree(root / "2017_11")
    others.pop(str(shard.relative_to(root / "2017_11")), None)
    code, said = verify("--repair")
    assert (code, said["found"]) == (3, {"wrong_shard": 1})  # its images have no rows by the time they are looked at
    assert (said["requeued"], said["removed"]) == (8, int(how != "remove"))
    assert pending() == {image.image_id for image in members}
    assert tree(root / "2017_11") == others
    assert ask("SELECT count(*) FROM shard WHERE path = ?", str(shard.relative_to(root))) == [(0,)]
    assert ask("SELECT * FROM removed_file") == []
    assert verify()[1]["found"] == {}

    assert go().returncode == 0
    assert settled.requests == {}  # they are made from the originals in their shards
    assert verify()[1]["found"] == {}
    assert others.items() <= tree(root / "2017_11").items()


@BOTH
def test_one_wrong_image_of_a_good_shard_loses_its_row_and_the_others_are_copied(
    settled, verify, images, go, ask, tell, pending, root: Path
):
    members = images()
    bad, shard = members[2], members[0].shard
    bodies = {image.image_id: shard.read_bytes()[image.at : image.at + image.bytes] for image in members}
    tell(
        "UPDATE file SET path = replace(path, '#', '#1') WHERE image_id = ? AND rendition = 'images-resized'",
        bad.image_id,
    )
    code, said = verify("--repair")
    assert (code, said["found"], said["requeued"], said["removed"]) == (3, {"damaged": 1}, 1, 0)
    assert pending() == {bad.image_id}
    assert shard.exists()
    recorded = str(shard.relative_to(root))
    assert ask("SELECT state FROM shard WHERE path = ?", recorded) == [("stale",)]
    assert verify()[1]["found"] == {}

    assert go().returncode == 0
    assert not shard.exists()
    assert settled.requests == {}
    assert ask("SELECT count(*) FROM shard WHERE path = ?", recorded) == [(0,)]
    assert ask("SELECT count(*) FROM file") == [(2 * len(settled.images),)]
    for image_id, body in bodies.items():
        ((path, size),) = ask(
            "SELECT path, bytes FROM file WHERE image_id = ? AND rendition = 'images-resized'", image_id
        )
        name, _, at = path.partition("#")
        assert (root / name).read_bytes()[int(at) : int(at) + size] == body
    assert verify()[1]["found"] == {}


def test_damage_in_a_shard_that_lost_an_image_is_still_found(settled, verify, images, tell):
    first, *_, last = images()
    tell("DELETE FROM file WHERE image_id = ? AND rendition = 'images-resized'", first.image_id)
    flip(last.shard, last.at + last.bytes // 2)
    assert verify()[1]["found"]["wrong_shard"] == 1


def test_a_shard_without_a_row_is_an_orphan_and_one_with_a_row_is_none(settled, verify, images, root: Path, store: str):
    suffix = images()[0].shard.suffix
    home = root / "2017_11/train/images-resized"
    orphans = [home / f"train-000077{suffix}", home / f"train-000078{suffix}.part"]
    foreign = [
        home / f"train-77{suffix}",
        home / f"test-000077{suffix}",
        home / "000" / f"train-000077{suffix}",
        home / "train-000077.zip",
    ]
    (home / "000").mkdir()
    for path in orphans + foreign:
        path.write_bytes(b"not known")
    assert verify()[1]["found"] == {"orphan": 2, "foreign": 4}
    assert verify("--repair")[1]["removed"] == 2
    assert [path.exists() for path in orphans + foreign] == [False] * 2 + [True] * 4
    assert verify()[0] == 0


def test_a_tar_in_a_directory_without_shards_belongs_to_the_user(fine, run, verify, root: Path):
    assert run(fine, "--nodownload-metadata", "--resize-box-size=64").returncode == 0
    mine = root / "2017_11/train/images-resized/train-000000.tar"
    mine.write_bytes(b"mine")
    assert verify("--repair")[1]["found"] == {"foreign": 1}
    assert mine.exists()


@pytest.fixture
def opened(settled, images, tell, root: Path) -> list[Image]:
    """The second shard of train as a kill leaves it: open, with more in it than rows say."""
    members = images()
    shard = members[0].shard
    tell("UPDATE shard SET state = 'open', sha256 = NULL WHERE path = ?", str(shard.relative_to(root)))
    shard.rename(f"{shard}.part")
    with open(f"{shard}.part", "ab") as file:
        file.write(b"the beginning of a record")
    return members


@BOTH
def test_an_open_shard_is_read_and_no_stray(opened, verify, go, root: Path):
    assert verify()[1]["found"] == {}
    assert verify("--repair")[1]["found"] == {}
    assert go().returncode == 0
    assert verify()[1]["found"] == {}
    assert opened[0].shard.exists()


def test_an_open_shard_that_is_too_short_loses_its_last_images_only(opened, settled, verify, go, pending):
    last = opened[-1]
    os.truncate(f"{last.shard}.part", last.at + last.bytes // 2)
    code, said = verify("--repair")
    assert (code, said["found"], said["requeued"], said["removed"]) == (3, {"wrong_size": 1}, 1, 0)
    assert pending() == {last.image_id}
    assert go().returncode == 0
    assert settled.requests == {}
    assert verify()[1]["found"] == {}


@pytest.mark.parametrize(
    "path", ["{precious}#0", "../precious.tar#0", "2017_11/test/images-resized/train-000000.tar#5"]
)
def test_a_place_that_no_run_can_have_written_is_left_alone(
    path: str, settled, verify, images, tell, go, tmp_path: Path, store: str
):
    precious = tmp_path / "precious.tar"
    precious.write_bytes(b"mine")
    path = path.format(precious=precious)
    bad = images()[0]
    tell("UPDATE file SET path = ? WHERE image_id = ? AND rendition = 'images-resized'", path, bad.image_id)
    assert verify()[1]["found"] == {"misplaced": 1}
    assert verify("--repair")[1]["removed"] == 0
    assert go().returncode == 0
    assert precious.read_bytes() == b"mine"
    assert verify()[1]["found"] == {}


@pytest.mark.parametrize("state", ["sealed", "stale", "open"])
def test_a_shard_that_no_run_can_have_written_is_left_alone(
    state: str, settled, verify, images, tell, go, root: Path, tmp_path: Path
):
    precious = tmp_path / "precious.tar"
    precious.write_bytes(b"mine")
    shard = images()[0].shard
    tell("UPDATE shard SET path = ?, state = ? WHERE path = ?", str(precious), state, str(shard.relative_to(root)))
    assert verify()[1]["found"] == {"misplaced": 8, "orphan": 1}
    if state == "sealed":  # the others are settled by the run alone
        assert verify("--repair")[1]["requeued"] == 8
    assert go().returncode == 0
    assert precious.read_bytes() == b"mine"
    assert not list(tmp_path.glob("precious.tar.*"))
    verify("--repair")
    assert verify()[1]["found"] == {}


def test_a_removed_shard_outside_the_root_is_not_removed(settled, tell, go, tmp_path: Path, ask):
    precious = tmp_path / "precious.tar"
    precious.write_bytes(b"mine")
    tell("INSERT INTO removed_file (image_id, rendition, path) VALUES ('', 'images-resized', ?)", str(precious))
    assert go().returncode == 0
    assert precious.read_bytes() == b"mine"
    assert ask("SELECT * FROM removed_file") == []


def test_a_shard_whose_removal_was_cut_off_is_no_stray(settled, verify, tell, go, root: Path):
    left = root / "2017_11/train/images-resized/train-000099.tar"
    left.write_bytes(b"dropped")
    tell(
        "INSERT INTO removed_file (image_id, rendition, path) VALUES ('', 'images-resized', ?)",
        str(left.relative_to(root)),
    )
    assert verify()[1]["found"] == {}
    assert go().returncode == 0
    assert not left.exists()


def test_a_shard_that_is_only_in_an_object_store_is_left_out(settled, verify, images, tell, oidl, root: Path):
    shard = images()[0].shard
    tell("UPDATE shard SET is_local = 0, remote_url = 's3://x' WHERE path = ?", str(shard.relative_to(root)))
    shard.unlink()
    for arguments in ((), ("--repair",)):
        code, said = verify(*arguments)
        assert (code, said["found"], said["shards"], said["remote"]) == (0, {}, 9, 8)
    assert "left out 8 images in shards that are only in an object store" in oidl("verify", "--root-dir", root).stdout


@pytest.fixture
def packed(settled, images, tell, ask, tmp_path: Path) -> Path:
    """A shard of `oidl pack` that has the same bytes as one of the run."""
    shard = images()[0].shard
    copy = tmp_path / "pack" / shard.name
    copy.parent.mkdir()
    copy.write_bytes(shard.read_bytes())
    tell(
        "INSERT INTO shard_set (set_id, writer, directory, format, rendition, recipe, created_at, finished_at) "
        "VALUES (99, 'pack', ?, 'webdataset', 'images-resized', '{}', '', '')",
        str(copy.parent),
    )
    tell(
        "INSERT INTO shard (set_id, split, number, path, state, samples, bytes, sha256) "
        "SELECT 99, split, number, ?, state, samples, bytes, sha256 FROM shard WHERE path LIKE ?",
        str(copy),
        f"%{shard.parts[-2]}/{shard.name}",
    )
    return copy


def test_a_packed_shard_is_checked_too_and_packed_again_after_a_repair(packed, verify, oidl, ask, root: Path):
    assert verify()[1]["shards"] == 11
    flip(packed, 1000)
    code, said = verify()
    assert (code, said["found"]) == (3, {"wrong_pack": 1})
    assert said["examples"]["wrong_pack"][0]["path"] == str(packed)
    advice = oidl("verify", "--root-dir", root).stdout.splitlines()[-1]
    assert advice == (
        f"run `oidl verify --root-dir {root} --repair`; then run `oidl pack --root-dir {root}` with its options again "
        "to make the wrong shards again"
    )
    code, said = verify("--repair")
    assert (said["requeued"], said["removed"]) == (0, 0)
    assert packed.exists()
    assert ask("SELECT state, sha256 FROM shard WHERE set_id = 99") == [("planned", None)]
    assert ask("SELECT finished_at FROM shard_set WHERE set_id = 99") == [(None,)]
    assert verify()[1]["found"] == {}


def test_what_a_killed_pack_left_is_found_and_removed(packed, verify):
    ended = subprocess.Popen(["true"])
    ended.wait()
    mine, others = (packed.parent / f".x.tar.oidl-part-{pid}" for pid in (ended.pid, os.getppid()))
    mine.write_bytes(b"half")
    others.write_bytes(b"being written")  # by a pack that is running
    os.utime(mine, (0, 0))
    assert verify()[1]["found"] == {"leftover": 1}
    assert verify("--repair")[1]["removed"] == 1
    assert not mine.exists()
    assert others.exists()


def test_a_pack_that_was_moved_away_is_no_problem_but_a_missing_shard_is(packed, verify):
    packed.rename(packed.parent / "x")
    assert verify()[1]["found"] == {"wrong_pack": 1}
    (packed.parent / "x").unlink()
    packed.parent.rmdir()
    assert verify()[1]["found"] == {}


def test_what_a_run_copies_meanwhile_is_not_missing(settled, images, tell, root: Path):
    """The run that is active copies the second shard while it and its images are being looked at."""
    members = images()
    shard = members[0].shard
    shard.unlink()

    class CopyingMeter(VerifyMeter):
        def shard_checked(self) -> None:
            with closing(sqlite3.connect(root / "oidl.sqlite3")) as db, db:
                db.execute("UPDATE shard SET path = path || 'x' WHERE path = ?", (str(shard.relative_to(root)),))

        def files_checked(self, files: int, undecoded: int, remote: int = 0) -> None:
            with closing(sqlite3.connect(root / "oidl.sqlite3")) as db, db:
                db.execute("UPDATE file SET path = replace(path, '#', '#1') WHERE rendition = 'images-resized'")

    told: list[Finding] = []

    async def tell_findings(findings: Sequence[Finding]) -> None:
        told.extend(findings)

    with open_reader(root / "oidl.sqlite3") as db:
        verifier = Verifier(
            db,
            VerifySettings(root),
            CopyingMeter(time.monotonic),
            now_s=time.time() + 100,
            is_running=lambda: True,
            tell=tell_findings,
        )
        trio.run(verifier.run)
    assert told == []


@BOTH
def test_samples_that_a_power_cut_took_are_done_again(opened, settled, go, verify, tell, ask, root: Path):
    """The length of the shard reached the disk, some of its blocks did not: one within an image, one before it."""
    recorded = str(opened[0].shard.relative_to(root))
    lost = opened[1], opened[4]
    path = Path(f"{opened[0].shard}.part")
    overwrite(path, lost[0].at, bytes(lost[0].bytes))
    overwrite(path, lost[1].at - 400, bytes(400))
    tell("UPDATE run SET outcome = NULL, finished_at = NULL, synced_at = NULL, boot_id = 'another'")
    again = go()
    assert again.returncode == 0
    assert "2 files did not reach the disk and will be fetched again" in again.stdout
    assert settled.requests == {}
    assert ask("SELECT count(*) FROM shard WHERE path = ?", recorded) == [(0,)]
    assert ask("SELECT count(*) FROM file") == [(2 * len(settled.images),)]
    assert verify()[1]["found"] == {}


def test_status_counts_the_shards_of_each_rendition(opened, oidl, root: Path):
    """One of them is open, with the beginning of a record at its end that does not count."""
    shards = json.loads(oidl("status", "--json", f"--root-dir={root}").stdout)["shards"]
    sealed = [path.stat().st_size for path in root.glob("2017_11/*/images-resized/*.tar")]
    last = max((root / "2017_11/train/images-resized").glob("*.part"))
    end = last.stat().st_size - 1024 - len(b"the beginning of a record")
    uploads = {"uploaded": 0, "remote": 0, "waiting": 0}
    assert shards["images-resized"] == {"open": 1, "sealed": 4, "bytes": sum(sealed) + end} | uploads
    assert shards["original"]["sealed"] == 5
    text = oidl("status", f"--root-dir={root}").stdout
    assert "Of these in shards:\n\n    complete        open        size\n           4           1" in text


def test_a_removed_rendition_frees_its_shards_at_once(settled, images, go, oidl, verify, ask, root: Path):
    home = root / "2017_11/train/images-resized"
    size = sum(path.stat().st_size for path in root.glob("2017_11/*/images-resized/*.tar"))
    mine = home / "train-000077.tar"
    mine.write_bytes(b"mine")
    ended = oidl("renditions", "remove", "images-resized", f"--root-dir={root}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"removed images-resized: {len(settled.images)} files, {size / 1000:.1f} kB freed" in ended.stdout
    assert list(root.glob("2017_11/*/images-resized/*")) == [mine]
    assert ask("SELECT count(*) FROM shard AS s JOIN shard_set USING (set_id) WHERE rendition <> 'original'") == [(0,)]
    assert ask("SELECT rendition FROM shard_set") == [("original",)]
    assert ask("SELECT * FROM removed_file") == []
    mine.unlink()
    assert verify()[1]["found"] == {}


def test_a_removed_rendition_can_be_made_in_another_format(settled, run, oidl, verify, ask, root: Path):
    assert oidl("renditions", "remove", "images-resized", f"--root-dir={root}").returncode == 0
    assert oidl("renditions", "remove", "original", f"--root-dir={root}").returncode == 0
    assert run(settled, *SAVING, "--output-format=tfrecord").returncode == 0
    assert {*ask("SELECT format, rendition FROM shard_set")} == {
        ("tfrecord", "original"),
        ("tfrecord", "images-resized"),
    }
    assert verify()[1]["found"] == {}


def test_a_removal_that_was_cut_off_is_finished_by_the_next_one(
    settled, oidl, ask, verify, root: Path, monkeypatch: pytest.MonkeyPatch
):
    unlink, count = Path.unlink, iter(range(100))

    def broken(path: Path, *arguments: bool, **more: bool) -> None:
        if "images-resized" in str(path) and next(count) == 2:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", broken)
        ended = oidl("renditions", "remove", "images-resized", f"--root-dir={root}")
        assert (ended.returncode, "Permission denied" in ended.stderr) == (5, True), ended.stderr
    assert len(list(root.glob("2017_11/*/images-resized/*.tar"))) == 3
    assert oidl("renditions", "remove", "images-resized", f"--root-dir={root}").returncode == 0
    assert not list(root.glob("2017_11/*/images-resized"))
    assert ask("SELECT * FROM removed_file") == []
    assert verify()[1]["found"] == {}


def test_a_run_with_other_names_of_files_leaves_shards_as_they_are(settled, go, verify):
    """Shards have neither directories by prefix nor names of Flickr, so there is no other layout to be refused."""
    assert go("--no-prefix-dirs").returncode == 0
    assert go("--name-files-by=flickr").returncode == 0
    assert settled.requests == {}
    assert verify()[1]["found"] == {}


def test_a_second_size_is_made_from_originals_in_shards(settled, go, verify, ask, root: Path):
    assert go("--rendition=name=small,box=32").returncode == 0
    assert settled.requests == {}
    assert ask("SELECT count(*) FROM file WHERE rendition = 'small'") == [(len(settled.images),)]
    assert verify()[1]["found"] == {}
