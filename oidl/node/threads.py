"""Work in threads that nothing can interrupt: a decoder, a disk that hangs.

When its task is cancelled such a thread is left behind, and its result is dropped.
It may still write files; they have no rows, and temporary ones have the mark of
the run, so the next run takes care of both. The process cannot wait for it, so
it must end without, see `cli.process`.
"""

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")

_running: set[object] = set()


async def run_abandonable(work: Callable[..., T], *args: object, limiter: trio.CapacityLimiter) -> T:
    """What `work(*args)` returns, from a thread that is left behind if this is cancelled."""

    def job() -> T:
        mark = object()
        _running.add(mark)
        try:
            return work(*args)
        finally:
            _running.discard(mark)

    return await trio.to_thread.run_sync(job, abandon_on_cancel=True, limiter=limiter)


def are_left_behind() -> bool:
    """Whether threads are still at work; to be asked when no task is."""
    return bool(_running)
