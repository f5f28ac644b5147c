"""Files that a node stages appear only when the coordinator publishes them."""

from pathlib import Path

import pytest

from oidl.errors import DiskError
from oidl.storage.atomic import PART_DIRECTORY, AtomicWriter
from oidl.storage.staging import StagedWriter, publish


def test_a_staged_file_appears_when_it_is_published(tmp_path: Path) -> None:
    path = tmp_path / "0a1" / "0a1b.jpg"
    StagedWriter("token", "life").write(tmp_path, path, b"body")
    assert not path.exists()
    publish(tmp_path, path, "token", "life")
    assert path.read_bytes() == b"body"
    assert not list((tmp_path / PART_DIRECTORY).iterdir())


def test_what_another_life_staged_is_not_published_and_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "0a1b.jpg"
    StagedWriter("token", "zombie").write(tmp_path, path, b"late")
    StagedWriter("token", "life").write(tmp_path, path, b"body")
    publish(tmp_path, path, "token", "life")
    assert AtomicWriter("token").sweep([tmp_path]) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["0a1b.jpg"]
    assert path.read_bytes() == b"body"


def test_a_file_that_is_not_there_cannot_be_published(tmp_path: Path) -> None:
    with pytest.raises(DiskError):
        publish(tmp_path, tmp_path / "0a1b.jpg", "token", "life")
