"""Plain files: which of them may be the original of an image."""

from pathlib import Path

from builders import job

from oidl.settings import Layout
from oidl.storage.atomic import AtomicWriter
from oidl.storage.files import Files


def test_a_recorded_path_that_no_file_can_have_is_passed_over(tmp_path: Path) -> None:
    files = Files(Layout(tmp_path, "2017_11"), AtomicWriter("t"), "images-original")
    item = job(1, saved_original="a\0b")
    assert list(files.find_originals(item)) == []
    original = tmp_path / "2017_11/train/images-original/000" / f"{item.image_id}.jpg"
    original.parent.mkdir(parents=True)
    original.write_bytes(bytes(item.original_size))
    assert [path for path, _ in files.find_originals(item)] == [str(original)]
