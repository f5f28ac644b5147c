"""Files that the user chose: replaced if they are files, written to if they are streams, refused otherwise."""

import os
import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from oidl.errors import DiskError, UsageError
from oidl.storage.output import open_log, output_text, standard_stream


def write(path: Path, text: str, *, waits: bool = True) -> None:
    with output_text(path, waits=waits) as file:
        if file:
            file.write(text)


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    with suppress(ZeroDivisionError), output_text(path) as file:
        assert file
        file.write("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    write(path, "new")
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("goal")
    for text in ("first", "second"):
        write(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "goal").read_text() == text


def test_a_fifo_is_written_to_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()))
    reader.start()
    write(path, "all of it")
    reader.join(10)
    assert read == ["all of it"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_fifo_that_nobody_reads_is_not_waited_for_where_nothing_may_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    write(tmp_path / "fifo", "x", waits=False)
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


def test_a_device_is_written_to_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    write(tmp_path / "null", "x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.close(open_log(Path("/dev/null")))
    with pytest.raises(DiskError, match="No space left"):
        write(Path("/dev/full"), "x")


def test_stdout_has_what_is_written_to_it_behind_what_it_has(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    os.write(1, b"first\n")
    assert standard_stream(Path("/dev/stdout")) == 1
    write(Path("/dev/stdout"), "second\n")
    log = open_log(Path("/dev/stdout"))
    os.write(log, b"third\n")
    os.close(log)
    assert capfd.readouterr().out == "first\nsecond\nthird\n"
    assert standard_stream(tmp_path / "nothing") is None


@pytest.mark.parametrize("kind", ["directory", "socket"])
def test_anything_else_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "there"
    if kind == "directory":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    for job in (lambda: write(path, "x"), lambda: open_log(path)):
        with pytest.raises(UsageError, match=r"there is (a directory|neither)"):
            job()
    assert path.exists()


def test_a_log_is_added_to_and_what_keeps_it_from_that_is_said(tmp_path: Path) -> None:
    for text in (b"a", b"b"):
        log = open_log(tmp_path / "x.log")
        os.write(log, text)
        os.close(log)
    assert (tmp_path / "x.log").read_bytes() == b"ab"
    with pytest.raises(DiskError, match=r"x\.log could not be written: No such file"):
        open_log(tmp_path / "missing" / "x.log")
