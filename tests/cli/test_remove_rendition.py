"""`oidl renditions`: lists them, and removes one with its files, its rows and its part of the plan."""

import os
from pathlib import Path

import pytest

from oidl.state.lock import writer_lock


@pytest.fixture
def go(fine, oidl, root: Path):
    """`oidl run` with the plan of the root."""
    return lambda *options: oidl("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", *options)


@pytest.fixture
def renditions(oidl, root: Path):
    return lambda *arguments: oidl("renditions", *arguments, f"--root-dir={root}")


@pytest.fixture
def settled(fine, go, oidl, root: Path):
    """Checks that a bare run neither fetches nor makes anything, and that files and rows agree."""

    def check(*gone: str) -> None:
        asked = sum(fine.requests.values())
        assert go().returncode == 0
        assert sum(fine.requests.values()) == asked
        verified = oidl("verify", f"--root-dir={root}")
        assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout
        for name in gone:
            assert not list(root.rglob(name))

    return check


def test_they_are_listed_with_what_the_plan_makes(go, renditions) -> None:
    assert go("--nodownload-metadata", "--save-original-images").returncode == 0
    assert go("--nosave-original-images").returncode == 0
    header, *lines = renditions().stdout.splitlines()
    assert header.split() == ["files", "size", "plan", "name"]
    assert [line.split()[0] for line in lines] == ["24", "24"]
    assert lines[0].endswith("  yes   images-resized: ShrinkToFit 224 px jpg images")
    assert lines[1].endswith("  no    original: unchanged original images, in images-original")


def test_another_size_is_dropped_with_one_command(go, renditions, settled, ask, root: Path) -> None:
    go(
        "--nodownload-metadata",
        "--save-original-images",
        "--rendition=name=small,box=64",
        "--rendition=name=tiny,box=16",
    )
    ended = renditions("remove", "tiny")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "changed in the plan: --rendition name=small,box=64 (was" in ended.stdout
    assert "removed tiny: 24 files, " in ended.stdout
    assert ask("SELECT name FROM rendition ORDER BY 1") == [("original",), ("small",)]
    settled("tiny")
    assert len(list(root.rglob("small/*/*.jpg"))) == 24
    assert "changed in the plan: --no-resize-images" in renditions("remove", "small").stdout
    settled("tiny", "small", "images-resized")


@pytest.mark.parametrize("option", ["--resize-box-size=64", "--save-original-images"])
def test_the_only_one_goes_and_its_images_stay_done(option: str, go, renditions, settled, ask) -> None:
    go("--nodownload-metadata", "--limit=5", option)
    assert renditions("remove", "images-resized").returncode == 0
    settled("images-resized")
    if option.startswith("--save"):
        ended = renditions("remove", "original")
        assert "changed in the plan: no --save-original-images (was --save-original-images)" in ended.stdout
        settled("images-original")
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(5,)]
    assert ask("SELECT count(*) FROM file") == [(0,)]


@pytest.mark.parametrize("first", ["--resize-box-size=64", "--rendition=name=small,box=64,dir=little,quality=40"])
def test_the_plan_returns_to_the_size_that_is_left(first: str, go, renditions, ask, root: Path) -> None:
    go("--nodownload-metadata", "--limit=5", first)
    if first.startswith("--rendition"):
        go("--new-plan", "--nodownload-metadata", "--limit=5", "--resize-box-size=32")
        named, left = "images-resized", "little"
    else:
        go("--resize-box-size=32")
        named, left = "images-32", "images-resized"
    assert "changed in the plan: " in renditions("remove", named).stdout
    ended = go("--limit=10")
    assert (ended.returncode, "no file of an image is kept" in ended.stdout) == (0, False), ended.stdout
    assert len(list(root.rglob(f"{left}/*/*.jpg"))) == 10
    assert ask("SELECT box_size, files FROM rendition WHERE files > 0") == [(64, 10)]


def test_a_run_that_keeps_nothing_says_so(go, renditions) -> None:
    go("--nodownload-metadata", "--limit=5")
    renditions("remove", "images-resized")
    assert "no file of an image is kept, because of --no-resize-images; use --resize-images" in go("--limit=10").stdout


def test_the_classic_one_goes_beside_others(go, renditions, settled, root: Path) -> None:
    go("--nodownload-metadata", "--resize-box-size=100", "--rendition=name=small,box=64")
    assert renditions("remove", "images-resized").returncode == 0
    settled("images-resized")
    assert len(list(root.rglob("small/*/*.jpg"))) == 24


def test_it_can_be_had_again(go, renditions, settled, ask) -> None:
    go("--nodownload-metadata", "--save-original-images")
    renditions("remove", "images-resized")
    assert go("--resize-images").returncode == 0
    assert ask("SELECT files FROM rendition WHERE name = 'images-resized'") == [(24,)]
    settled()


def test_a_removal_that_was_cut_off_is_finished_by_the_next_one(
    go, renditions, settled, ask, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go("--nodownload-metadata", "--save-original-images")
    mine = next(root.rglob("images-resized")) / "mine.txt"
    mine.touch()
    unlink, count = os.unlink, iter(range(100))

    def broken(path: os.PathLike[str] | str) -> None:
        if "images-resized" in str(path) and next(count) == 7:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", broken)
        ended = renditions("remove", "images-resized")
        assert (ended.returncode, "Permission denied" in ended.stderr) == (5, True), ended.stderr
    assert ask("SELECT count(*) FROM file WHERE rendition = 'images-resized'") == [(0,)]
    ended = renditions("remove", "images-resized")
    assert "removed images-resized: 17 files, " in ended.stdout
    assert ask("SELECT count(*) FROM removed_file") == [(0,)]
    assert mine.exists()
    assert not list(root.rglob("images-resized/*/*.jpg"))
    assert "removed images-resized: 0 files, 0 B freed" in renditions("remove", "images-resized").stdout
    settled()


def test_a_file_that_a_row_names_and_no_run_can_have_written_is_left_alone(
    go, renditions, tell, root: Path, tmp_path: Path
) -> None:
    go("--nodownload-metadata", "--save-original-images")
    precious = [tmp_path / "precious.jpg", tmp_path / "too.jpg"]
    for number, path in enumerate(precious):
        path.write_bytes(b"mine")
        (image_id,) = {each.stem for each in sorted(root.rglob("images-original/*/*"))[number : number + 1]}
        tell("UPDATE file SET path = ? WHERE rendition = 'original' AND image_id = ?", str(path), image_id)
    tell("INSERT INTO removed_file VALUES ('0123456789abcdef', 'original', ?)", "../../etc/passwd")
    ended = renditions("remove", "original")
    assert "removed original: 22 files" in ended.stdout
    assert "left alone 3 files that the database names but oidl did not write, such as " in ended.stdout
    assert all(path.read_bytes() == b"mine" for path in precious)
    assert "original" not in renditions().stdout


def test_what_is_not_there_or_in_use_is_refused(go, renditions, root: Path) -> None:
    go("--nodownload-metadata", "--limit=1")
    ended = renditions("remove", "thumbs")
    assert (ended.returncode, "there is no rendition thumbs" in ended.stderr) == (2, True)
    assert "choose from images-resized" in ended.stderr
    with writer_lock(root / "oidl.sqlite3"):
        assert renditions("remove", "images-resized").returncode == 6
    assert renditions("remove").returncode == 2


def test_a_run_says_what_to_do_about_a_directory_that_is_gone(go, renditions, fine, root: Path) -> None:
    go("--nodownload-metadata", "--subset=test")
    home = root / "2017_11" / "test" / "images-resized"
    home.rename(root / "elsewhere")
    said = go().stdout
    assert f"files of images-resized are missing, because {home} does not exist" in said
    assert f"`oidl verify --root-dir {root} --repair` to make them again" in said
    assert f"`oidl renditions remove --root-dir {root} images-resized` to do without them" in said
    assert renditions("remove", "images-resized").returncode == 0
    assert "are missing" not in go().stdout
