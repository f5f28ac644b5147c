"""Bad paths: roots, logs and directories that cannot be written or that hold something else."""

from pathlib import Path

import pytest
from refusals import assert_one_clear_line


def test_a_root_that_is_a_file(oidl, fine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hello")
    for root in (tmp_path / "file", tmp_path / "file/below"):
        ended = oidl("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}")
        assert ended.returncode == 2
        assert_one_clear_line(ended.stderr)
        assert f"{root} is not a directory" in ended.stderr
    assert (tmp_path / "file").read_text() == "hello"


def test_a_root_that_cannot_be_written(oidl, fine) -> None:
    ended = oidl("run", "--root-dir=/proc/oidl", f"--catalogue={fine.catalogue}")
    assert ended.returncode == 5
    assert_one_clear_line(ended.stderr)
    assert "/proc/oidl could not be made" in ended.stderr
    assert not fine.site.requests


def test_a_log_file_that_cannot_be_written(refused) -> None:
    refused(5, "--log-file=/proc/oidl.log", names="/proc/oidl.log could not be written")


def test_a_file_in_the_place_of_an_output_directory(fine, run, root: Path, ask) -> None:
    (root / "2017_11/train").mkdir(parents=True)
    (root / "2017_11/train/images-resized").write_text("mine")
    ended = run(fine, "--nodownload-metadata")
    assert ended.returncode == 5
    assert_one_clear_line(ended.stderr)
    assert "images-resized" in ended.stderr
    assert (root / "2017_11/train/images-resized").read_text() == "mine"


@pytest.mark.parametrize(
    "recipe",
    [
        ("--resize-box-size=64",),
        ("--resize-mode=FillCrop",),
        ("--resize-output-format=png",),
        ("--resize-compression-quality=5",),
    ],
)
def test_a_rendition_directory_that_holds_another_recipe(
    recipe: tuple[str, ...], run, fine, refused, ask, root, tree
) -> None:
    assert run(fine, "--limit=3", "--nodownload-metadata").returncode == 0
    before = {path: body for path, body in tree(root).items() if path.endswith(".jpg")}
    asked = sum(fine.requests.values())
    there = "--resized-images-subdirectory=images-resized"
    refused(2, *recipe, there, names="images-resized contains ShrinkToFit 224 px jpg images, not ")
    assert sum(fine.requests.values()) == asked
    assert {path: body for path, body in tree(root).items() if path.endswith(".jpg")} == before
    assert run(fine, "--nodownload-metadata").returncode == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--original-images-subdirectory=same", "--resized-images-subdirectory=./same"),
        ("--resized-images-subdirectory=images-original",),
        ("--resized-images-subdirectory=original",),
        ("--resized-images-subdirectory=300k", "--download-300k"),
    ],
)
def test_resized_images_in_the_place_of_the_originals(options: tuple[str, ...], refused, root: Path) -> None:
    refused(2, "--save-original-images", *options, names="a rendition cannot be ")
    assert not root.exists()
