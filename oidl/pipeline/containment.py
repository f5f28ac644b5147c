"""A bug of ours costs the image it was met with, and never the run.

Exceptions are for bugs and for "stop the program". Whatever else is raised while
one image is fetched, validated or recorded becomes a `Failure` of that image, and
its traceback goes to the log. A run that meets nothing but bugs is stopped.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from oidl.errors import OidlError
from oidl.model import Failure, Reason, Source, Work
from oidl.pipeline.stop import Stop

_IN_A_ROW = 10  # bugs without any other outcome between them

log = logging.getLogger("oidl")


@dataclass(slots=True)
class Contained:
    """What came of a `with contained(...)` block: `failure` is None unless a bug ended it."""

    failure: Failure | None = None


@contextmanager
def contained(work: Work, source: Source | None = None, url: str | None = None) -> Iterator[Contained]:
    """Ends the block at a bug, which is then the `failure` of `work`; `source` and `url` are where it was fetched from.

    What stops the program (`OidlError`, cancellation, Ctrl-C) passes. `MemoryError` does not: mostly it is one
    huge image, whose memory is free again by now, and if it is not, many fail in a row.
    """
    outcome = Contained()
    try:
        yield outcome
    except Exception as error:
        if _stops_the_program(error):
            raise
        log.error("a bug in oidl: image %s from %s", work.image_id, url or "disk", exc_info=error)
        outcome.failure = Failure(Reason.INTERNAL_ERROR, _described(error), source=source, url=url)


class BugCount:
    """Stops the run at its tenth `internal_error` in a row, or at its end if it met nothing else."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._in_a_row = 0
        self._has_others = False

    def count(self, *, is_bug: bool) -> None:
        """Counts one outcome."""
        self._in_a_row = self._in_a_row + 1 if is_bug else 0
        self._has_others |= not is_bug
        if self._in_a_row == _IN_A_ROW:
            self._stop.bug_found(f"the last {_IN_A_ROW} images all failed because of a bug in oidl")

    def run_ends(self) -> None:
        """Looks at the run as a whole, once all outcomes are counted."""
        if self._in_a_row and not self._has_others:
            self._stop.bug_found("every image of this run failed because of a bug in oidl")


def find_tracebacks() -> str:
    """A hint at where the log has the tracebacks."""
    for handler in log.handlers:
        if isinstance(handler, logging.FileHandler):
            return f"report it with the tracebacks in {handler.baseFilename}"
    if any(isinstance(handler, logging.StreamHandler) for handler in log.handlers):
        return "report it with the tracebacks in the log above"
    return "run it again with --log-file oidl.log, and report it with the tracebacks there"


def _stops_the_program(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return error.subgroup(OidlError) is not None
    return isinstance(error, OidlError)


def _described(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # a bug in the exception's own __str__
        return type(error).__name__
