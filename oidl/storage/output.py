"""Output files that a user chose: a report, a metrics file, a log.

A regular file is replaced when the new one is whole; links are followed.
Anything else is never replaced: a device, a FIFO or one of the standard
streams (`/dev/stdout`) is written to directly, and the rest is refused.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from oidl.errors import UsageError, disk_error
from oidl.storage.atomic import atomic_text


@contextmanager
def output_text(path: Path, *, waits: bool = True) -> Iterator[TextIO | None]:
    """A UTF-8 text file at `path`.

    Without `waits`, for a file that is soon written again, it waits neither for the disk nor for the reader of a FIFO;
    if the FIFO has no reader, it yields None. Raises `UsageError` for a directory, a socket or a block device,
    `DiskError` if the file cannot be written.
    """
    if not _is_stream(path):
        with atomic_text(Path(os.path.realpath(path)), is_durable=waits) as file:
            yield file
        return
    try:
        fd = _open(path, 0 if waits else os.O_NONBLOCK)
    except OSError as error:
        if not waits and stat.S_ISFIFO(os.stat(path).st_mode):
            yield None
            return
        raise disk_error(path, error) from error
    if not waits:
        os.set_blocking(fd, True)
    try:
        with open(fd, "w", encoding="utf-8", newline="") as file:
            yield file
    except BrokenPipeError:  # its reader has gone
        pass
    except OSError as error:
        raise disk_error(path, error) from error


def open_log(path: Path) -> int:
    """A descriptor that appends to the file at `path`; raises as `output_text` does. Waits for the reader of a FIFO."""
    _is_stream(path)
    try:
        return _open(path, os.O_APPEND | os.O_CREAT)
    except OSError as error:
        raise disk_error(path, error) from error


def standard_stream(path: Path) -> int | None:
    """The number of the standard stream that is the same file as `path`, like `/dev/stdout`; None for other files."""
    with suppress(OSError):
        target = os.stat(path)
        return next((number for number in (1, 2) if os.path.samestat(target, os.fstat(number))), None)
    return None


def _open(path: Path, flags: int) -> int:
    number = standard_stream(path)  # if opened again, a regular file would be overwritten from its beginning
    return os.open(path, os.O_WRONLY | flags, 0o666) if number is None else os.dup(number)


def _is_stream(path: Path) -> bool:
    """Whether `path` is written to directly; raises `UsageError` if it must not be written to at all."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise disk_error(path, error) from error
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
        kind = "a directory" if stat.S_ISDIR(mode) else "neither a file nor a stream"
        raise UsageError(f"{path} is {kind}", hint="choose a file name")
    return not stat.S_ISREG(mode) or standard_stream(path) is not None
