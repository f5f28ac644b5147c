"""`oidl pack` from the command line: what it says, how it ends, and that it goes on where it was stopped."""

import json
import signal
import sys
import tarfile
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from oidl.demo.site import status_answer
from oidl.progress.lines import PacedLine
from oidl.text import counted

Pack = Callable[..., CompletedProcess[str]]


@pytest.fixture
def downloaded(fine, run) -> None:
    """24 images in one rendition, without any annotation."""
    assert run(fine, "--nodownload-metadata").returncode == 0


@pytest.fixture
def pack(oidl, root: Path) -> Pack:
    return lambda *arguments, **more: oidl("pack", f"--root-dir={root}", *arguments, **more)


@pytest.fixture
def shards(root: Path) -> Path:
    return root / "2017_11/pack/webdataset/images-resized"


@pytest.fixture
def files(ask, root: Path) -> Callable[[], list[Path]]:
    return lambda: [root / path for (path,) in ask("SELECT path FROM file ORDER BY image_id")]


def names(shards: Path) -> list[str]:
    found = []
    for path in sorted(shards.glob("*.tar")):
        with tarfile.open(path) as archive:
            found += [name.partition(".")[0] for name in archive.getnames()[::2]]
    return found


def test_it_says_what_was_written_where(downloaded: None, pack: Pack, shards: Path, ask, root: Path) -> None:
    ended = pack("--shard-samples=7")
    assert (ended.returncode, ended.stderr) == (0, "")
    head, *lines = ended.stdout.splitlines()
    assert head == f"{shards}: webdataset, rendition images-resized"
    missing = "  without boxes and labels, because none are loaded (see `oidl help annotations`); once they are, run "
    assert lines.pop() == f"{missing}`oidl pack --root-dir {root} --again` with the same options"
    for line, subset in zip(lines, ("train", "validation", "test"), strict=True):
        ((images,),) = ask("SELECT count(*) FROM download WHERE subset = ?", subset)
        assert line.startswith(f"  {subset}: {counted(images, 'image')} in {counted(-(-images // 7), 'shard')}, ")
    assert len(names(shards)) == 24
    again = pack("--shard-samples=7")
    assert again.returncode == 0
    assert again.stdout.splitlines()[0] == f"{head}, complete already"
    assert "use --again to pack the images that are there now" in again.stdout


def test_a_file_that_is_missing_is_left_out_and_fetched_again(
    downloaded: None, pack: Pack, shards: Path, files, run, fine, ask, root: Path
) -> None:
    missing, changed, *_ = files()
    missing.unlink()
    changed.write_bytes(b"short")
    ended = pack("--shard-samples=7")
    assert ended.returncode == 3
    line = "  left out: 2 images with missing or changed files, which will be fetched again; run `oidl run --root-dir "
    assert ended.stdout.splitlines()[-1].startswith(line)
    assert f"`oidl pack --root-dir {root} --again`" in ended.stdout
    assert len(names(shards)) == 22
    assert ask("SELECT count(*) FROM download WHERE status = 'pending'") == [(2,)]
    assert pack("--shard-samples=7").returncode == 3
    assert run(fine).returncode == 0
    assert pack("--shard-samples=7", "--again").returncode == 0
    assert len(names(shards)) == 24


@pytest.mark.parametrize(
    ("command", "again"), [("pack", "pack --again"), ("export --format=imagefolder", "export --format=imagefolder")]
)
def test_a_root_that_is_not_done_is_packed_and_exported_with_a_word_about_it(
    command: str, again: str, fine, run, oidl, ask, root: Path
) -> None:
    late = [listed for listed in fine.images if listed.image.subset == "train"][:2]
    answers = {fine.path_of(listed): fine.site.answers[fine.path_of(listed)] for listed in late}
    gone = next(listed for listed in fine.images if listed.image.subset == "test")
    fine.site.answers |= dict.fromkeys(answers, status_answer(503)) | {fine.path_of(gone): status_answer(410)}
    assert run(fine, "--nodownload-metadata", "--max-wait=0").returncode == 3
    ended = oidl(*command.split(), f"--root-dir={root}")
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[-1] == (
        f"  2 images of this root are not done yet (see `oidl status --root-dir {root}`); once they are, run "
        f"`oidl {command.split()[0]} --root-dir {root}{' --again' if '--again' in again else ''}` with the same options"
    )
    fine.site.answers |= answers
    assert run(fine, "--retry-now").returncode == 0
    if command == "pack":
        as_before = oidl("pack", f"--root-dir={root}").stdout
        assert "  the shards have 21 of the 23 images of this rendition\n  nothing to do; use --again" in as_before
        chosen = ("pack", f"--root-dir={root}", "--subset=test", f"--dest={root / 'test'}")
        assert oidl(*chosen).returncode == 0
        complete = oidl(*chosen).stdout
        assert ("nothing to do" in complete, "of this rendition" in complete) == (True, False)
    ended = oidl(*again.split(), f"--root-dir={root}")
    assert (ended.returncode, "not done yet" in ended.stdout) == (0, False)
    assert sum(int(line.split()[1]) for line in ended.stdout.splitlines()[1:4]) == len(fine.images) - 1


def test_what_is_left_is_that_of_the_plan_or_not_known(fine, run, oidl, root: Path, pack: Pack, ask, tell) -> None:
    assert run(fine, "--nodownload-metadata", "--limit=3").returncode == 0
    assert "not done yet" not in pack().stdout, "21 others were not asked for"
    assert "of this rendition" not in pack().stdout, "the shards have all"
    assert oidl("run", f"--root-dir={root}", "--limit=0").returncode == 0
    assert "not done yet" not in pack().stdout, "nor by a run that only loads"
    tell("DELETE FROM plan_status_count")
    assert "not done yet" not in pack().stdout
    tell("DELETE FROM plan")
    assert "  21 images of this root are not done yet (see " in pack().stdout


def test_all_files_missing_is_a_disk_that_is_not_there(
    downloaded: None, pack: Pack, shards: Path, root: Path, ask
) -> None:
    (root / "2017_11/train/images-resized").rename(root / "elsewhere")
    ended = pack()
    assert ended.returncode == 5
    assert "train/images-resized, which has the images, is missing" in ended.stderr
    assert ask("SELECT count(*) FROM download WHERE status <> 'done'") == [(0,)]
    (root / "elsewhere").rename(root / "2017_11/train/images-resized")
    assert pack().returncode == 0
    assert len(names(shards)) == 24


def test_another_recipe_is_refused_with_the_way_out(downloaded: None, pack: Pack, shards: Path, tmp_path: Path) -> None:
    assert pack("--limit=5").returncode == 0
    ended = pack()
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"oidl: {shards} has shards that were made with another --limit\n"
        "  use --again to replace them, or choose another --dest\n"
    )
    assert pack("--dest", tmp_path / "x").returncode == 0
    assert pack("--again").returncode == 0
    assert len(names(shards)) == 24


def test_images_are_chosen_as_an_export_chooses_them(downloaded: None, pack: Pack, shards: Path, tell, ask) -> None:
    tell("INSERT INTO class (label_name, display_name, is_boxable) VALUES ('/m/01yrx', 'Cat', 1)")
    tell(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, x_min, x_max, y_min, y_max) "
        "SELECT image_id, 1, 'xclick', '/m/01yrx', 1, 0.25, 0.75, 0.25, 0.75 FROM image WHERE rowid % 2"
    )
    with_cats = {image_id for (image_id,) in ask("SELECT DISTINCT image_id FROM box")}
    for options, chosen in (
        (["--classes=cat"], 12),
        (["--classes=cat", "--with-empty"], 24),
        (["--label-types=boxes"], 12),
        (["--subset=train"], None),
        (["--limit=4", "--shuffle"], 4),
        ([], 24),
    ):
        assert pack("--again", *options).returncode == 0
        packed = names(shards)
        assert len(packed) == (len(packed) if chosen is None else chosen)
        if chosen == 12:
            assert set(packed) == with_cats
    with tarfile.open(shards / "train-00000-of-00001.tar") as archive:
        facts = [json.load(archive.extractfile(each)) for each in archive if each.name.endswith("json")]
    assert {bool(each["annotations"]) for each in facts} == {True, False}


def test_a_list_of_images_that_changed_is_another_recipe(downloaded: None, pack: Pack, ask, tmp_path: Path) -> None:
    ids = [image_id for (image_id,) in ask("SELECT image_id FROM image LIMIT 3")]
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    assert pack("--image-ids", tmp_path / "ids.txt").returncode == 0
    assert pack("--image-ids", tmp_path / "ids.txt").returncode == 0
    (tmp_path / "ids.txt").write_text(ids[0])
    ended = pack("--image-ids", tmp_path / "ids.txt")
    assert ended.returncode == 2
    assert "made with another --image-ids" in ended.stderr


def test_how_far_it_is_is_said_on_stderr(downloaded: None, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    every_half_minute = partial(PacedLine, clock=count(0, 30).__next__)
    monkeypatch.setattr("oidl.cli.commands.pack.PacedLine", every_half_minute)
    lines = pack().stderr.splitlines()
    assert lines[12].startswith("12 of 24 images packed · ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_and_the_next_one_goes_on(
    number: signal.Signals, downloaded: None, pack: Pack, shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupting(show: object, *, is_terminal: bool) -> Callable[[Callable[[float], str]], None]:
        def line(text: Callable[[float], str]) -> None:
            if text(1.0).startswith("9 of"):
                signal.raise_signal(number)

        return line

    with monkeypatch.context() as patched:
        patched.setattr("oidl.cli.commands.pack.PacedLine", interrupting)
        ended = pack("--shard-samples=5")
    assert ended.returncode == 130
    assert "stopped; any complete shards stay\n  run `oidl pack --root-dir" in ended.stderr
    assert len(names(shards)) == 5
    assert not list(shards.glob(".*"))
    assert pack("--shard-samples=5").returncode == 0
    assert len(names(shards)) == 24


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("--format=zip", "--format: there is no format 'zip'\n  choose from webdataset, tfrecord"),
        ("--split=80", "--split 80: this is not a split"),
        ("--shard-samples=0", "--shard-samples must be at least 1, not 0"),
        ("--shard-size=0", "--shard-size must be at least 1, not 0"),
        ("--label-types=points", "shards cannot contain points\n  use --label-types boxes,labels,segmentations"),
        ("--label-types=boxes", "there are no boxes in the database"),
        ("--rendition=a", "--rendition a: there are no such images\n  choose from images-resized"),
    ],
)
def test_what_cannot_be_packed_is_said_in_one_line(
    argument: str, says: str, downloaded: None, pack: Pack, root: Path
) -> None:
    ended = pack(argument)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert says in ended.stderr
    assert not (root / "2017_11/pack").exists()


def test_without_a_database_it_says_so_and_makes_none(pack: Pack, root: Path) -> None:
    ended = pack()
    assert ended.returncode == 2
    assert "there is no state database" in ended.stderr
    assert not root.exists()


def test_a_missing_library_is_named_with_its_extra(
    downloaded: None, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oidl.storage.shards.tfrecord import checksum_function

    checksum_function.cache_clear()
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    ended = pack("--format=tfrecord")
    assert ended.returncode == 2
    assert "pip install 'oidl[tfrecord]'" in ended.stderr
