"""Output that breaks nothing and never waits."""

import errno
import os
import select
import time
from collections.abc import Iterator

import pytest

from oidl.progress.outlet import Outlet, Patience, UnbreakableFile


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(writer)


def never(error: OSError) -> None:
    raise AssertionError(error)


def test_everything_is_written_in_order(pipe: tuple[int, int]) -> None:
    stream = Outlet(pipe[1], "utf-8", never)
    for number in range(100):
        print(f"é {number}", file=stream)
    stream.close()
    assert os.read(pipe[0], 10_000).decode() == "".join(f"é {number}\n" for number in range(100))
    os.close(pipe[0])


def test_letters_that_an_encoding_has_not_are_escaped(pipe: tuple[int, int]) -> None:
    stream = Outlet(pipe[1], "ascii", never)
    stream.write("13 × 写\udc80\n")
    stream.close()
    assert os.read(pipe[0], 100) == b"13 \\xd7 \\u5199\\udc80\n"
    os.close(pipe[0])


def test_a_reader_that_takes_nothing_holds_up_nobody_and_what_is_dropped_is_counted(
    pipe: tuple[int, int],
) -> None:
    stream = Outlet(pipe[1], "utf-8", never, patience=Patience(texts=10, total_s=0.05, last_s=0.05))
    stream.write("x" * 1_000_000)  # more than a pipe holds
    select.select([pipe[0]], [], [])  # it is being passed on
    for number in range(15):
        stream.write(f"line {number}\n")
    stream.close()
    read = b""
    while not read.endswith(b"them)\n") and select.select([pipe[0]], [], [], 10)[0]:
        read += os.read(pipe[0], 65_536)
    lines = read.decode().lstrip("x").splitlines()
    assert lines == [
        *(f"line {number}" for number in range(10)),
        "(5 lines dropped here, because nothing read them)",
    ]
    os.close(pipe[0])


def test_a_reader_that_has_taken_nothing_for_long_is_not_waited_for_again(
    pipe: tuple[int, int],
) -> None:
    passed_s = 0.0
    stream = Outlet(
        pipe[1],
        "utf-8",
        lambda error: None,
        patience=Patience(total_s=60, last_s=0.05),
        clock=lambda: time.monotonic() + passed_s,
    )
    stream.write("x" * 1_000_000)  # more than a pipe holds
    select.select([pipe[0]], [], [])  # it is being passed on
    passed_s = 100.0
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 30
    os.close(pipe[0])


def test_a_stream_that_fails_is_given_up_once(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    errors: list[OSError] = []
    stream = Outlet(pipe[1], "utf-8", errors.append)
    for _ in range(10):
        stream.write("line\n")
    stream.close()
    assert [error.errno for error in errors] == [errno.EPIPE]


def test_a_file_that_another_program_made_non_blocking_is_written_whole(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    stream = Outlet(pipe[1], "utf-8", never)
    stream.write("x" * 200_000)
    read = 0
    while read < 200_000:
        read += len(os.read(pipe[0], 65_536))
    stream.close()
    os.close(pipe[0])


def test_bytes_to_a_full_disk_are_dropped() -> None:
    errors: list[OSError] = []
    fd = os.open("/dev/full", os.O_WRONLY)
    file = UnbreakableFile(fd, errors.append)
    assert [file.write(b"abc"), file.write(b"de")] == [3, 2]
    assert file.is_lost
    assert [error.errno for error in errors] == [errno.ENOSPC]
    os.close(fd)
