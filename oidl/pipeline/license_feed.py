"""Hands out the photos to ask about: new ones page by page, and those that are asked for again when they are due.

Only memory knows what is in progress; after a kill it is simply still to do. The feed ends when all photos are
recorded or left for later, when nothing was recorded for a while, or when the check is stopped.
"""

import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

import trio

from oidl.model import PublishedPhoto
from oidl.pipeline.license_retry import AskAgain, CheckTries

_PAGE = 200
_MOST_WAITING = 200  # photos that wait for another try; no new ones are handed out beyond that

PhotoPage = Callable[[int], Awaitable[list[PublishedPhoto]]]


@dataclass(frozen=True, slots=True)
class PhotoJob:
    """A photo to ask about, and how often that failed before."""

    photo: PublishedPhoto
    tries: CheckTries = field(default_factory=CheckTries)


class LicenseFeed:
    """Feeds the photos of `page`, which gives the next ones, until nothing was recorded for `patience_s`."""

    def __init__(self, page: PhotoPage, stop: trio.Event, patience_s: float) -> None:
        self._page = page
        self._stop = stop
        self._patience_s = patience_s
        self._new: list[PublishedPhoto] = []
        self._is_over = False
        self._due: list[tuple[float, int, PhotoJob]] = []
        self._numbers = count()
        self._in_progress = 0
        self._quiet_until = self._progressed_at = trio.current_time()
        self._changed = trio.Event()
        self.has_given_up = False

    async def run(self, jobs: trio.MemorySendChannel[PhotoJob]) -> None:
        """Feeds all of them, then closes `jobs`."""
        async with jobs:
            while not self._stop.is_set():
                ends_at = self._progressed_at + self._patience_s
                if trio.current_time() >= ends_at:
                    self.has_given_up = True
                    return
                job = await self._next()
                if job is not None:
                    self._in_progress += 1
                    with trio.move_on_at(ends_at):
                        await jobs.send(job)
                        continue
                    self._in_progress -= 1  # all are busy since long ago
                    self._put(job, trio.current_time())
                elif not (self._due or self._in_progress):
                    return
                else:
                    await self._wait(ends_at)

    def again(self, job: PhotoJob, step: AskAgain) -> None:
        """`job` is asked for again as `step` says."""
        now = trio.current_time()
        if step.pauses:
            self._quiet_until = max(self._quiet_until, now + step.after_s)
        self._put(PhotoJob(job.photo, step.tries), now + step.after_s)
        self.released()

    def recorded(self, photos: int) -> None:
        """The checks of `photos` are in the database."""
        self._progressed_at = trio.current_time()
        self._in_progress -= photos
        self._notify()

    def released(self) -> None:
        """A photo is no longer in progress."""
        self._in_progress -= 1
        self._notify()

    def stopped(self) -> None:
        """The check is being stopped: a waiting feed must notice."""
        self._notify()

    async def _next(self) -> PhotoJob | None:
        """The next photo that may be asked for now."""
        now = trio.current_time()
        if now < self._quiet_until:
            return None
        if self._due and self._due[0][0] <= now:
            return heapq.heappop(self._due)[2]
        if len(self._due) >= _MOST_WAITING:
            return None
        if not self._new and not self._is_over:
            self._new = (await self._page(_PAGE))[::-1]
            self._is_over = not self._new
        return PhotoJob(self._new.pop()) if self._new else None

    def _put(self, job: PhotoJob, at: float) -> None:
        heapq.heappush(self._due, (at, next(self._numbers), job))

    async def _wait(self, ends_at: float) -> None:
        """Waits until something may be handed out, or `ends_at`."""
        moments = [max(self._due[0][0], self._quiet_until)] if self._due else []
        if self._new or not self._is_over:
            moments.append(self._quiet_until)
        now = trio.current_time()
        with trio.move_on_at(min([ends_at, *(moment for moment in moments if moment > now)])):
            await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
