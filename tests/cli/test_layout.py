"""Options for the paths and names of files, in a root that already has files."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Run = Callable[..., CompletedProcess[str]]

TURN = "oidl: --no-prefix-dirs: the images in images-resized are in directories of three characters\n  leave it out, "


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_prefix_directories_of_a_root_are_not_passed_over(more: list[str], fine, run: Run, root: Path, oidl) -> None:
    assert run(fine).returncode == 0
    before = sorted(root.rglob("*.jpg"))
    ended = oidl("run", f"--root-dir={root}", "--no-prefix-dirs", *more)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert TURN in ended.stderr
    assert sorted(root.rglob("*.jpg")) == before
    assert "--no-prefix-dirs" not in oidl("plan", f"--root-dir={root}").stdout
    assert oidl("run", f"--root-dir={root}").returncode == 0


def test_a_flat_root_stays_flat(fine, run: Run, root: Path, oidl) -> None:
    assert run(fine, "--no-prefix-dirs").returncode == 0
    ended = run(fine)  # a new plan, with the defaults
    assert ended.returncode == 2
    assert "--prefix-dirs: the images in images-resized are in one directory per subset" in ended.stderr
    assert "use --no-prefix-dirs" in ended.stderr
    assert oidl("run", f"--root-dir={root}").returncode == 0
    assert {path.parent.name for path in root.rglob("*.jpg")} == {"images-resized"}


def test_a_rendition_without_files_may_have_another_layout(fine, run: Run, root: Path) -> None:
    assert run(fine).returncode == 0
    assert run(fine, "--no-prefix-dirs", "--rendition=name=flat,box=50").returncode == 0
    assert {path.parent.name for path in root.rglob("flat/**/*.jpg")} == {"flat"}


def test_names_of_files_are_not_passed_over(fine, run: Run, root: Path, oidl) -> None:
    assert run(fine).returncode == 0
    ended = oidl("run", f"--root-dir={root}", "--name-files-by=flickr")
    assert ended.returncode == 2
    assert "--name-files-by flickr: the images in images-resized are named by image-id" in ended.stderr
