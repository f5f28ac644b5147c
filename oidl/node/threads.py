"""Runs work in threads that nothing can interrupt: a decoder, a disk that hangs.

If its task is cancelled, such a thread is abandoned and its result is dropped.
It may still write files; they have no rows, and temporary ones have the token of
the run, so the next run takes care of both. The process cannot wait for such a thread,
so it must exit without it, see `cli.process`.
"""

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")

_running: set[object] = set()


async def run_abandonable(work: Callable[..., T], *args: object, limiter: trio.CapacityLimiter) -> T:
    """The result of `work(*args)`, from a thread that is abandoned if this is cancelled."""

    def job() -> T:
        mark = object()
        _running.add(mark)
        try:
            return work(*args)
        finally:
            _running.discard(mark)

    return await trio.to_thread.run_sync(job, abandon_on_cancel=True, limiter=limiter)


def are_left_behind() -> bool:
    """Whether abandoned threads are still running; meaningful when no task is waiting for a thread."""
    return bool(_running)
