"""One life of a node, in a thread of a worker with an event loop of its own.

The worker calls `exchange` from its threads. Between two exchanges the node continues with the jobs that it has; if
there is none for a while, it ends by itself.
"""

import logging
import math
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import trio

from oidl.cluster.ends import JobFeed, OutcomeRecorder
from oidl.cluster.protocol import ENOUGH, REPORTED, Answer, Exchange, Report, Result, SealOrder, Timing
from oidl.cluster.sealing import Sealer, in_scratch
from oidl.errors import OidlError
from oidl.model import Job, OpenShard
from oidl.net.client import tls_context
from oidl.net.dns import cached_dns
from oidl.net.throttle import Throttle
from oidl.node.attempt import Outcome
from oidl.node.frames import Call, Reply
from oidl.node.machine import NodeSettings, Surroundings, open_node
from oidl.node.pool import Arrivals
from oidl.node.stop import Stop
from oidl.progress.meter import Meter
from oidl.progress.statistics import slowest
from oidl.storage.remote import RemoteStore
from oidl.storage.sweep import remove_tree

_CLOSE_S = 10.0

log = logging.getLogger("oidl")


class NodeHost:
    """The node with the name `life`; it ends if there is no exchange for the lease of `timing`.

    With a `scratch` directory, it keeps its shards there until they are in the object store, and removes it at the end.
    """

    def __init__(self, life: str, settings: NodeSettings, timing: Timing, scratch: Path | None = None) -> None:
        self.life = life
        self._settings = settings
        self._timing = timing
        self._scratch = scratch
        self._talk: _Talk | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._has_started = threading.Event()
        self._problem = ""
        self._thread = threading.Thread(target=self._run, name=f"oidl-node-{life}", daemon=True)

    @property
    def has_ended(self) -> bool:
        """Whether the node has ended, after it had begun."""
        return self._has_started.is_set() and not self._thread.is_alive()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def exchange(self, exchange: Exchange) -> Answer:
        """Gives the node jobs, and waits a little for results; called in any thread but its own."""
        self._has_started.wait(_CLOSE_S)
        talk, token = self._talk, self._token
        if talk and token:
            try:
                return trio.from_thread.run(talk.exchange, exchange, trio_token=token)
            except (trio.RunFinishedError, trio.Cancelled):
                self._thread.join(_CLOSE_S)
        return Answer(has_ended=True, problem=self._problem)

    def close(self) -> None:
        """Ends the node, whatever it is doing, and waits for its thread."""
        if self._thread.is_alive() and self._has_started.wait(_CLOSE_S) and self._talk and self._token:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._talk.scope.cancel)
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:
            first = _first(error)
            if isinstance(first, OidlError):
                self._problem = first.message
            else:
                log.exception("the node ended")
                self._problem = f"{type(first).__name__}: {first}"
        finally:
            self._has_started.set()
            if self._scratch:
                with suppress(OSError):  # an abandoned thread may still be writing there; Dask removes it later
                    remove_tree(self._scratch)

    async def _main(self) -> None:
        settings, remote = self._settings, None
        if self._scratch:
            settings = in_scratch(settings, self._scratch)
            remote = RemoteStore(settings.workers.shards.remote or "")
        talk = _Talk(settings, self._timing, remote)
        self._talk, self._token = talk, trio.lowlevel.current_trio_token()
        self._has_started.set()
        await talk.run()


class _Talk:
    """The node, and what it has to say; the feed and the recorder of its stages."""

    _sync: Callable[[], Awaitable[None]] | None  # returns when everything in shards is on the disk

    def __init__(self, settings: NodeSettings, timing: Timing, remote: RemoteStore | None) -> None:
        self.scope = trio.CancelScope()
        self._sealer = Sealer(settings.workers.layout.root_dir, remote, self._call, self._say) if remote else None
        self._orders_in, self._orders = trio.open_memory_channel[SealOrder](math.inf)
        self._settings = settings
        self._timing = timing
        self._stop = Stop()
        self._meter = Meter(trio.current_time)
        self._jobs_in, self._jobs = trio.open_memory_channel[Job](math.inf)  # the coordinator bounds it
        self._in_progress: set[str] = set()
        self._results: list[Result] = []
        self._calls: list[Call] = []
        self._texts: list[str] = []
        self._numbers = count(1)
        self._asked: dict[int, tuple[trio.Event, list[Reply]]] = {}
        self._refused_names: set[tuple[str, str]] = set()
        self._news = trio.Event()
        self._one_at_a_time = trio.Lock()
        self._last = 0, Answer()  # the number of an exchange, and its answer
        self._has_told_stop = False
        self._has_stopped, self._is_collected = trio.Event(), trio.Event()
        self._throttle = Throttle(settings.workers.transfers.max_bytes_per_s)
        self._heard_at = trio.current_time()
        self._sync = None
        self._told_bytes = self._told_throttled = 0

    async def run(self) -> None:
        """Works until it is told to end, is cancelled, or has heard nothing for too long."""
        around = Surroundings(self, Arrivals(self._arrived, self._meter.read), self._stop, self._meter, self._say)
        with self.scope, cached_dns(self._settings.workers.transfers.dns_timeout_s):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_lease)
                if self._sealer:
                    nursery.start_soon(self._sealer.run, self._orders)
                async with open_node(self._settings, tls_context(), around) as (node, workers):
                    self._sync = workers.sync
                    await node.run(JobFeed(self._jobs, self._record), OutcomeRecorder(self._record))
                self._has_stopped.set()
                self._tell()
                await self._is_collected.wait()
                nursery.cancel_scope.cancel()

    async def exchange(self, exchange: Exchange) -> Answer:
        """As `NodeHost.exchange`."""
        async with self._one_at_a_time:
            if exchange.number != self._last[0] + 1:  # Dask may call a function twice
                return self._last[1]
            self._heard_at = math.inf
            try:
                self._last = exchange.number, await self._exchange(exchange)
            finally:
                self._heard_at = trio.current_time()
            if self._last[1].has_ended:
                self._is_collected.set()
            return self._last[1]

    async def _exchange(self, exchange: Exchange) -> Answer:
        self._take(exchange)
        most = max(1, min(ENOUGH, len(self._in_progress) // 2))
        with trio.move_on_after(self._timing.wait_s):
            while not self._has_news(most, exchange):
                await self._news.wait()
        return await self._answer(holds=exchange.holds)

    def _take(self, exchange: Exchange) -> None:
        self._refused_names |= exchange.refused_names
        for reply in exchange.replies:
            event, replies = self._asked[reply.number]
            replies.append(reply)
            event.set()
        for job in exchange.jobs:
            self._in_progress.add(job.image_id)
            self._jobs_in.send_nowait(job)
        for order in exchange.seals:
            self._orders_in.send_nowait(order)
        if exchange.drains:
            self._stop.draining.set()
        if exchange.drains or exchange.ends:
            self._jobs_in.close()

    def _has_news(self, most: int, exchange: Exchange) -> bool:
        if exchange.ends:
            is_new = not self._has_told_stop or bool(self._calls) or not exchange.holds
            return self._has_stopped.is_set() and is_new
        return bool(self._calls) or len(self._results) >= most or not self._in_progress or self._has_stopped.is_set()

    async def _answer(self, *, holds: bool) -> Answer:
        results, self._results = self._results, []
        self._has_told_stop = has_stopped = self._has_stopped.is_set()
        if results and self._sync and not (self._sealer or has_stopped):
            await self._sync()  # what is recorded must not be lost with this machine
        now = self._meter.statistics()
        read, throttled = now.bytes_read - self._told_bytes, now.throttled - self._told_throttled
        self._told_bytes, self._told_throttled = now.bytes_read, now.throttled
        answer = Answer(
            tuple(results),
            tuple(self._calls),
            Report(
                len(self._in_progress), read, throttled, now.paces, slowest(now.transfers, now.processing, REPORTED)
            ),
            tuple(self._texts),
            has_stopped=has_stopped,
            has_ended=has_stopped and not holds and not self._results,
        )
        self._calls.clear()
        self._texts.clear()
        return answer

    def _record(self, outcome: Outcome) -> None:
        self._meter.dropped(outcome.job)
        self._in_progress.discard(outcome.job.image_id)
        self._results.append(Result(outcome.job.image_id, outcome.result, outcome.earlier))
        self._tell()

    def _say(self, text: str) -> None:
        self._texts.append(text)

    def _call(self, call: Call) -> None:
        self._calls.append(call)
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def _arrived(self, count: int) -> None:
        self._meter.read(count)
        await self._throttle.consume(count)

    async def _watch_lease(self) -> None:
        lease_s = self._timing.lease_s
        while (left_s := self._heard_at + lease_s - trio.current_time()) > 0:  # noqa: ASYNC110
            await trio.sleep(min(left_s, lease_s / 4))
        log.warning("the node has heard nothing for %.0f s, and ends", lease_s)
        self.scope.cancel()

    # ---- what workers ask the coordinator

    async def claim_name(self, name: str, image_id: str) -> bool:
        """As in `Coordinator`; names are claimed when the job is sent."""
        return (name, image_id) not in self._refused_names

    async def before_replace(self, files: list[tuple[str, str]]) -> None:
        """As in `Coordinator`; nothing is replaced here, but when it is published."""

    async def open_shard(self, rendition: str, subset: str) -> OpenShard:
        """As in `Coordinator`."""
        shard: OpenShard = await self._ask("open_shard", rendition, subset)
        return shard

    async def shard_is_full(self, shard_id: int, appended: int) -> None:
        """As in `Coordinator`."""
        self._call(Call(0, "shard_is_full", (shard_id, appended)))

    async def _ask(self, method: str, *arguments: object) -> Any:
        number = next(self._numbers)
        event, replies = self._asked[number] = trio.Event(), []
        self._call(Call(number, method, arguments))
        await event.wait()
        del self._asked[number]
        if replies[0].error:
            raise replies[0].error
        return replies[0].value


def _first(error: BaseException) -> BaseException:
    """The first exception in a group: what is said about the node. One of oidl's own says most."""
    while isinstance(error, BaseExceptionGroup):
        error = (error.subgroup(OidlError) or error).exceptions[0]
    return error
