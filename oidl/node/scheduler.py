"""Queues attempts by host between the feed and the fetchers, so that no fetcher waits for a host.

The feed hands out images in ImageID order, whatever their hosts. If fetchers took them in that order, one host that is
busy, slow, paused or dead would in time occupy all of them. Crawlers solve this problem with a *frontier*: a queue for
each host, and a fetcher gets the next image of any host that may be asked now.

This scheduler adds three things:

- Attempts at a host that cannot be reached, or that is paused for longer than the run waits, are postponed: their
  images wait in the database, with the time when they are due.
- A fetcher returns an attempt (`requeue`) if its host turns out to be paused. It goes to the end of its queue,
  because it may itself be the reason for the pause, and after a few returns it waits in the database.
- If an image fails at one source, the attempt at the next source is `put` while the image is still in progress. So
  the scheduler ends only when the feed has ended and every job that it took is `finished`.
"""

import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from oidl.model import Job, Postponed
from oidl.net.permits import Backoff
from oidl.node.attempt import Attempt
from oidl.node.stop import Stop

_SIZE = 2000  # attempts in all queues, a few MB
_BACK_PER_S = 100  # images of one host that are due per second after its pause
_MAX_REQUEUES = 3  # of one image, before it waits in the database
_HOPELESS = 1000  # images in a row that are all postponed


@dataclass(slots=True)
class _Queue:
    host: str
    url: str  # of one of its attempts
    attempts: deque[Attempt] = field(default_factory=deque)
    out: int = 0  # attempts with fetchers
    postponed: int = 0  # attempts postponed since one was last handed out


class HostScheduler:
    """Hands out attempts to fetchers, at most `per_host` for one host at once.

    `first` makes the first attempt of a job, `backoff` says why a URL may not be requested now. The scheduler waits for
    a pause if it ends less than `patience_s` after an image last progressed; otherwise it postpones the attempts.
    """

    def __init__(
        self,
        first: Callable[[Job], Attempt],
        backoff: Callable[[str], Backoff | None],
        stop: Stop,
        *,
        per_host: int,
        patience_s: float,
    ) -> None:
        self._first = first
        self._backoff = backoff
        self._stop = stop
        self._per_host = per_host
        self._patience_s = patience_s
        self._queues: dict[str, _Queue] = {}  # hosts with attempts here or with fetchers, or with postponed ones
        self._ready: dict[str, _Queue] = {}  # hosts with an attempt for a fetcher; the last one served is last
        self._waiting = 0  # attempts in all queues
        self._unfinished = 0  # jobs
        self._has_feed_ended = False
        self._postponed_in_a_row = 0
        self._requeues: Counter[str] = Counter()
        self._progressed_at = trio.current_time()
        self._changed = trio.Event()

    def __repr__(self) -> str:
        return (
            f"<HostScheduler: {self._waiting} attempts waiting at {len(self._ready)} ready of {len(self._queues)} "
            f"hosts, {self._unfinished} jobs unfinished>"
        )

    async def run(
        self,
        jobs: trio.MemoryReceiveChannel[Job],
        fetchers: trio.MemorySendChannel[Attempt],
        conclude: Callable[[Attempt, Postponed | None], Awaitable[None]],
    ) -> None:
        """Hands out an attempt for each of `jobs` to `fetchers`, then closes `fetchers`.

        Postponed attempts are concluded as such; those left when the run drains are concluded with None. Then `jobs` is
        closed too, and a feed that still sends meets `BrokenResourceError`.
        """
        async with fetchers:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._notice_drain)
                nursery.start_soon(self._admit, jobs)
                await self._dispatch(fetchers, conclude)
                nursery.cancel_scope.cancel()
            for queue in list(self._queues.values()):
                while queue.attempts:
                    await conclude(queue.attempts.popleft(), None)

    def put(self, attempt: Attempt) -> None:
        """Queues an attempt at its host."""
        queue = self._queue(attempt)
        queue.attempts.append(attempt)
        self._waiting += 1
        self._sort(queue)
        self._notify()

    def requeue(self, attempt: Attempt) -> bool:
        """Takes an attempt back from a fetcher, because its host is paused; False if that happened too often."""
        if self._requeues[attempt.job.image_id] == _MAX_REQUEUES:
            return False
        self._requeues[attempt.job.image_id] += 1
        queue = self._queue(attempt)
        queue.attempts.append(attempt)
        self._waiting += 1
        self._release(queue)
        self._notify()
        return True

    def released(self, attempt: Attempt) -> None:
        """A fetcher is done with an attempt: its host may get another request, but its job is not finished yet."""
        self._release(self._queue(attempt))
        self._requeues.pop(attempt.job.image_id, None)
        self._progressed_at = trio.current_time()
        self._notify()

    def finished(self) -> None:
        """A job is over: its outcome was passed on."""
        self._unfinished -= 1
        self._notify()

    async def _admit(self, jobs: trio.MemoryReceiveChannel[Job]) -> None:
        async with jobs:
            async for job in jobs:
                self._unfinished += 1
                self.put(self._first(job))
                while self._waiting >= _SIZE:
                    await self._changed.wait()
        self._has_feed_ended = True
        self._notify()

    async def _dispatch(
        self,
        fetchers: trio.MemorySendChannel[Attempt],
        conclude: Callable[[Attempt, Postponed | None], Awaitable[None]],
    ) -> None:
        while not self._stop.draining.is_set():
            changed = self._changed
            queue, backoff, wait_s = self._next()
            if queue and backoff:
                await self._postpone(queue, backoff, conclude)
            elif queue:
                await fetchers.send(self._take(queue))
            elif self._has_feed_ended and not self._unfinished:
                return
            else:
                with trio.move_on_after(wait_s):
                    await changed.wait()

    def _next(self) -> tuple[_Queue | None, Backoff | None, float]:
        """The queue to serve now, and why to postpone it if its host may not be asked; or how long to wait instead."""
        wait_s, now = math.inf, trio.current_time()
        for host, queue in self._ready.items():
            backoff = self._backoff(queue.url)
            if backoff is None:
                self._ready[host] = self._ready.pop(host)
                return queue, None, 0.0
            if backoff.is_unreachable or now + backoff.wait_s > self._progressed_at + self._patience_s:
                return queue, backoff, 0.0
            wait_s = min(wait_s, backoff.wait_s)
        return None, None, wait_s

    def _take(self, queue: _Queue) -> Attempt:
        queue.out += 1
        queue.postponed = self._postponed_in_a_row = 0
        self._waiting -= 1
        attempt = queue.attempts.popleft()
        self._sort(queue)
        self._notify()
        return attempt

    async def _postpone(
        self, queue: _Queue, backoff: Backoff, conclude: Callable[[Attempt, Postponed | None], Awaitable[None]]
    ) -> None:
        attempts = list(queue.attempts)
        queue.attempts.clear()
        self._ready.pop(queue.host, None)
        self._waiting -= len(attempts)
        self._notify()
        for attempt in attempts:
            wait_s = backoff.wait_s + queue.postponed / _BACK_PER_S
            queue.postponed += 1
            self._postponed_in_a_row += 1
            await conclude(attempt, Postponed(backoff.reason, backoff.detail, wait_s))
        if self._postponed_in_a_row >= _HOPELESS and not any(map(self._is_available, self._queues.values())):
            self._stop.limit_reached(f"all remaining hosts are paused or unreachable; {backoff.detail}")

    def _is_available(self, queue: _Queue) -> bool:
        return queue.out > 0 or (bool(queue.attempts) and self._backoff(queue.url) is None)

    async def _notice_drain(self) -> None:
        await self._stop.draining.wait()
        self._notify()

    def _queue(self, attempt: Attempt) -> _Queue:
        if attempt.host not in self._queues:
            self._queues[attempt.host] = _Queue(attempt.host, attempt.download.url)
        return self._queues[attempt.host]

    def _release(self, queue: _Queue) -> None:
        queue.out -= 1
        self._sort(queue)

    def _sort(self, queue: _Queue) -> None:
        """Adds `queue` to the ready ones or removes it; forgets it if it is empty in every way."""
        if queue.attempts and queue.out < self._per_host:
            self._ready.setdefault(queue.host, queue)
            return
        self._ready.pop(queue.host, None)
        if not queue.attempts and not queue.out and not queue.postponed:
            self._queues.pop(queue.host, None)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
