"""Requests to stop a run: the first drains it, the second cancels it."""

from collections.abc import Awaitable, Callable

import trio

from oidl.model import Failure


class Stop:
    """The stop requests of a run: after the first it finishes what is in progress, after the second it is cancelled."""

    def __init__(self) -> None:
        self.draining = trio.Event()
        self.cancelling = trio.Event()
        self.interrupted = trio.Event()
        self.is_cut_short = False  # whether `unless_draining` cancelled anything
        self.disk_failure: Failure | None = None
        self.limit: str | None = None
        self.bug: str | None = None

    def interrupt(self) -> None:
        """The user asks to stop (Ctrl-C, SIGTERM)."""
        self.interrupted.set()
        (self.cancelling if self.draining.is_set() else self.draining).set()

    @property
    def is_interrupted(self) -> bool:
        """Whether the user has asked to stop."""
        return self.interrupted.is_set()

    async def unless_draining(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Runs `work`, and cancels it at the first request to stop; returns False if there was one."""
        self.is_cut_short = not await _until(self.draining, work) or self.is_cut_short
        return not self.draining.is_set()

    async def unless_cancelling(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Runs `work`, and cancels it at the second request to stop; returns False if there was one."""
        await _until(self.cancelling, work)
        return not self.cancelling.is_set()

    def disk_is_full(self, failure: Failure) -> None:
        """A file could not be written: to continue would only fail more images."""
        self.disk_failure = self.disk_failure or failure
        self.draining.set()

    def bug_found(self, bug: str) -> None:
        """Images fail because of a bug in oidl, and nothing else happens; `bug` is the message."""
        self.bug = self.bug or bug
        self.draining.set()

    def limit_reached(self, limit: str) -> None:
        """A limit of the run is reached; `limit` is the message."""
        self.limit = self.limit or limit
        self.draining.set()


async def _until(event: trio.Event, work: Callable[[], Awaitable[object]]) -> bool:
    """Runs `work`, and cancels it when `event` is set; returns whether it finished."""
    is_finished = False
    async with trio.open_nursery() as nursery:

        async def cancel() -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(cancel)
        await work()
        is_finished = True
        nursery.cancel_scope.cancel()
    return is_finished
