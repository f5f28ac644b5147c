"""The standard streams, made safe before a command begins: none is missing, and writing to them never fails.

A closed stream acts as /dev/null. Characters that the encoding of a stream lacks are written as escapes. Output that
cannot be written is dropped, and does not change the exit code: a full disk is named once on stderr, a reader that
went away (`| head -1`) is not.
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
    """Keeps `sys.stdout` and `sys.stderr` safe inside this context."""
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
    """Prints the error that ends the program on stderr, and returns its exit code."""
    print(printable(f"oidl: {error}"), file=sys.stderr)
    return error.exit_code


def is_lost(stream: TextIO) -> bool:
    """Whether the reader of `stream` is gone, so that a long list can end early."""
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
    """A safe `stream`; the same one if it does not write to a file, as in a notebook or a test."""
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
