"""All files below a directory, except links, temporary directories and those of another home."""

from pathlib import Path

import pytest

from oidl.model import Rendition, ResizeMode
from oidl.storage.layout import name_of
from oidl.storage.walk import files_below

ID = "0123456789abcdef"
RESIZED = Rendition("r", "r", ResizeMode.FILL_CROP, 64, "jpg")
ORIGINALS = Rendition("original", "o")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("a.jpg", "012/b.jpg", "012/deep/c.jpg", ".oidl-part/t-1", "012/.oidl-part/d", "other/e.jpg"):
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/f.jpg").touch()
    (tmp_path / "home/link").symlink_to(tmp_path / "outside")
    return tmp_path / "home"


def test_it_enters_directories_but_no_links_no_temporary_directory_and_no_other_home(home: Path):
    found = {entry.parts: entry.path for entry in files_below(home, {str(home / "other")})}
    assert found == {
        parts: str(home.joinpath(*parts))
        for parts in (
            ("a.jpg",),
            ("link",),
            ("012", "b.jpg"),
            ("012", "deep", "c.jpg"),
            ("012", ".oidl-part", "d"),
        )
    }


def test_a_directory_that_is_not_there_has_no_files(tmp_path: Path):
    assert list(files_below(tmp_path / "none")) == []


def test_a_directory_that_cannot_be_read_is_told(home: Path, monkeypatch: pytest.MonkeyPatch):
    import os

    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("012"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    (problem,) = [entry for entry in files_below(home) if entry.problem]
    assert (problem.parts, problem.problem) == (("012",), "Permission denied")


@pytest.mark.parametrize(
    ("rendition", "path", "name"),
    [
        (RESIZED, f"012/{ID}.jpg", ID),
        (RESIZED, f"{ID}.jpg", ID),
        (RESIZED, "123/12345_0a1b_o.jpg", "12345_0a1b_o"),
        (ORIGINALS, f"012/{ID}.PNG", ID),
        (RESIZED, f"013/{ID}.jpg", None),
        (RESIZED, f"x/012/{ID}.jpg", None),
        (RESIZED, f"012/{ID}.png", None),
        (RESIZED, f"012/{ID}.JPG", None),
        (RESIZED, f"012/{ID}", None),
        (RESIZED, f"012/{ID}.jpg.jpg", None),
        (RESIZED, f"012/{ID.upper()}.jpg", None),
        (RESIZED, f"012/{ID[1:]}.jpg", None),
        (RESIZED, "pho/photo.jpg", None),
        (ORIGINALS, f"012/{ID}.txt", None),
    ],
)
def test_only_names_that_a_run_gives_are_ours(rendition: Rendition, path: str, name: str | None):
    assert name_of(rendition, tuple(path.split("/"))) == name
