"""Hands out what is left to do, a page at a time, until nothing is or it is told to stop.

New images come in ImageID order, then finished ones that lack something; due
retries go first, whenever there are some. What is in hand is claimed in memory
only: after a crash it is simply still to do.

When only retries with a later time are left, the feed waits for those due
within `max_wait_s`, counted from the last image that came to something, so a
run never hangs at its end.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import TypeVar

import trio

from oidl.model import Work
from oidl.pipeline.stop import Stop
from oidl.settings import Retries
from oidl.state.queue import Queue

_PAGE = 500

T = TypeVar("T")


class FeedEnd(Enum):
    """Why the feed ended."""

    NOTHING_LEFT = "nothing left"
    RETRIES_LATER = "retries later"
    LIMIT = "limit"
    STOPPED = "stopped"


@dataclass
class Claims:
    """The images in hand: fed, and not yet recorded. `progressed_at` is when one was last done (trio clock)."""

    image_ids: set[str] = field(default_factory=set)
    progressed_at: float = field(default_factory=trio.current_time)
    _released: trio.Event = field(default_factory=trio.Event)

    def release(self, image_ids: Iterable[str], *, any_done: bool) -> None:
        """Lets go of images that are recorded."""
        self.image_ids.difference_update(image_ids)
        if any_done:
            self.progressed_at = trio.current_time()
        self._released.set()
        self._released = trio.Event()

    async def wait_released(self) -> None:
        """Returns when some image was let go of."""
        await self._released.wait()


class Feed:
    """The first stage of the pipeline. `say` tells people when the feed waits."""

    def __init__(
        self,
        queue: Queue,
        claims: Claims,
        stop: Stop,
        retries: Retries,
        *,
        limit: int | None,
        say: Callable[[str], None],
    ) -> None:
        self._queue = queue
        self._claims = claims
        self._stop = stop
        self._retries = retries
        self._left = limit
        self._say = say
        self._reader = trio.CapacityLimiter(1)

    async def run(self, works: trio.MemorySendChannel[Work]) -> FeedEnd:
        """Feeds `works` until the end, and closes it."""
        end = FeedEnd.STOPPED
        async with works, trio.open_nursery() as nursery:
            nursery.start_soon(self._leave_when_draining, nursery.cancel_scope)
            end = await self._feed(works)
            nursery.cancel_scope.cancel()
        return end

    async def _leave_when_draining(self, scope: trio.CancelScope) -> None:
        await self._stop.draining.wait()
        scope.cancel()

    async def _feed(self, works: trio.MemorySendChannel[Work]) -> FeedEnd:
        is_all = await self._feed_new(works)
        end = await self._feed_retries(works)
        return end if is_all else FeedEnd.LIMIT

    async def _feed_new(self, works: trio.MemorySendChannel[Work]) -> bool:
        """Feeds what this run has not tried yet; False if the limit came first."""
        for walk in (self._queue.untried, self._queue.incomplete):
            after = ""
            while page := await self._page(walk, after):
                after = page[-1].image_id
                self._claims.progressed_at = trio.current_time()
                await self._feed_due(works)
                for work in page:
                    if not await self._new(works, work):
                        return False
        return True

    async def _feed_retries(self, works: trio.MemorySendChannel[Work]) -> FeedEnd:
        told_of: datetime | None = None
        while True:
            if await self._feed_due(works):
                continue
            if self._claims.image_ids:
                with trio.move_on_after(1.0):
                    await self._claims.wait_released()
                continue
            count, first = await self._ask(partial(self._queue.retries, again=self._left == 0))
            if not count:
                return FeedEnd.NOTHING_LEFT
            if first is None:
                return FeedEnd.RETRIES_LATER
            # One that came due in time, and is looked for only when the time is over, is for a later run too.
            wait_s = max(0.0, (first - datetime.now(UTC)).total_seconds())
            if trio.current_time() + wait_s > self._claims.progressed_at + self._retries.max_wait_s:
                return FeedEnd.RETRIES_LATER
            if first != told_of and wait_s > 1:
                self._say(f"waiting {wait_s:.0f} s for retries; {count} images wait")
                told_of = first
            await trio.sleep(max(wait_s, 0.01))

    async def _feed_due(self, works: trio.MemorySendChannel[Work]) -> int:
        """Feeds the retries that are due; returns how many that were."""
        fed = 0
        may_repeat = trio.current_time() <= self._claims.progressed_at + self._retries.max_wait_s
        for again in (True, False) if may_repeat else (False,):
            # As claimed before the query: what is let go of while it runs may be in its answer as it was before.
            in_hand = frozenset(self._claims.image_ids)
            due = partial(self._queue.due, datetime.now(UTC), _PAGE + len(in_hand), again=again)
            for work in await self._ask(due):
                if work.image_id in in_hand or work.image_id in self._claims.image_ids:
                    continue
                if again:
                    await self._send(works, work)
                elif not await self._new(works, work):
                    return fed
                fed += 1
        return fed

    async def _new(self, works: trio.MemorySendChannel[Work], work: Work) -> bool:
        """Feeds an image that this run has not tried yet, unless the limit is reached."""
        if self._left is not None:
            if self._left == 0:
                return False
            self._left -= 1
        await self._send(works, work)
        return True

    async def _send(self, works: trio.MemorySendChannel[Work], work: Work) -> None:
        self._claims.image_ids.add(work.image_id)
        try:
            await works.send(work)
        except trio.Cancelled:
            self._claims.image_ids.discard(work.image_id)
            raise

    async def _page(self, walk: Callable[[str, int], list[Work]], after: str) -> list[Work]:
        return await self._ask(partial(walk, after, _PAGE))

    async def _ask(self, query: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(query, limiter=self._reader)
