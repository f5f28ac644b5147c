"""Files that a node stages appear only when the coordinator publishes them."""

import os
import threading
from pathlib import Path

import pytest

from oidl.errors import DiskError
from oidl.storage.atomic import PART_DIRECTORY, AtomicWriter
from oidl.storage.staging import StagedWriter, close_staging, open_staging, publish, staged_path


def test_a_staged_file_appears_when_it_is_published(tmp_path: Path) -> None:
    path = tmp_path / "0a1" / "0a1b.jpg"
    open_staging([tmp_path], "token", "life")
    StagedWriter("token", "life").write(tmp_path, path, b"body")
    assert not path.exists()
    publish(tmp_path, path, "token", "life")
    assert path.read_bytes() == b"body"
    assert not [each for each in (tmp_path / PART_DIRECTORY).rglob("*") if each.is_file()]


def test_what_another_life_staged_is_not_published_and_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "0a1b.jpg"
    for life, body in (("zombie", b"late"), ("life", b"body")):
        open_staging([tmp_path], "token", life)
        StagedWriter("token", life).write(tmp_path, path, body)
    publish(tmp_path, path, "token", "life")
    assert AtomicWriter("token").sweep([tmp_path]) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["0a1b.jpg"]
    assert path.read_bytes() == b"body"


@pytest.mark.parametrize("by", ["the coordinator", "a sweep"])
def test_a_life_that_was_given_up_can_stage_nothing_more(by: str, tmp_path: Path) -> None:
    path = tmp_path / "0a1b.jpg"
    open_staging([tmp_path], "token", "life")
    writer = StagedWriter("token", "life")
    writer.write(tmp_path, path, b"early")
    if by == "a sweep":
        AtomicWriter("later").sweep([tmp_path], ["token"])
    else:
        close_staging([tmp_path], "token", "life")
    with pytest.raises(DiskError):
        writer.write(tmp_path, path, b"late")
    assert not list((tmp_path / PART_DIRECTORY).glob("*"))


def test_a_life_that_writes_while_it_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    for number in range(30):
        life = f"life{number}"
        open_staging([tmp_path], "token", life)
        has_written, refused = threading.Event(), threading.Event()
        writing = threading.Thread(target=_write_until_refused, args=(tmp_path, life, has_written, refused))
        writing.start()
        has_written.wait(10)
        close_staging([tmp_path], "token", life)
        writing.join(10)
        assert refused.is_set()
    assert os.listdir(tmp_path / PART_DIRECTORY) == []


def _write_until_refused(home: Path, life: str, has_written: threading.Event, refused: threading.Event) -> None:
    writer = StagedWriter("token", life)
    try:
        for number in range(1_000_000):
            writer.write(home, home / f"{number}.jpg", b"body")
            has_written.set()
    except DiskError:
        refused.set()


def test_a_file_that_is_not_there_cannot_be_published(tmp_path: Path) -> None:
    with pytest.raises(DiskError):
        publish(tmp_path, tmp_path / "0a1b.jpg", "token", "life")
    assert not staged_path(tmp_path, tmp_path / "0a1b.jpg", "token", "life").exists()
