"""`oidl verify`: finds the differences between disk and database; `--repair` repairs them and changes nothing else."""

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from oidl.model import Finding
from oidl.pipeline.verify import Verifier, VerifySettings
from oidl.progress.verify import VerifyMeter
from oidl.report.verify import verify_json
from oidl.state.connection import StateConnection
from oidl.state.database import open_writer

SAVING = ("--save-original-images", "--resize-box-size=64", "--nodownload-metadata")
NOTHING_FOUND = dict.fromkeys(
    (
        "missing",
        "wrong_size",
        "wrong_md5",
        "damaged",
        "incomplete",
        "misplaced",
        "wrong_shard",
        "wrong_pack",
        "unreadable",
        "orphan",
        "leftover",
        "unrecorded",
        "foreign",
    ),
    0,
)


@pytest.fixture
def settled(fine, run, root: Path):
    """A settled run that kept the originals."""
    assert run(fine, *SAVING).returncode == 0
    fine.site.requests.clear()
    return fine


@pytest.fixture
def verify(oidl, root: Path):
    """What `oidl verify --json` says: its exit code and the object."""

    def start(*arguments: object) -> tuple[int, dict]:
        ended = oidl("verify", "--json", "--root-dir", root, *arguments)
        assert ended.stderr == ""
        return ended.returncode, json.loads(ended.stdout)

    return start


@pytest.fixture
def file_of(root: Path, ask):
    """The path of one file of the `number`th image."""

    def path(fine, number: int, rendition: str = "images-resized") -> Path:
        image_id = fine.images[number].image.image_id
        ((recorded,),) = ask("SELECT path FROM file WHERE image_id = ? AND rendition = ?", image_id, rendition)
        return root / recorded

    return path


@pytest.fixture
def snapshot(root: Path, ask, tree):
    """Everything that a run leaves: rows, tallies and files."""

    def look() -> tuple:
        return (
            ask("SELECT image_id, status, reason, source, url, bytes, md5 FROM download"),
            ask("SELECT image_id, rendition, path, bytes FROM file"),
            ask("SELECT name, files, bytes FROM rendition"),
            ask("SELECT * FROM progress"),
            tree(root / "2017_11"),
        )

    return look


def flip(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 0xFF
    path.write_bytes(body)


def cut(path: Path) -> None:
    """As long as before, but its second half is nothing."""
    body = path.read_bytes()
    path.write_bytes(body[: len(body) // 2].ljust(len(body), b"\0"))


@pytest.mark.parametrize(("typed", "threads"), [((), 5), (("--threads=3",), 3)])
def test_files_are_read_in_as_many_threads_as_were_asked_for(
    typed: tuple[str, ...], threads: int, settled, verify, monkeypatch: pytest.MonkeyPatch
):
    asked: list[int] = []

    class RecordingVerifier(Verifier):
        def __init__(self, db: StateConnection, settings: VerifySettings, *arguments: Any, **more: Any) -> None:
            asked.append(settings.threads)
            super().__init__(db, settings, *arguments, **more)

    monkeypatch.setattr("oidl.cli.commands.verify.Verifier", RecordingVerifier)
    monkeypatch.setattr("oidl.cli.commands.verify.usable_cores", lambda: 5)
    assert verify(*typed)[0] == 0
    assert asked == [threads]


def test_after_a_run_all_is_well(settled, verify, oidl, root: Path):
    code, said = verify()
    assert code == 0
    assert said["is_sound"]
    assert said["files"] == said["looked_up"] == 2 * len(settled.images)
    assert said["found"] == NOTHING_FOUND
    text = oidl("verify", "--root-dir", root)
    assert (text.returncode, text.stderr) == (0, "")
    assert "checked 48 recorded files and looked at 48 files on the disk" in text.stdout
    assert text.stdout.endswith("no problems found\n")


@pytest.fixture
def spoilt(settled, file_of, snapshot, root: Path):
    """One of each thing that can be wrong; returns how it was before, and the paths by what is wrong."""
    before = snapshot()
    paths = {
        "missing": file_of(settled, 0),
        "wrong_size": file_of(settled, 1),
        "damaged": file_of(settled, 2),
        "wrong_md5": file_of(settled, 3, "original"),
    }
    paths["missing"].unlink()
    os.truncate(paths["wrong_size"], 100)
    cut(paths["damaged"])
    flip(paths["wrong_md5"])
    homes = {image.subset: root / "2017_11" / image.subset for image in (listed.image for listed in settled.images)}
    image = settled.images[4].image
    # The same image's file, where another layout would have put it.
    paths["orphan"] = homes[image.subset] / "images-resized" / f"{image.image_id}.jpg"
    paths["orphan"].write_bytes(b"left behind")
    paths["foreign"] = homes["train"] / "images-resized" / "notes.txt"
    paths["foreign"].write_text("mine", "utf-8")
    return before, paths


@pytest.mark.parametrize("size", [1, 2, 7])
def test_pages_of_any_size_find_the_same(size: int, settled, spoilt, root: Path):
    settings = VerifySettings(root, True, file_page=size, thread_files=size, entry_page=size, done_page=size)
    meter = VerifyMeter(time.monotonic)

    async def tell(findings: Sequence[Finding]) -> None:
        pass

    with open_writer(root / "oidl.sqlite3") as db:
        trio.run(Verifier(db, settings, meter, now_s=time.time(), is_running=lambda: False, tell=tell).run)
    said = json.loads(verify_json(meter.statistics(), is_repaired=True, is_interrupted=False))
    assert said["found"] == NOTHING_FOUND | dict.fromkeys(spoilt[1], 1)
    assert (said["files"], said["requeued"], said["removed"]) == (2 * len(settled.images), 4, 4)


@pytest.fixture
def leftovers(settled, root: Path, ask):
    ((token,),) = ask("SELECT token FROM run")
    parts = root / "2017_11/train/images-resized/.oidl-part"
    parts.mkdir()
    ours, anothers = parts / f"{token}-7", parts / "0badc0de-7"
    for path in (ours, anothers):
        path.write_bytes(b"half")
    (root / ".oidl-unpacking").mkdir()
    csv = root / "2017_11/train/.images-success.csv.oidl-part-1234567"
    csv.write_text("half", "utf-8")
    return ours, anothers, root / ".oidl-unpacking", csv


def test_each_fault_is_found_by_name_and_nothing_is_changed(settled, spoilt, verify, oidl, snapshot, root: Path):
    _, paths = spoilt
    before = snapshot()
    code, said = verify()
    assert code == 3
    assert not said["is_sound"]
    assert said["found"] == NOTHING_FOUND | dict.fromkeys(paths, 1)
    assert {fault: [example["path"] for example in found] for fault, found in said["examples"].items()} == {
        fault: [str(path.relative_to(root))] for fault, path in paths.items()
    }
    assert said["examples"]["missing"][0]["image_id"] == settled.images[0].image.image_id
    assert (said["requeued"], said["removed"]) == (0, 0)
    text = oidl("verify", "--root-dir", root)
    assert (text.returncode, text.stderr) == (3, "")
    for fault, path in paths.items():
        assert f"{fault:<12}{path.relative_to(root)}" in text.stdout
    assert (
        f"run `oidl verify --root-dir {root} --repair`, then `oidl run --root-dir {root}` to fetch what is missing"
        in text.stdout
    )
    assert snapshot() == before


def test_repair_and_run_bring_exactly_that_back(settled, spoilt, verify, run, ask, snapshot):
    before, paths = spoilt
    code, said = verify("--repair")
    assert code == 3
    assert said["found"] == NOTHING_FOUND | dict.fromkeys(paths, 1)
    assert (said["requeued"], said["removed"]) == (4, 4)
    assert [path.exists() for path in paths.values()] == [False] * 5 + [True]
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [
        ("done", len(settled.images) - 4),
        ("pending", 4),
    ]
    assert ask("SELECT status, images FROM progress WHERE status = 'pending' AND images > 0") != []
    paths["foreign"].unlink()

    assert run(settled, *SAVING).returncode == 0
    # Three are made from their originals on disk; the original that was spoilt is the only one to be fetched.
    assert settled.requests == {settled.path_of(settled.images[3]): 1}
    assert snapshot() == before
    assert verify()[0] == 0


def test_a_repair_with_only_orphans_leaves_nothing_to_do(settled, verify, root: Path, tree):
    before = tree(root / "2017_11")
    image = settled.images[0].image
    orphan = root / f"2017_11/{image.subset}/images-resized/{image.image_id}.jpg"
    orphan.write_bytes(b"left behind")
    code, said = verify("--repair")
    assert (code, said["requeued"], said["removed"], said["is_sound"]) == (0, 0, 1, True)
    assert tree(root / "2017_11") == before


@pytest.mark.parametrize(
    "name",
    ["0123456789abcdef.jpg", "notes.txt", "{id}.png", "{id}.jpg.bak", "abc/{id}.jpg", "123_0a1b2c_o.jpg", "{ID}.jpg"],
)
def test_what_could_not_be_ours_is_told_of_and_never_removed(name: str, settled, verify, root: Path):
    image = settled.images[0].image
    name = name.replace("{id}", image.image_id).replace("{ID}", image.image_id.upper() + "A")
    path = root / "2017_11" / image.subset / "images-resized" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"somebody's")
    for arguments in ((), ("--repair",)):
        code, said = verify(*arguments)
        assert (code, said["is_sound"]) == (0, True)
        assert said["found"] == NOTHING_FOUND | {"foreign": 1}
    assert path.read_bytes() == b"somebody's"


@pytest.mark.parametrize(
    "path",
    ["{precious}", "../precious.jpg", "{other}", "{original}", "", ".", "2017_11", "a\0b", "{itself}\0", "x" * 5000],
)
def test_a_file_that_a_row_names_and_no_run_can_have_written_is_left_alone(
    path: str, settled, verify, file_of, tell, run, root: Path, tmp_path: Path
):
    precious = tmp_path / "precious.jpg"
    precious.write_bytes(b"mine")
    image = settled.images[0].image
    names = {"precious": precious, "itself": file_of(settled, 0).relative_to(root)}
    names |= {
        "other": file_of(settled, 1).relative_to(root),
        "original": file_of(settled, 0, "original").relative_to(root),
    }
    tell(
        "UPDATE file SET path = ? WHERE image_id = ? AND rendition = 'images-resized'",
        path.format_map(names),
        image.image_id,
    )
    code, said = verify()
    assert (code, said["is_sound"]) == (3, False)
    assert said["found"] == NOTHING_FOUND | {"misplaced": 1, "orphan": 1}
    assert verify("--repair")[1]["removed"] == 1
    assert precious.read_bytes() == b"mine"
    assert all((root / names[name]).is_file() for name in ("other", "original"))
    assert run(settled, *SAVING).returncode == 0
    assert verify()[1]["found"] == NOTHING_FOUND


def test_originals_on_two_disks_are_of_the_root_both(fine, run, oidl, verify, ask, root: Path, tmp_path: Path):
    small, large = tmp_path / "small", tmp_path / "large"
    assert run(fine, f"--original-images-dir={small}", *SAVING, "--limit=5").returncode == 0
    assert run(fine, f"--original-images-dir={large}", *SAVING).returncode == 0
    assert verify()[0] == 0
    names = ("--rendition=original", "--format=imagefolder", f"--dest={tmp_path}/export")
    assert "left out" not in oidl("export", f"--root-dir={root}", *names).stdout
    assert len(list(tmp_path.glob("export/*/*.jpg"))) == len(fine.images)
    assert "removed original: 24 files" in oidl("renditions", "remove", f"--root-dir={root}", "original").stdout
    assert not list(small.rglob("*.jpg"))
    assert not list(large.rglob("*.jpg"))


def test_a_root_that_was_moved_with_its_originals_is_whole(fine, run, oidl, root: Path, tmp_path: Path):
    assert run(fine, f"--original-images-dir={root}/originals", *SAVING).returncode == 0
    moved = root.rename(tmp_path / "moved")
    assert json.loads(oidl("verify", "--json", f"--root-dir={moved}").stdout)["found"] == NOTHING_FOUND


def test_a_link_named_as_ours_is_not_ours(settled, verify, root: Path, tmp_path: Path):
    image = settled.images[0].image
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    link = root / f"2017_11/{image.subset}/images-resized/{image.image_id}.jpg"
    link.symlink_to(target)
    assert verify("--repair")[1]["found"] == NOTHING_FOUND | {"foreign": 1}
    assert link.is_symlink()


def test_an_original_without_a_row_is_kept_if_it_is_the_published_one(settled, verify, tell, file_of, run):
    """As after a kill, or from another downloader: the next run takes it as it is."""
    good, bad = file_of(settled, 0, "original"), file_of(settled, 1, "original")
    flip(bad)
    for listed in settled.images[:2]:
        image_id = listed.image.image_id
        tell("DELETE FROM file WHERE image_id = ? AND rendition = 'original'", image_id)
        tell("UPDATE download SET status = 'pending' WHERE image_id = ?", image_id)
    _, said = verify("--repair")
    assert said["found"] == NOTHING_FOUND | {"unrecorded": 1, "orphan": 1}
    assert (good.exists(), bad.exists()) == (True, False)
    assert run(settled, *SAVING).returncode == 0
    assert settled.requests == {settled.path_of(settled.images[1]): 1}


def test_an_image_that_is_done_without_a_file_its_run_was_asked_for_is_found(settled, verify, tell, ask, run):
    lost = settled.images[0].image.image_id
    tell("DELETE FROM file WHERE image_id = ? AND rendition = 'images-resized'", lost)
    code, said = verify()
    assert code == 3
    # Its file has no row any more, and so is an orphan.
    assert said["found"] == NOTHING_FOUND | {"incomplete": 1, "orphan": 1}
    assert said["examples"]["incomplete"][0] == {
        "path": None,
        "image_id": lost,
        "rendition": "images-resized",
        "detail": None,
    }
    assert verify("--repair")[1]["requeued"] == 1
    assert ask("SELECT image_id FROM download WHERE status = 'pending'") == [(lost,)]


def test_a_rendition_that_only_a_part_was_asked_for_is_no_lack(settled, verify, run):
    second = ("--resized-images-subdirectory=images-32", "--resize-box-size=32", "--subset=test")
    assert run(settled, "--nodownload-metadata", *second).returncode == 0
    assert verify()[1]["found"] == NOTHING_FOUND


def test_leftovers_of_killed_runs_are_found_and_removed_and_anothers_are_not(settled, leftovers, verify):
    ours, anothers, unpacking, csv = leftovers
    code, said = verify()
    assert code == 3
    assert said["found"] == NOTHING_FOUND | {"leftover": 3, "foreign": 1}
    assert verify("--repair")[0] == 0
    assert [path.exists() for path in (ours, unpacking, csv)] == [False] * 3
    assert anothers.exists()


def test_what_an_active_run_has_in_progress_is_not_reported(settled, leftovers, verify, tell):
    """Such as the file by which the nodes of a cluster find that they share the filesystem, which is as old as it."""
    tell("UPDATE run SET finished_at = NULL, outcome = NULL, pid = ?", os.getppid())
    assert verify()[1]["found"] == NOTHING_FOUND | {"leftover": 2, "foreign": 1}
    tell("UPDATE run SET finished_at = started_at")
    assert verify()[1]["found"] == NOTHING_FOUND | {"leftover": 2, "foreign": 2}


def test_flickr_names_are_told_apart_too(fine, run, verify, ask, root: Path):
    assert run(fine, "--name-files-by=flickr", "--nodownload-metadata").returncode == 0
    assert verify()[1]["found"] == NOTHING_FOUND
    orphan = root / "2017_11/train/images-resized/999/999_0a1b2c_o.jpg"
    orphan.parent.mkdir()
    orphan.write_bytes(b"left behind")
    assert verify("--repair")[1]["found"] == NOTHING_FOUND | {"orphan": 1}
    assert not orphan.exists()
    assert ask("SELECT count(*) FROM file") == [(len(fine.images),)]
    assert verify()[0] == 0


def test_a_format_that_is_not_decoded_is_said_so(fine, run, verify, oidl, root: Path, file_of):
    assert run(fine, "--resize-output-format=avif", "--nodownload-metadata").returncode == 0
    code, said = verify()
    assert (code, said["undecoded"]) == (0, len(fine.images))
    assert "checked only the size of 24 files" in oidl("verify", "--root-dir", root).stdout
    os.truncate(file_of(fine, 0), 100)
    assert verify()[1]["found"]["wrong_size"] == 1


def test_the_root_by_another_name_makes_no_orphans(fine, run, oidl, root: Path, tmp_path: Path):
    originals = root / "originals"
    arguments = (f"--original-images-dir={originals}", *SAVING)
    (tmp_path / "link").symlink_to(root)
    root.mkdir()
    assert oidl("run", f"--root-dir={tmp_path}/link", f"--catalogue={fine.catalogue}", *arguments).returncode == 0
    ended = oidl("verify", "--json", "--repair", "--root-dir", root)
    assert json.loads(ended.stdout)["found"] == NOTHING_FOUND


def test_an_absent_disk_is_not_taken_for_an_empty_one(fine, run, verify, oidl, root: Path, tmp_path: Path, ask):
    elsewhere = tmp_path / "mount"
    assert run(fine, f"--original-images-dir={elsewhere}", *SAVING).returncode == 0
    elsewhere.rename(tmp_path / "unmounted")
    assert verify()[1]["found"]["missing"] == len(fine.images)
    ended = oidl("verify", "--repair", "--root-dir", root)
    assert ended.returncode == 2
    assert "the directory of original does not exist" in ended.stderr
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]


def test_a_repair_refuses_while_a_run_is_at_work_and_a_check_does_not(fine, oidl, root: Path, verify, ask, wait_until):
    free = fine.path_of(fine.images[0])
    answer = fine.site.answers[free]
    fine.block_images()
    fine.site.answers[free] = answer
    process = oidl.start("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", *SAVING)
    wait_until(lambda: len(fine.requests) > 1)
    wait_until(lambda: ask("SELECT count(*) FROM download WHERE status = 'done'") == [(1,)])
    image = fine.images[1].image
    in_hand = root / f"2017_11/{image.subset}/images-resized/{image.image_id[:3]}/{image.image_id}.jpg"
    in_hand.parent.mkdir(parents=True, exist_ok=True)
    in_hand.write_bytes(b"just put there")
    code, said = verify()
    assert (code, said["found"], said["files"]) == (0, NOTHING_FOUND, 2)
    old = time.time() - 3600
    os.utime(in_hand, (old, old))
    assert verify()[1]["found"] == NOTHING_FOUND | {"orphan": 1}
    refused = oidl("verify", "--repair", "--root-dir", root)
    assert refused.returncode == 6
    assert f"is in use by process {process.pid}" in refused.stderr
    assert in_hand.exists()
    fine.gate.set()
    assert oidl.end(process).returncode == 0
    assert verify()[0] == 0


# The line is one write, as two threads check at once.
_SLOW = """
import os, sys
import oidl.pipeline.verify
from oidl.cli import main

check_files = oidl.pipeline.verify.check_files

def watched(*arguments):
    os.write(1, b"checking\\n")
    sys.stdin.read(1)
    return check_files(*arguments)

oidl.pipeline.verify.check_files = watched
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(name: signal.Signals, settled, oidl, root: Path, snapshot):
    before = snapshot()
    process = oidl.start("verify", "--repair", "--json", "--root-dir", root, program=_SLOW)
    assert process.stdout.readline() == "checking\n"
    process.send_signal(name)
    ended = oidl.end(process)
    assert (ended.returncode, ended.stderr) == (130, "")
    (said,) = (json.loads(line) for line in ended.stdout.splitlines() if line != "checking")  # by abandoned threads
    assert said["is_interrupted"]
    assert not said["is_sound"]
    assert snapshot() == before


def test_it_shows_progress_on_its_way(settled, oidl, root: Path):
    hasty = "import trio\nsleep = trio.sleep\ntrio.sleep = lambda seconds: sleep(seconds / 3000)\n"
    program = hasty + _SLOW.replace("    sys.stdin.read(1)\n", "    __import__('time').sleep(0.05)\n")
    ended = oidl.process("verify", "--root-dir", root, program=program)
    assert ended.returncode == 0
    assert "0 of 48 files · 0 wrong" in ended.stderr
    assert "of 48 files" not in ended.stdout


def test_who_stops_reading_ends_it_quietly(settled, file_of, oidl, root: Path):
    for number in range(len(settled.images)):
        file_of(settled, number).unlink()
    program = "import os, sys\nread, write = os.pipe()\nos.dup2(write, 1)\nos.close(read)\nfrom oidl.cli import main\n"
    ended = oidl.process("verify", "--root-dir", root, program=f"{program}sys.exit(main(sys.argv[1:]))")
    assert (ended.returncode, ended.stderr) == (3, "")


@pytest.mark.parametrize("arguments", [(), ("--repair",)])
def test_without_a_database_it_says_so_and_makes_none(arguments, oidl, root: Path):
    ended = oidl("verify", "--root-dir", root, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"there is no state database at {root}/oidl.sqlite3" in ended.stderr
    assert not root.exists()
