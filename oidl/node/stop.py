"""How a run is asked to stop: first to drain, then to let go of everything."""

from collections.abc import Awaitable, Callable

import trio

from oidl.model import Failure


class Stop:
    """Asked once, the run feeds nothing new and finishes what is in hand; asked twice, it is cancelled."""

    def __init__(self) -> None:
        self.draining = trio.Event()
        self.cancelling = trio.Event()
        self.interrupted = trio.Event()
        self.is_cut_short = False  # work that has nothing worth finishing
        self.disk_failure: Failure | None = None
        self.limit: str | None = None
        self.bug: str | None = None

    def interrupt(self) -> None:
        """The user asks (Ctrl-C, SIGTERM)."""
        self.interrupted.set()
        (self.cancelling if self.draining.is_set() else self.draining).set()

    @property
    def is_interrupted(self) -> bool:
        """Whether the user has asked."""
        return self.interrupted.is_set()

    async def unless_draining(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Runs `work`, which has nothing worth finishing, until the first request to stop; False if there was one."""
        self.is_cut_short = not await _until(self.draining, work) or self.is_cut_short
        return not self.draining.is_set()

    async def unless_cancelling(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Runs `work` until the second request to stop; False if there was one."""
        await _until(self.cancelling, work)
        return not self.cancelling.is_set()

    def disk_is_full(self, failure: Failure) -> None:
        """A file could not be written: going on would only fail more images."""
        self.disk_failure = self.disk_failure or failure
        self.draining.set()

    def bug_found(self, bug: str) -> None:
        """Images fail because of a bug in oidl, and nothing else happens; `bug` says so."""
        self.bug = self.bug or bug
        self.draining.set()

    def limit_reached(self, limit: str) -> None:
        """A limit that was set for the run is reached; `limit` says which."""
        self.limit = self.limit or limit
        self.draining.set()


async def _until(event: trio.Event, work: Callable[[], Awaitable[object]]) -> bool:
    """Runs `work`, and cancels it when `event` is set; returns whether it came to its end."""
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
