"""Ctrl-C and SIGTERM: once to finish what is in progress, twice to stop at once.

Signals are counted in a handler of Python, not by Trio's receiver: that would merge two signals that arrive before it
looks, and gets none while the event loop is stuck.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import trio

from oidl.cli.process import end_soon
from oidl.node.stop import Stop

_DRAIN_S = 60.0  # for transfers that are in progress; the slowest may take hours


async def watch_signals(stop: Stop, say: Callable[[str], None], *, task_status: trio.TaskStatus[None]) -> None:
    """Passes every SIGINT and SIGTERM to `stop`, until cancelled; gives up a minute after the first."""
    with _signals_to(lambda: interrupt(stop, say), before_end=2):
        task_status.started()
        await stop.interrupted.wait()
        await trio.sleep(_DRAIN_S)
        say(f"giving up the transfers that did not finish within {_DRAIN_S:.0f} s")
        stop.cancelling.set()
        end_soon()


def interrupt(stop: Stop, say: Callable[[str], None]) -> None:
    """Does what every Ctrl-C does."""
    is_first = not stop.draining.is_set()
    stop.interrupt()
    if is_first:
        say("finishing the transfers in progress; press Ctrl-C again to stop at once")
    else:
        end_soon()


async def cancel_on_signal(scope: trio.CancelScope, *, task_status: trio.TaskStatus[None]) -> None:
    """Cancels `scope` at the first SIGINT or SIGTERM, for work that is not worth finishing.

    The process ends within seconds, even if its output goes to a terminal or pipe that is stuck.
    """
    with _signals_to(scope.cancel, before_end=1):
        task_status.started()
        await trio.sleep_forever()


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Whether there was a SIGINT or SIGTERM, for work without an event loop that looks often.

    A second one interrupts the work wherever it is.
    """
    count = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count > 1:
            end_soon()
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: count > 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _signals_to(hear: Callable[[], object], *, before_end: int) -> Iterator[None]:
    """Lets the event loop call `hear` for each SIGINT and SIGTERM; `before_end` of them end the process in seconds."""
    token = trio.lowlevel.current_trio_token()
    count = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count >= before_end:
            end_soon()
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(hear)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
