"""Ctrl-C and SIGTERM: once to finish what is in hand, twice to stop at once."""

import signal
from collections.abc import Callable

import trio

from oidl.pipeline.stop import Stop


async def watch_signals(stop: Stop, say: Callable[[str], None], *, task_status: trio.TaskStatus[None]) -> None:
    """Tells `stop` of every SIGINT and SIGTERM, until cancelled."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            interrupt(stop, say)


def interrupt(stop: Stop, say: Callable[[str], None]) -> None:
    """What every Ctrl-C does."""
    if not stop.draining.is_set():
        say("finishing the transfers in hand; press Ctrl-C again to stop at once")
    stop.interrupt()


async def cancel_on_signal(scope: trio.CancelScope, *, task_status: trio.TaskStatus[None]) -> None:
    """Cancels `scope` at the first SIGINT or SIGTERM, for work in which nothing is worth finishing."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            scope.cancel()
