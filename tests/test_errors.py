"""The system's message about a file, and the advice that follows from its number."""

import errno
import os
from pathlib import Path

import pytest

from oidl.errors import disk_error


def hint(path: Path, number: int) -> str:
    return disk_error(path, OSError(number, os.strerror(number))).hint


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space; "),
        (errno.EDQUOT, "free some space, or raise your disk quota; "),
        (errno.EXDEV, "use a plain directory for "),
        (errno.EEXIST, "move away "),
        (errno.EISDIR, "move away "),
        (errno.ENOTDIR, "move away "),
        (errno.EACCES, "fix the permissions of "),
        (errno.EPERM, "fix the permissions of "),
        (errno.EROFS, "mount the filesystem for writing"),
        (errno.ELOOP, "fix the symbolic link "),
        (errno.EMFILE, "raise the limit on open files (ulimit -n)"),
        (errno.ENFILE, "close other programs"),
        (errno.EIO, "check the disk (dmesg)"),
        (errno.ENAMETOOLONG, "choose a shorter path"),
        (errno.ENOENT, "check that the directory was not removed"),
        (errno.ENOLCK, "choose a filesystem with file locks"),
        (errno.ENOTRECOVERABLE, "check the disk and the permissions"),
    ],
)
def test_advice_follows_from_the_cause(tmp_path: Path, number: int, advice: str) -> None:
    error = disk_error(tmp_path / "picture", OSError(number, os.strerror(number)))
    assert error.message == f"{tmp_path}/picture could not be written: {os.strerror(number)}"
    assert error.hint.startswith(advice)
    assert error.hint.endswith("; then run it again")
    assert ("free some space" in error.hint) == (number in (errno.ENOSPC, errno.EDQUOT))


def test_a_link_that_leads_nowhere_is_named_with_its_goal(tmp_path: Path) -> None:
    (tmp_path / "000").symlink_to(tmp_path / "gone")
    for number in (errno.EEXIST, errno.ENOENT):
        assert hint(tmp_path / "000" / "0001.jpg", number).startswith(
            f"fix the symbolic link {tmp_path}/000, which leads to {tmp_path}/gone, and that does not exist"
        )


def test_a_link_to_itself_is_named(tmp_path: Path) -> None:
    (tmp_path / "000").symlink_to("000")
    assert f"the symbolic link {tmp_path}/000, which leads back to itself" in hint(tmp_path / "000/1.jpg", errno.ELOOP)


def test_what_is_no_directory_is_named_and_not_the_picture_below_it(tmp_path: Path) -> None:
    (tmp_path / "000").touch()
    for number in (errno.EEXIST, errno.ENOTDIR):
        assert f"move away {tmp_path}/000, which" in hint(tmp_path / "000/1.jpg", number)


def test_a_link_to_another_filesystem_is_named(tmp_path: Path) -> None:
    (tmp_path / "000").symlink_to("/proc")
    assert f"a plain directory for {tmp_path}/000, which" in hint(tmp_path / "000/1.jpg", errno.EXDEV)


def test_the_directory_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed" / "below").mkdir(parents=True)
    closed = tmp_path / "closed"
    monkeypatch.setattr(os, "access", lambda place, mode: not Path(place).is_relative_to(closed))
    assert f"the permissions of {closed}, or" in hint(closed / "below" / "1.jpg", errno.EACCES)
