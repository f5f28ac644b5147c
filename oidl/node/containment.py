"""Contains bugs: a bug in oidl costs the image that met it, never the run.

Exceptions are for bugs and for "stop the program". Any other exception while
one image is fetched, validated or recorded becomes a `Failure` of that image, and
its traceback goes to the log. A run that meets only bugs is stopped: see `pipeline.bugs`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from oidl.errors import OidlError
from oidl.model import Failure, Job, Reason, Source

log = logging.getLogger("oidl")


@dataclass(slots=True)
class Contained:
    """The result of a `with contained(...)` block: `failure` is None unless a bug ended it."""

    failure: Failure | None = None


@contextmanager
def contained(job: Job, source: Source | None = None, url: str | None = None) -> Iterator[Contained]:
    """A block that a bug ends, and never leaves: it becomes the `failure` of `job`, with `source` and `url`.

    Exceptions that stop the program (`OidlError`, cancellation, Ctrl-C) pass. `MemoryError` does not: usually it is one
    huge image, whose memory is free again by now; if it is not, many images fail in a row, and that stops the run.
    """
    outcome = Contained()
    try:
        yield outcome
    except Exception as error:
        if stops_the_program(error):
            raise
        log.error("a bug in oidl: image %s from %s", job.image_id, url or "disk", exc_info=error)
        outcome.failure = Failure(Reason.INTERNAL_ERROR, _described(error), source=source, url=url)


def stops_the_program(error: Exception) -> bool:
    """Whether an exception ends the program; the others are bugs."""
    if isinstance(error, ExceptionGroup):
        return error.subgroup(OidlError) is not None
    return isinstance(error, OidlError)


def _described(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # a bug in the exception's own __str__
        return type(error).__name__
