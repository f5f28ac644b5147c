"""The standard streams, made safe before a command begins: none of them is missing, and writing to them never fails.

A closed stream is as /dev/null. Text that its encoding has no place for is
written as escapes. What cannot be written is dropped, and the exit code stays
that of the work: a full disk is named once on stderr, a reader that went away
(`| head -1`) is not.
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from oidl.errors import OidlError
from oidl.progress.outlet import UnbreakableFile
from oidl.text import printable


@contextmanager
def safe_streams() -> Iterator[None]:
    """Makes `sys.stdout` and `sys.stderr` safe until this is left."""
    _open_missing()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _safe(sys.stdout, 1, "stdout"), _safe(sys.stderr, 2, "stderr")
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def print_error(error: OidlError) -> int:
    """Prints what ends the program on stderr, and returns its exit code."""
    print(printable(f"oidl: {error}"), file=sys.stderr)
    return error.exit_code


def is_lost(stream: TextIO) -> bool:
    """Whether nothing that is written to `stream` arrives any more, so that a long list can end early."""
    raw = getattr(stream.buffer, "raw", stream.buffer) if isinstance(stream, io.TextIOWrapper) else None
    return isinstance(raw, UnbreakableFile) and raw.is_lost


def _open_missing() -> None:
    """Opens /dev/null for closed streams; otherwise the next file, maybe the database, would get their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one


def _safe(stream: TextIO | None, number: int, name: str) -> TextIO:
    """`stream` made safe; as it is if it writes to no file, as in a notebook or a test."""
    encoding = "utf-8"
    if stream is not None:
        try:
            stream.flush()
            number = stream.fileno()
        except (OSError, ValueError):
            return stream
        encoding = stream.encoding

    def complain(error: OSError) -> None:
        if error.errno != errno.EPIPE:
            with suppress(OSError):
                os.write(2, f"oidl: the rest of {name} is lost: {error.strerror}\n".encode())

    file = UnbreakableFile(number, complain)
    is_unbuffered = number == 2 or file.isatty()
    return io.TextIOWrapper(
        file if is_unbuffered else io.BufferedWriter(file),  # type: ignore[type-var]
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=is_unbuffered,
    )
