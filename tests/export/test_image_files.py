"""Image files inside an export: flat, by ImageID, as relative links, hard links or copies."""

import errno
import os
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest
from builders import image
from labelled import EVERY_FORMAT, IMAGES, LABELLED, SUBSETS, LabelledRoot, contents, image_files

from oidl.errors import UsageError
from oidl.export.describe import exported_text
from oidl.export.files import ImageFiles
from oidl.export.format import Format
from oidl.export.formats.coco import COCO
from oidl.export.request import ExportRequest


@EVERY_FORMAT
def test_the_images_lie_in_the_export_flat_under_their_image_ids(form: Format, exported: Any, tmp_path: Path) -> None:
    exported(form, rendition="border", with_empty=True)
    files = image_files(form, tmp_path)
    assert [path.stem for path in sorted(files, key=lambda path: path.name)] == [
        image(number).image_id for number in range(1, IMAGES + 1)
    ]
    assert all(path.is_symlink() and path.is_file() for path in files)
    assert len(list(tmp_path.rglob("*.png"))) == IMAGES


@EVERY_FORMAT
def test_an_export_in_the_root_moves_along_with_it(
    form: Format, exported: Any, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    exported(form, rendition="border", dest=labelled_root.root / "v7/export/x")
    before = contents(labelled_root.root / "v7/export/x")
    moved = tmp_path / "moved"
    copytree(labelled_root.root, moved, symlinks=True)
    rmtree(labelled_root.root / "v7/export")
    dest = moved / "v7/export/x"
    assert contents(dest) == before
    assert all(path.resolve().is_relative_to(moved.resolve()) for path in image_files(form, dest))


@EVERY_FORMAT
@pytest.mark.parametrize("how", [ImageFiles.COPY, ImageFiles.HARDLINK])
def test_an_export_of_copies_or_hard_links_can_be_moved_anywhere(
    how: ImageFiles, form: Format, exported: Any, tmp_path: Path
) -> None:
    exported(form, rendition="border", dest=tmp_path / "links")
    exported(form, rendition="border", dest=tmp_path / "here", image_files=how)
    (tmp_path / "below").mkdir()
    moved = (tmp_path / "here").rename(tmp_path / "below/there")
    assert contents(moved) == contents(tmp_path / "links")
    files = image_files(form, moved)
    assert files
    assert not any(path.is_symlink() for path in files)
    assert {path.stat().st_nlink > 1 for path in files} == {how is ImageFiles.HARDLINK}
    for path in filter(Path.is_file, moved.rglob("*")):
        assert str(tmp_path).encode() not in path.read_bytes()


def test_an_export_outside_the_root_has_relative_links_too(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="border")
    assert all(not path.readlink().is_absolute() for path in image_files(COCO, tmp_path))


def test_files_of_a_directory_outside_the_root_are_found(
    exported: Any, labelled_root: LabelledRoot, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for subset in SUBSETS:
        copytree(labelled_root.root / "v7" / subset / "r/border", elsewhere / subset)
    labelled_root.db.execute("BEGIN")
    try:
        labelled_root.db.execute("UPDATE rendition SET directory = ? WHERE name = 'border'", (str(elsewhere),))
        labelled_root.db.execute(
            "UPDATE file SET path = replace(replace(path, 'v7/', ?), 'r/border/', '') WHERE rendition = 'border'",
            (f"{elsewhere}/",),
        )
        exported(COCO, rendition="border")
    finally:
        labelled_root.db.execute("ROLLBACK")
    files = image_files(COCO, tmp_path)
    assert len(files) == LABELLED
    assert all(path.is_file() and not path.readlink().is_absolute() for path in files)


@pytest.mark.parametrize(
    ("how", "call", "number", "says"),
    [
        (ImageFiles.LINK, "symlink", errno.EPERM, "cannot link to .*: Operation not permitted"),
        (ImageFiles.HARDLINK, "link", errno.ENOTSUP, "cannot link to .*: Operation not supported"),
        (ImageFiles.HARDLINK, "link", errno.EXDEV, "--hardlink: .* are on different filesystems"),
    ],
)
def test_where_there_can_be_no_links_copies_are_proposed(
    how: ImageFiles, call: str, number: int, says: str, exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(UsageError, match=says) as raised:
        exported(COCO, rendition="border", image_files=how)
    assert raised.value.hint == "use --copy"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("how", ImageFiles)
def test_a_file_that_a_row_names_and_no_run_can_have_written_does_not_come_into_an_export(
    how: ImageFiles, exported: Any, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    labelled_root.db.execute("BEGIN")
    try:
        labelled_root.db.execute(
            "UPDATE file SET path = '/etc/passwd' WHERE rendition = 'border' AND image_id = ?", (image(2).image_id,)
        )
        done = exported(COCO, rendition="border", image_files=how)
    finally:
        labelled_root.db.execute("ROLLBACK")
    assert (done.misplaced_files, done.missing_files, sum(done.images.values())) == (1, 0, LABELLED - 1)
    assert not [path for path in tmp_path.rglob("*") if path.resolve() == Path("/etc/passwd")]
    assert "left out: 1 image whose row names a file" in exported_text(done, ExportRequest(COCO))


@pytest.mark.parametrize("how", ImageFiles)
def test_images_whose_files_are_missing_are_counted_and_left_out(
    how: ImageFiles, exported: Any, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    labelled_root.db.execute("BEGIN")
    try:
        labelled_root.db.execute(
            "UPDATE file SET path = replace(path, '000/', '') WHERE rendition = 'border' AND image_id = ?",
            (image(2).image_id,),
        )
        done = exported(COCO, rendition="border", image_files=how)
    finally:
        labelled_root.db.execute("ROLLBACK")
    assert (done.missing_files, sum(done.images.values())) == (1, LABELLED - 1)
    assert image(2).image_id not in (tmp_path / "annotations/instances_train.json").read_text()
