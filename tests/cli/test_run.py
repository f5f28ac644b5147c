"""A whole run: every image ends as its scenario says, and the files match the database."""

import dataclasses
import io
import subprocess
from pathlib import Path

import pytest
from PIL import Image as Pillow

from oidl.model import Reason, Status

DATABASE = {"oidl.sqlite3", "oidl.sqlite3-wal", "oidl.sqlite3-shm"}


def _pixels(path: Path) -> tuple[int, int]:
    with Pillow.open(path) as picture:
        return picture.size


@pytest.fixture
def full_run(mixed, run) -> subprocess.CompletedProcess[str]:
    return run(mixed, "--save-original-images", "--max-wait=30", "--max-host-connections=8", "--stall-timeout=5")


def test_every_image_ends_as_its_fate_says_and_what_is_on_disk_is_what_the_database_says(
    mixed, full_run, ask, root: Path, tree, exported_as_published
) -> None:
    assert full_run.returncode == 0, full_run
    assert full_run.stderr == ""

    rows = ask("SELECT image_id, status, reason FROM download")
    assert {image_id: (status, reason) for image_id, status, reason in rows} == {
        listed.image.image_id: (listed.expected_status.value, listed.expected_reason and listed.expected_reason.value)
        for listed in mixed.images
    }
    assert {listed.expected_reason for listed in mixed.images} >= {Reason.CORRUPT, Reason.TOO_LARGE, Reason.GONE}

    exported_as_published(mixed)

    on_disk = tree(root)
    recorded = {}
    for image_id, rendition, path, size, width, height in ask(
        "SELECT image_id, rendition, path, bytes, width, height FROM file"
    ):
        recorded[path] = image_id
        assert len(on_disk[path]) == size
        with Pillow.open(io.BytesIO(on_disk[path])) as picture:
            picture.load()
            assert picture.size == (width, height)
            assert rendition == "original" or max(width, height) <= 224
    assert len(recorded) == 2 * sum(listed.expected_status is Status.DONE for listed in mixed.images)
    others = on_disk.keys() - recorded.keys() - DATABASE
    assert others == {
        "2017_11/class-descriptions.csv",
        *(
            f"2017_11/{subset}/{name}"
            for subset in ("train", "validation", "test")
            for name in ("annotations-human.csv", "images-success.csv", "images-failure.csv")
        ),
    }
    assert not [path for path in root.rglob(".*") if path.is_dir()], "a temporary directory is left"

    for listed in mixed.images:
        assert ask("SELECT md5 FROM download WHERE image_id = ? AND status = 'done'", listed.image.image_id) in (
            [],
            [(listed.image.original_md5,)],
        )
    assert ask("SELECT outcome FROM run") == [("finished",)]
    assert ask("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(
    ("options", "box", "mode"),
    [
        (
            "--nodownload-metadata --download-300k --resize-mode FillCrop --resize-compression-quality 50",
            224,
            "FillCrop",
        ),
        ("--nodownload-metadata --download-300k --resize-mode filldistort --resize-box-size 99", 99, "FillDistort"),
        ("--nodownload-metadata --resize-box-size 640 --resize-mode SHRINKTOFIT", 640, "ShrinkToFit"),
        ("--save-original-images --resize-box-size 1024 --nosave-tar-balls", 1024, "ShrinkToFit"),
    ],
)
def test_recipes_in_the_spelling_of_the_older_downloader_work(
    options: str, box: int, mode: str, fine, run, ask, root: Path
) -> None:
    ended = run(fine, *options.split())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ask("SELECT mode, box_size FROM rendition WHERE name = 'images-resized'") == [(mode, box)]
    sizes = [_pixels(root / path) for (path,) in ask("SELECT path FROM file WHERE rendition = 'images-resized'")]
    assert len(sizes) == len(fine.images)
    if mode == "ShrinkToFit":
        assert all(max(size) <= box for size in sizes)
        assert any(max(size) == min(box, 1024) for size in sizes) or box > 640
    else:
        assert set(sizes) == {(box, box)}
    has_annotations = (root / "2017_11/train/annotations-human.csv").exists()
    assert has_annotations == ("--nodownload-metadata" not in options)
    assert has_annotations == bool(fine.site.requests[fine.annotations_path])
    kept = ask("SELECT count(*) FROM file WHERE rendition = 'original'")
    assert kept == [(len(fine.images) if "--save-original-images" in options else 0,)]
    sources = {source for (source,) in ask("SELECT DISTINCT source FROM download")}
    assert sources <= ({"300k", "original"} if "--download-300k" in options else {"original"})
    assert ("300k" in sources) == ("--download-300k" in options)


def test_resize_compression_quality_makes_smaller_files(fine, run, ask) -> None:
    assert run(fine, "--resized-images-subdirectory=as-usual").returncode == 0
    again = ("--resized-images-subdirectory=poor", "--resize-compression-quality", "10", "--always-download")
    assert run(fine, *again).returncode == 0
    size = dict(ask("SELECT name, bytes FROM rendition"))
    assert size["poor"] < size["as-usual"] / 2


def test_without_resizing_there_are_originals_only_byte_for_byte(fine, run, ask, root: Path) -> None:
    assert run(fine, "--noresize-images", "--save-original-images", "--nodownload-metadata").returncode == 0
    assert ask("SELECT name FROM rendition") == [("original",)]
    for listed in fine.images:
        served = fine.site.answers[fine.path_of(listed)].body
        name = f"{listed.image.image_id[:3]}/{listed.image.image_id}.jpg"
        assert (root / f"2017_11/{listed.image.subset}/images-original/{name}").read_bytes() == served.read_bytes()


def test_nosave_original_images_keeps_none(fine, run, ask, root: Path) -> None:
    assert run(fine, "--nosave-original-images", "--limit=5").returncode == 0
    assert ask("SELECT DISTINCT rendition FROM file") == [("images-resized",)]
    assert not list(root.rglob("images-original"))


def test_neither_resized_nor_saved_still_verifies_every_image(served, quick_dataset, run, ask) -> None:
    quick = served(quick_dataset)
    assert run(quick, "--noresize-images", "--nodownload-metadata").returncode == 0
    assert dict(ask("SELECT image_id, status FROM download")) == {
        listed.image.image_id: listed.expected_status.value for listed in quick.images
    }
    assert ask("SELECT count(*) FROM file") == [(0,)]


def test_metadata_alone_asks_for_no_image(fine, run, root: Path) -> None:
    ended = run(fine, "--nodownload-images")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not fine.requests
    assert not fine.site.requests[fine.list_path]
    assert (root / "2017_11/class-descriptions.csv").read_bytes().endswith(b"\r\n")


def test_files_are_named_by_flickr_and_laid_flat_where_asked(fine, run, ask) -> None:
    assert run(fine, "--name-files-by=Flickr", "--noprefix-dirs", "--save-original-images", "--limit=3").returncode == 0
    paths = {path.rpartition("/")[::2] for (path,) in ask("SELECT path FROM file WHERE rendition = 'original'")}
    urls = {url.rpartition("/")[2] for (url,) in ask("SELECT url FROM download WHERE status = 'done'")}
    assert {name for _, name in paths} == urls
    assert {directory.rpartition("/")[2] for directory, _ in paths} == {"images-original"}


def test_archives_are_kept_where_asked_and_not_fetched_again_by_another_database(
    fine, run, root: Path, tmp_path
) -> None:
    assert run(fine, "--save-tar-balls", "--limit=1").returncode == 0
    for name in (fine.list_path, fine.annotations_path):
        kept = root / name.rpartition("/")[2]
        assert kept.read_bytes() == fine.site.answers[name].body.read_bytes()
    assert run(fine, f"--state-db={tmp_path}/other.sqlite3", "--save-tar-balls", "--limit=1").returncode == 0
    assert fine.site.requests[fine.list_path] == fine.site.requests[fine.annotations_path] == 1


def test_a_second_run_with_another_recipe_sends_no_image_request_when_originals_are_on_disk(
    fine, run, ask, root
) -> None:
    assert run(fine, "--save-original-images").returncode == 0
    asked = sum(fine.requests.values())
    assert asked == len(fine.images)
    ended = run(fine, "--resize-box-size=100", "--resize-mode=FillCrop", "--resized-images-subdirectory=small")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sum(fine.requests.values()) == asked
    small = ask("SELECT path, width, height FROM file WHERE rendition = 'small'")
    assert len(small) == len(fine.images)
    assert {row[1:] for row in small} == {(100, 100)}
    assert all(_pixels(root / path) == (100, 100) for path, *_ in small)
    assert ask("SELECT DISTINCT source FROM download") == [("original",)]


def test_a_new_database_finds_the_originals_that_are_on_disk(fine, run, ask, root: Path) -> None:
    assert run(fine, "--save-original-images").returncode == 0
    asked = sum(fine.requests.values())
    for file in root.glob("oidl.sqlite3*"):
        file.unlink()
    assert run(fine, "--resize-box-size=100", "--resized-images-subdirectory=small").returncode == 0
    assert sum(fine.requests.values()) == asked
    assert ask("SELECT source, count(*) FROM download GROUP BY 1") == [("local", len(fine.images))]
    assert ask("SELECT count(*) FROM file WHERE rendition = 'small'") == [(len(fine.images),)]


@pytest.mark.parametrize("is_shorter", [False, True])
def test_an_original_that_was_tampered_with_is_fetched_and_kept_again(fine, run, ask, root, is_shorter: bool) -> None:
    assert run(fine, "--save-original-images").returncode == 0
    victim = fine.images[3]
    ((path,),) = ask("SELECT path FROM file WHERE rendition = 'original' AND image_id = ?", victim.image.image_id)
    whole = (root / path).read_bytes()
    body = bytearray(whole)
    body[len(body) // 2] ^= 0x55
    (root / path).write_bytes(body[:-1] if is_shorter else body)
    fine.site.requests.clear()
    another = ("--save-original-images", "--resized-images-subdirectory=small", "--resize-box-size=100")
    assert run(fine, *another).returncode == 0
    assert fine.requests == {fine.path_of(victim): 1}
    assert (root / path).read_bytes() == whole


def test_an_original_that_is_not_to_be_kept_is_not_put_back(fine, run, ask, root) -> None:
    assert run(fine, "--save-original-images").returncode == 0
    victim = fine.images[3]
    ((path,),) = ask("SELECT path FROM file WHERE rendition = 'original' AND image_id = ?", victim.image.image_id)
    (root / path).unlink()
    another = ("--nosave-original-images", "--resized-images-subdirectory=small", "--resize-box-size=100")
    assert run(fine, *another).returncode == 0
    assert fine.requests[fine.path_of(victim)] == 2
    assert not (root / path).exists()


def test_an_unchecked_original_that_is_no_picture_is_fetched(fine, run, ask, root) -> None:
    assert run(fine, "--save-original-images").returncode == 0
    victim = fine.images[3]
    ((path,),) = ask("SELECT path FROM file WHERE rendition = 'original' AND image_id = ?", victim.image.image_id)
    whole = (root / path).read_bytes()
    (root / path).write_bytes(whole[:200] + bytes(len(whole) - 200))
    fine.site.requests.clear()
    small = ("--save-original-images", "--resized-images-subdirectory=small", "--resize-box-size=100")
    assert run(fine, *small, "--nocheck-md5-if-exists").returncode == 0
    assert fine.requests == {fine.path_of(victim): 1}
    assert (root / path).read_bytes() == whole


def test_without_the_md5_check_an_original_is_trusted_by_its_size(fine, run, ask, root) -> None:
    assert run(fine, "--save-original-images").returncode == 0
    victim = fine.images[3]
    ((path,),) = ask("SELECT path FROM file WHERE rendition = 'original' AND image_id = ?", victim.image.image_id)
    body = bytearray((root / path).read_bytes())
    body[len(body) // 2] ^= 0x55
    (root / path).write_bytes(body)
    fine.site.requests.clear()
    ended = run(fine, "--nocheck-md5-if-exists", "--resized-images-subdirectory=small", "--resize-box-size=100")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not fine.requests


def test_always_download_fetches_what_is_done_and_on_disk(fine, run, ask) -> None:
    assert run(fine, "--save-original-images").returncode == 0
    assert run(fine, "--save-original-images", "--always-download").returncode == 0
    assert set(fine.requests.values()) == {2}
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(len(fine.images),)]


def test_originals_can_be_kept_anywhere(fine, run, ask, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert run(fine, "--save-original-images", f"--original-images-dir={elsewhere}", "--limit=4").returncode == 0
    paths = [Path(path) for (path,) in ask("SELECT path FROM file WHERE rendition = 'original'")]
    assert len(paths) == 4
    assert all(path.is_file() and path.parents[2] == elsewhere for path in paths)
    fine.site.requests.clear()
    another = ("--resized-images-subdirectory=small", "--resize-box-size=100", f"--original-images-dir={elsewhere}")
    assert run(fine, *another).returncode == 0
    assert sum(fine.requests.values()) == len(fine.images) - 4


def test_an_image_that_changed_on_the_server_leaves_no_file(fine, run, ask, root: Path, tree) -> None:
    """Bytes that fail their MD5 must not become a file even where they decode."""
    victim = fine.images[0]
    body = bytearray(fine.site.answers[fine.path_of(victim)].body.read_bytes())
    body[len(body) // 2] ^= 0x55
    fine.site.answers[fine.path_of(victim)] = dataclasses.replace(
        fine.site.answers[fine.path_of(victim)], body=bytes(body)
    )
    assert run(fine, "--save-original-images").returncode == 0
    assert ask("SELECT status, reason FROM download WHERE image_id = ?", victim.image.image_id) == [
        ("failed", "md5_mismatch")
    ]
    assert not [path for path in tree(root) if victim.image.image_id in path]


def test_help_and_version_go_to_stdout(oidl) -> None:
    for arguments in (["--help"], ["run", "--help"], ["--version"]):
        ended = oidl(*arguments)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.strip()


def test_python_m_oidl_is_oidl(fine, oidl, root: Path) -> None:
    ended = oidl.process("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{len(fine.images)} done, 0 failed, 0 left" in ended.stdout
