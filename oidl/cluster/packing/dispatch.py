"""Keeps every worker of a cluster busy with one shard at a time, until all are sealed."""

import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import trio

from oidl.cluster.engine import ClusterError, Engine, NodeLostError, RefusedError, answer_of
from oidl.cluster.packing import tasks
from oidl.cluster.packing.order import PackFacts, ShardReport, Stored
from oidl.cluster.packing.publish import ShardTruth
from oidl.cluster.packing.queue import DEADLY_DEATHS, ShardQueue
from oidl.cluster.protocol import Timing
from oidl.cluster.tasks import explained
from oidl.errors import OidlError
from oidl.state.pack import ShardRow

_LOOK_S = 1.0
_ALONE_S = 30.0  # without any worker, until that is said


@dataclass(frozen=True, slots=True)
class PackSetup:
    """How workers begin: they look for `paths`, as `tasks.look` has them.

    `check` says why one cannot take part, None if it can.
    """

    paths: Mapping[str, str]
    format: str
    check: Callable[[PackFacts], str | None]
    timing: Timing


class PackDispatcher:
    """Has `shards` written by the workers of `engine`; `truth` prepares and publishes them."""

    def __init__(
        self, engine: Engine, truth: ShardTruth, setup: PackSetup, shards: list[ShardRow], say: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._truth = truth
        self._setup = setup
        self._say = say
        self._queue = ShardQueue(shards)
        self._ready: deque[tuple[ShardRow, Stored]] = deque()
        self._rows: dict[int, Stored] = {}  # of shards that had a life already
        self._workers: set[str] = set()  # addresses that write shards
        self._known: set[str] = set()  # addresses that do, that begin to, or that never will
        self._useless: set[str] = set()
        self._changed = trio.Event()
        self._error: Exception | None = None
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Returns when all shards are sealed. Raises an `OidlError` if that cannot be."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._guarded, self._prepare)
                nursery.start_soon(self._guarded, self._watch_workers, nursery)
                while not self._queue.is_over:
                    await self._changed.wait()
                nursery.cancel_scope.cancel()
        if self._error:
            raise self._error

    async def _guarded(self, work: Callable[..., Any], *arguments: object) -> None:
        """Does `work`; an exception ends the whole, and `run` raises it."""
        try:
            await work(*arguments)
        except Exception as error:
            self._error = self._error or error
            self._scope.cancel()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _prepare(self) -> None:
        """Keeps the rows of one more shard ready than there are workers without one."""
        while True:
            if self._workers and not self._ready and (shard := self._queue.take()):
                rows = self._rows.get(shard.shard_id) or await self._truth.prepare(shard)
                self._rows[shard.shard_id] = rows
                self._ready.append((shard, rows))
                self._notify()
            else:
                await self._changed.wait()

    async def _watch_workers(self, nursery: trio.Nursery) -> None:
        alone_since = trio.current_time()
        while True:
            addresses = await self._engine.addresses()
            for address in addresses - self._known:
                self._known.add(address)
                nursery.start_soon(self._guarded, self._serve, address)
            if self._known - addresses:
                self._known &= addresses
                self._useless &= addresses
                self._notify()
            if self._workers:
                alone_since = trio.current_time()
            elif trio.current_time() >= alone_since + _ALONE_S:
                alone_since = float("inf")
                self._say("waiting for a worker that can take part")
            await trio.sleep(_LOOK_S)

    async def _serve(self, address: str) -> None:
        """Gives a worker shards, as long as it is there and can write them."""
        try:
            await self._begin(address)
        except NodeLostError:
            self._known.discard(address)
            return
        except RefusedError as error:
            self._useless.add(address)
            self._say(f"{_name(address)} is refused: {error}")
            return
        self._workers.add(address)
        self._notify()
        try:
            while (found := await self._next(address)) and await self._write(address, *found):
                pass
        finally:
            self._workers.discard(address)

    async def _begin(self, address: str) -> None:
        """Raises `NodeLostError` or `RefusedError` if a worker cannot take part."""
        setup = self._setup
        try:
            facts: PackFacts = await self._engine.call(address, tasks.look, setup.paths, setup.format)
        except NodeLostError:
            raise
        except Exception as error:
            raise RefusedError(explained(error)) from error
        if problem := setup.check(facts):
            raise RefusedError(problem)

    async def _next(self, address: str) -> tuple[ShardRow, Stored] | None:
        """A shard whose rows are ready; None if the worker leaves."""
        while not self._ready:
            await self._changed.wait()
            if address not in self._known:
                return None
        found = self._ready.popleft()
        self._notify()
        return found

    async def _write(self, address: str, shard: ShardRow, rows: Stored) -> bool:
        """Has a worker write a shard; returns whether it may get another one."""
        life = secrets.token_hex(4)
        try:
            result = await self._life(address, shard, life, rows)
            if result is None:
                self._queue.returned(shard)
                self._say(f"node {_name(address)} heard nothing for too long, and gave up; its shard is written again")
                return True
            self._truth.publish(shard, life, result)
        except NodeLostError as error:
            self._lost(address, shard, error)
            return False
        except RefusedError as error:
            problem = ClusterError(f"node {_name(address)} cannot be used: {error}", hint="check what is mounted there")
            self._excluded(address, shard, str(error), problem)
            return False
        except _WorkerError as error:
            self._excluded(address, shard, error.error.message, error.error)
            return False
        finally:
            self._truth.end(life)
            self._notify()
        self._queue.sealed()
        self._rows.pop(shard.shard_id, None)
        self._notify()
        return True

    async def _life(self, address: str, shard: ShardRow, life: str, rows: Stored) -> Stored | None:
        """One try to write a shard; None if the worker gave it up. Raises `NodeLostError` or `_WorkerError`."""
        order = self._truth.begin(shard, life, rows)
        report = await self._report(address, tasks.begin, order)
        while not report.has_ended:
            self._truth.note(life, report.samples)
            report = await self._report(address, tasks.report, life)
        if report.error:
            raise _WorkerError(report.error)
        return report.result

    async def _report(self, address: str, function: Callable[..., Any], argument: object) -> ShardReport:
        try:
            report: ShardReport = await answer_of(
                self._engine, self._setup.timing.silence_s, address, function, argument
            )
        except NodeLostError:
            raise
        except Exception as error:
            raise _WorkerError(OidlError(explained(error))) from error
        return report

    def _lost(self, address: str, shard: ShardRow, error: NodeLostError) -> None:
        """The worker may come back; its shard is written again, unless too many have died of it."""
        self._known.discard(address)
        if error.is_silent:
            self._queue.returned(shard)
        elif not self._queue.died(shard):
            raise ClusterError(
                f"{DEADLY_DEATHS} workers were lost while they wrote {shard.path}; the last, {_name(address)}, {error}",
                hint="check the memory and the logs of the workers; all complete shards stay",
            )
        self._say(f"node {_name(address)} {error}; its shard is written again")

    def _excluded(self, address: str, shard: ShardRow, why: str, error: OidlError) -> None:
        """The worker gets nothing more; others write its shard. Raises `error` if there are none, or they cannot."""
        self._useless.add(address)
        if not self._queue.failed(shard) or self._known <= self._useless:
            raise error
        self._say(f"node {_name(address)} is excluded: {why}; others write its shard")


class _WorkerError(Exception):
    """A worker cannot write a shard."""

    def __init__(self, error: OidlError) -> None:
        super().__init__(error.message)
        self.error = error


def _name(address: str) -> str:
    """For messages: without the protocol."""
    return address.rpartition("://")[2]
