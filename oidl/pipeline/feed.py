"""Hands out the jobs that are left, a page at a time, until none is left, a limit is met, or the run must stop.

New images come first, in ImageID order, then done ones that lack a file; under a limit the latter come first, because
they are nearly complete. Retries that are due go before both. Images in flight are noted in memory only: after
a crash they are simply still to do.

If only retries with a later time are left, the feed waits for those due
within `max_wait_s`, counted from the last image that was done, so a
run never hangs at its end. Under a limit it then replaces the images that it does not wait for with
pending ones; it does not wait as long again for these unless one of them is done.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import TypeVar

import trio

from oidl.model import Job, Status
from oidl.node.stop import Stop
from oidl.pipeline.target import Target
from oidl.settings import Retries
from oidl.state.queue import Queue
from oidl.text import counted

T = TypeVar("T")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FeedEnd(Enum):
    """Why the feed ended."""

    NOTHING_LEFT = "nothing left"
    RETRIES_LATER = "retries later"
    MET = "met"
    STOPPED = "stopped"


@dataclass
class InFlight:
    """The images in flight: fed, and not yet recorded. `progressed_at` is when one was last done (trio clock).

    Each of them has a slot under the limits of `target`.
    """

    target: Target = field(default_factory=Target)
    image_ids: set[str] = field(default_factory=set)
    progressed_at: float = field(default_factory=trio.current_time)
    _released: trio.Event = field(default_factory=trio.Event)

    def take(self, job: Job, *, already_tried: bool) -> None:
        """Adds `job`; `already_tried` is true if this run tried it before."""
        self.image_ids.add(job.image_id)
        self.target.take(job, already_tried=already_tried)

    def release(self, recorded: Iterable[tuple[Job, Status | None]]) -> None:
        """Removes recorded images, each with its status, None if the image was not tried or has no result."""
        for job, status in recorded:
            self.image_ids.discard(job.image_id)
            self.target.settle(job, status)
            if status is Status.DONE:
                self.progressed_at = trio.current_time()
        self._released.set()
        self._released = trio.Event()

    async def wait_released(self) -> None:
        """Returns when an image was released."""
        await self._released.wait()


@dataclass
class _Walk:
    """One pass over the images, or over those of a class, and its position."""

    page: Callable[[str, int, str | None], list[Job]]
    of_class: str | None
    after: str = ""
    is_over: bool = False


class Feed:
    """The first stage of the pipeline. `say` tells the user when the feed waits; `now` is the time of day.

    Without `any_incomplete`, no done image lacks a file: to search nine million rows for one that does would take
    longer than a run with a small limit.
    """

    def __init__(
        self,
        queue: Queue,
        in_flight: InFlight,
        stop: Stop,
        retries: Retries,
        *,
        say: Callable[[str], None],
        any_incomplete: bool = True,
        page_size: int = 500,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._queue = queue
        self._in_flight = in_flight
        self._target = in_flight.target
        self._stop = stop
        self._retries = retries
        self._say = say
        self._page_size = page_size
        self._now = now
        self._reader = trio.CapacityLimiter(1)
        pages = [queue.pending, *([queue.incomplete] if any_incomplete else [])]
        if self._target.is_limited:
            pages.reverse()
        classes = self._target.classes or (None,)
        self._walks = [_Walk(page, of_class) for page in pages for of_class in classes]
        self._walk_at = 0  # the walk of the last page: there may be one for each of thousands of classes
        self._has_given_up = False
        self._announced: datetime | None = None

    async def run(self, jobs: trio.MemorySendChannel[Job]) -> FeedEnd:
        """Feeds `jobs` until the end, then closes it."""
        end = FeedEnd.STOPPED
        async with jobs, trio.open_nursery() as nursery:
            nursery.start_soon(self._leave_when_draining, nursery.cancel_scope)
            try:
                end = await self._feed(jobs)
            except trio.BrokenResourceError:  # the scheduler noticed the request to stop before this task did
                if not self._stop.draining.is_set():
                    raise
            nursery.cancel_scope.cancel()
        return end

    async def _leave_when_draining(self, scope: trio.CancelScope) -> None:
        await self._stop.draining.wait()
        scope.cancel()

    async def _feed(self, jobs: trio.MemorySendChannel[Job]) -> FeedEnd:
        while not self._target.is_met:
            if await self._feed_due(jobs) + await self._feed_page(jobs):
                continue
            if self._in_flight.image_ids:
                with trio.move_on_after(1.0):
                    await self._in_flight.wait_released()
                continue
            count, first = await self._next_retry()
            if await self._waited_for(count, first):
                continue
            if not self._target.give_up_waiting():
                return FeedEnd.RETRIES_LATER if count else FeedEnd.NOTHING_LEFT
            self._has_given_up = True
        return FeedEnd.MET

    async def _feed_page(self, jobs: trio.MemorySendChannel[Job]) -> int:
        """Feeds the next page of images that this run has not tried yet; returns how many images the page had."""
        for offset in range(len(self._walks)):
            at = (self._walk_at + offset) % len(self._walks)
            walk = self._walks[at]
            free = self._target.free(walk.of_class)
            size = self._page_size if free is None else min(self._page_size, free)
            if walk.is_over or not size:
                continue
            in_flight = frozenset(self._in_flight.image_ids)
            page = await self._ask(partial(walk.page, walk.after, size, walk.of_class))
            if not page:
                walk.is_over = True
                continue
            walk.after, self._walk_at = page[-1].image_id, at
            if not self._has_given_up:
                self._in_flight.progressed_at = trio.current_time()
            for job in page:
                if job.image_id not in in_flight:  # the walk of another class has not fed it
                    await self._send(jobs, job, already_tried=False)
            return len(page)
        return 0

    async def _next_retry(self) -> tuple[int, datetime | None]:
        """How many images wait for a retry, and when the first one that has a slot is due."""
        if not self._target.is_limited:
            return await self._ask(self._queue.retries)
        count, times = 0, list[datetime]()
        for already_tried in (True, False):
            classes = self._target.short_classes(already_tried=already_tried)
            if self._target.has_slot(already_tried=already_tried):
                count, first = await self._ask(
                    partial(self._queue.retries, already_tried=already_tried, classes=classes)
                )
                times += [first] if first else []
        return count, min(times, default=None)

    async def _waited_for(self, count: int, first: datetime | None) -> bool:
        """Waits until `first`, when a retry is due; returns False if that is too late, or there is none."""
        if first is None:
            return False
        # A retry that fell due in time, but is found only after `max_wait_s` is over, is left for a later run too.
        wait_s = max(0.0, (first - self._now()).total_seconds())
        if trio.current_time() + wait_s > self._in_flight.progressed_at + self._retries.max_wait_s:
            return False
        if first != self._announced and wait_s > 1:
            self._say(f"waiting {wait_s:.0f} s to retry {counted(count, 'image')}")
            self._announced = first
        await trio.sleep(max(wait_s, 0.01))
        return True

    async def _feed_due(self, jobs: trio.MemorySendChannel[Job]) -> int:
        """Feeds the retries that are due; returns their number."""
        fed = 0
        may_repeat = trio.current_time() <= self._in_flight.progressed_at + self._retries.max_wait_s
        for already_tried in (True, False) if may_repeat else (False,):
            if not self._target.has_slot(already_tried=already_tried):
                continue
            classes = self._target.short_classes(already_tried=already_tried)
            # Those in flight before the query: one that is released while it runs may be in its result unchanged.
            in_flight = frozenset(self._in_flight.image_ids)
            limit = self._page_size + len(in_flight)
            due = partial(self._queue.due, self._now(), limit, already_tried=already_tried, classes=classes)
            for job in await self._ask(due):
                is_in_flight = job.image_id in in_flight or job.image_id in self._in_flight.image_ids
                if is_in_flight or not self._target.admits(job, already_tried=already_tried):
                    continue
                await self._send(jobs, job, already_tried=already_tried)
                fed += 1
        return fed

    async def _send(self, jobs: trio.MemorySendChannel[Job], job: Job, *, already_tried: bool) -> None:
        self._in_flight.take(job, already_tried=already_tried)
        try:
            await jobs.send(job)
        except (trio.Cancelled, trio.BrokenResourceError):
            self._in_flight.release([(job, None)])
            raise

    async def _ask(self, query: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(query, limiter=self._reader)
