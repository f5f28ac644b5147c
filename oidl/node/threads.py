"""Runs work in threads that nothing can interrupt: a decoder, a disk that hangs.

If its task is cancelled, such a thread is abandoned and its result is dropped.
It may still write files; they have no rows, and temporary ones have the token of
the run, so the next run takes care of both. The process cannot wait for such a thread,
so it must exit without it, see `cli.process`.
"""

import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")

_WHOSE = resource.RUSAGE_THREAD if sys.platform == "linux" else resource.RUSAGE_SELF

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


def timed(work: Callable[..., T], *args: object) -> tuple[T, float]:
    """The result of `work(*args)`, and the seconds that it took; without the time that it waited for a busy processor.

    A thread that waited for nothing else, like a disk, has not given up the processor by itself.
    """
    before, began = resource.getrusage(_WHOSE), time.perf_counter()
    result = work(*args)
    took_s, after = time.perf_counter() - began, resource.getrusage(_WHOSE)
    if after.ru_nvcsw == before.ru_nvcsw:
        took_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return result, took_s
