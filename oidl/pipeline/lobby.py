"""Where images wait for their host, so that fetchers never do.

The feed hands images out in ImageID order, whatever host they lie on; one host that is
busy, slow, paused or dead would in time hold all fetchers. So each host has a queue
here, and a fetcher is given the next image whose host may be asked.

Images of a host that cannot be reached, or that wants to be left alone for longer
than the run is patient, are postponed untried: they wait in the database.
"""

import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from oidl.model import Postponed, Work
from oidl.net.hosts import Block
from oidl.pipeline.stop import Stop

_SIZE = 2000  # images in all queues, a few MB
_BACK_PER_S = 100  # images of one host that come back in a second, when their time has come
_RETURNS = 3  # of one image, before it waits in the database
_HOPELESS = 1000  # images in a row that are all postponed


@dataclass(slots=True)
class _Queue:
    name: str
    url: str  # of one of its images
    works: deque[Work] = field(default_factory=deque)
    out: int = 0  # with fetchers
    postponed: int = 0  # since one was last handed out


class Lobby:
    """Queues between the feed and the fetchers, a host each.

    `url_of` and `host_of` tell where an image lies, `block` whether that may be asked now. No host has more than
    `per_host` images with fetchers at once. Pauses are waited for until nothing has come of any image
    for `patience_s`.
    """

    def __init__(
        self,
        url_of: Callable[[Work], str],
        host_of: Callable[[str], str],
        block: Callable[[str], Block | None],
        stop: Stop,
        *,
        per_host: int,
        patience_s: float,
    ) -> None:
        self._url_of = url_of
        self._host_of = host_of
        self._block = block
        self._stop = stop
        self._per_host = per_host
        self._patience_s = patience_s
        self._queues: dict[str, _Queue] = {}  # with images here or with fetchers, or postponed ones
        self._ready: dict[str, _Queue] = {}  # with an image that a fetcher may have; the last to have its turn is last
        self._out = 0  # images with fetchers
        self._count = 0
        self._passed_on = 0  # beyond the fetchers, from where they may come back
        self._has_ended = False
        self._postponed_in_a_row = 0
        self._returns: Counter[str] = Counter()
        self._progressed_at = trio.current_time()
        self._changed = trio.Event()

    async def run(
        self,
        fed: trio.MemoryReceiveChannel[Work],
        fetchers: trio.MemorySendChannel[Work],
        postpone: Callable[[Work, Postponed], Awaitable[None]],
        drop: Callable[[Work], None],
    ) -> None:
        """Passes all of `fed` on to `fetchers` or to `postpone`, or, once the run drains, to `drop`."""
        async with fetchers:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._notice_drain)
                nursery.start_soon(self._let_in, fed)
                await self._hand_out(fetchers, postpone)
                nursery.cancel_scope.cancel()
            for queue in self._queues.values():
                while queue.works:
                    drop(queue.works.popleft())

    def left(self, work: Work) -> None:
        """A fetcher is done with `work`, and so is everybody."""
        self.passed_on(work)
        self.settled()

    def passed_on(self, work: Work) -> None:
        """A fetcher is done with `work`; until it is settled, it may be queued again, for another host."""
        self._passed_on += 1
        self._came_in(self._queue(work))
        self._returns.pop(work.image_id, None)
        self._progressed_at = trio.current_time()
        self._notify()

    def settled(self) -> None:
        """An image that was passed on is recorded, let go of, or queued again."""
        self._passed_on -= 1
        self._notify()

    def queue(self, work: Work) -> None:
        """Queues `work` at its host, as one that the feed hands out."""
        queue = self._queue(work)
        queue.works.append(work)
        self._count += 1
        self._sort(queue)
        self._notify()

    def came_back(self, work: Work) -> bool:
        """A fetcher gives `work` back, as its host wants to be left alone now; False if it was given back too often.

        It is queued behind the others of its host: it may itself be what the host objects to.
        """
        if self._returns[work.image_id] == _RETURNS:
            return False
        queue = self._queue(work)
        queue.works.append(work)
        self._came_in(queue)
        self._returns[work.image_id] += 1
        self._count += 1
        self._notify()
        return True

    async def _let_in(self, fed: trio.MemoryReceiveChannel[Work]) -> None:
        async with fed:
            async for work in fed:
                self.queue(work)
                while self._count >= _SIZE:
                    await self._changed.wait()
        self._has_ended = True
        self._notify()

    async def _hand_out(
        self, fetchers: trio.MemorySendChannel[Work], postpone: Callable[[Work, Postponed], Awaitable[None]]
    ) -> None:
        while not self._stop.draining.is_set():
            changed = self._changed
            queue, block, wait_s = self._next()
            if queue and block:
                await self._postpone(queue, block, postpone)
            elif queue:
                await fetchers.send(self._take(queue))
            elif self._has_ended and self._is_idle:
                return
            else:
                with trio.move_on_after(wait_s):
                    await changed.wait()

    def _next(self) -> tuple[_Queue | None, Block | None, float]:
        """The queue whose turn it is, and why it is postponed if it is; else how long to wait if nothing happens."""
        wait_s, now = math.inf, trio.current_time()
        for name, queue in self._ready.items():
            block = self._block(queue.url)
            if block is None:
                self._ready[name] = self._ready.pop(name)
                return queue, None, 0.0
            if block.is_set_aside or now + block.wait_s > self._progressed_at + self._patience_s:
                return queue, block, 0.0
            wait_s = min(wait_s, block.wait_s)
        return None, None, wait_s

    def _take(self, queue: _Queue) -> Work:
        queue.out += 1
        self._out += 1
        queue.postponed = self._postponed_in_a_row = 0
        self._count -= 1
        work = queue.works.popleft()
        self._sort(queue)
        self._notify()
        return work

    async def _postpone(
        self, queue: _Queue, block: Block, postpone: Callable[[Work, Postponed], Awaitable[None]]
    ) -> None:
        works = list(queue.works)
        queue.works.clear()
        self._ready.pop(queue.name, None)
        self._count -= len(works)
        self._notify()
        for work in works:
            back_s = block.wait_s + queue.postponed / _BACK_PER_S
            queue.postponed += 1
            self._postponed_in_a_row += 1
            await postpone(work, Postponed(block.reason, block.detail, back_s))
        if self._postponed_in_a_row >= _HOPELESS and not any(map(self._is_well, self._queues.values())):
            self._stop.limit_reached(f"there is nothing but hosts that are to be left alone; {block.detail}")

    def _is_well(self, queue: _Queue) -> bool:
        return queue.out > 0 or (bool(queue.works) and self._block(queue.url) is None)

    @property
    def _is_idle(self) -> bool:
        return not self._count and not self._passed_on and not self._out

    async def _notice_drain(self) -> None:
        await self._stop.draining.wait()
        self._notify()

    def _queue(self, work: Work) -> _Queue:
        url = self._url_of(work)
        name = self._host_of(url)
        if name not in self._queues:
            self._queues[name] = _Queue(name, url)
        return self._queues[name]

    def _came_in(self, queue: _Queue) -> None:
        queue.out -= 1
        self._out -= 1
        self._sort(queue)

    def _sort(self, queue: _Queue) -> None:
        """Puts `queue` among the ready ones if it belongs there, and forgets it if there is nothing to know of it."""
        if queue.works and queue.out < self._per_host:
            self._ready.setdefault(queue.name, queue)
            return
        self._ready.pop(queue.name, None)
        if not queue.works and not queue.out and not queue.postponed:
            self._queues.pop(queue.name, None)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
