"""The owner of a recorded path: ours only if oidl could have written it, under the name of its image."""

from pathlib import Path

import pytest
from builders import THUMB, image, job

from oidl.model import Rendition
from oidl.settings import Layout
from oidl.storage.layout import output_path, recorded_path
from oidl.storage.ownership import OwnFiles

ORIGINAL = Rendition("original", "/mnt/originals")
HERE = Layout(Path("/data"), "2017_11")
SUBSETS = ("train", "test")
ID, OTHER = image(1).image_id, image(2).image_id


@pytest.fixture
def own() -> OwnFiles:
    return OwnFiles([(THUMB, HERE), (ORIGINAL, HERE)], SUBSETS)


@pytest.mark.parametrize("rendition", [THUMB, ORIGINAL])
@pytest.mark.parametrize("prefix_dirs", [True, False])
@pytest.mark.parametrize("name", [ID, "123_0a1b2c_o"])
def test_what_a_run_writes_is_ours(own: OwnFiles, rendition: Rendition, prefix_dirs: bool, name: str) -> None:
    layout = Layout(HERE.root_dir, HERE.version_dir, prefix_dirs)
    path = recorded_path(layout, output_path(layout, rendition, job(1), name))
    assert own.has(ID, rendition.name, path)
    assert not own.has(ID, "another", path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "/",
        "/etc/passwd",
        "../../etc/passwd",
        f"/data/2017_11/train/thumbs/000/{ID}.jpg",  # it would be relative
        f"2017_11/train/thumbs/000/{OTHER}.jpg",
        f"2017_11/train/thumbs/000/{ID}.png",
        f"2017_11/train/thumbs/000/{ID}.jpg\0",
        f"2017_11/train/thumbs/001/{ID}.jpg",
        f"2017_11/train/thumbs/000/x/{ID}.jpg",
        f"2017_11/train/thumbs/../thumbs/000/{ID}.jpg",
        f"2017_11/train/originals/000/{ID}.jpg",
        f"2017_11/validation/thumbs/000/{ID}.jpg",
        f"2017_11/train/thumbs/000/{ID.upper()}A.jpg",
        "2017_11/train/thumbs/000/holiday.jpg",
        f"{ID}.jpg",
        f"/mnt/originals/train/000/{ID}.jpg",
    ],
)
def test_nothing_else_is(own: OwnFiles, path: str) -> None:
    assert not own.has(ID, "thumbs", path)


@pytest.mark.parametrize("suffix", ["tar", "tfrecord"])
def test_a_place_in_a_shard_of_its_rendition_and_subset_is_ours(own: OwnFiles, suffix: str) -> None:
    assert own.has(ID, "thumbs", f"2017_11/train/thumbs/train-000012.{suffix}#1536")
    assert own.has(ID, "original", f"/mnt/originals/test/test-123456.{suffix}#0")
    assert own.has_shard("thumbs", f"2017_11/train/thumbs/train-000012.{suffix}")


@pytest.mark.parametrize(
    "path",
    [
        "2017_11/train/thumbs/test-000012.tar#1536",
        "2017_11/train/thumbs/train-12.tar#1536",
        "2017_11/train/thumbs/train-000012.tar.part#1536",
        "2017_11/train/thumbs/train-000012.zip#1536",
        "2017_11/train/thumbs/train-00001x.tar#1536",
        "2017_11/train/thumbs/train-000012.tar#-1",
        "2017_11/train/thumbs/train-000012.tar#01",
        "2017_11/train/thumbs/train-000012.tar#",
        "2017_11/train/thumbs/train-000012.tar",
        "2017_11/train/thumbs/000/train-000012.tar#1536",
        "2017_11/train/thumbs/../thumbs/train-000012.tar#1536",
        "2017_11/train/original/train-000012.tar#1536",
        "/data/2017_11/train/thumbs/train-000012.tar#1536",
        "/etc/train-000012.tar#0",
        "train-000012.tar#0",
    ],
)
def test_no_other_place_is(own: OwnFiles, path: str) -> None:
    assert not own.has(ID, "thumbs", path)


def test_a_directory_inside_the_root_that_was_given_in_full_is_relative_there() -> None:
    own = OwnFiles([(Rendition("original", "/data/originals"), HERE)], SUBSETS)
    assert own.has(ID, "original", f"originals/train/000/{ID}.png")
    assert not own.has(ID, "original", f"/data/originals/train/000/{ID}.png")
