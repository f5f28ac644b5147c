"""Gives the jobs of a run to the nodes of a cluster: a conversation with each, as long as it is there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import trio

from oidl.cluster.conversation import Conversation
from oidl.cluster.engine import ClusterError, Engine
from oidl.cluster.protocol import Facts, Timing
from oidl.cluster.publish import Truth
from oidl.cluster.shared import Coordination, NodeState, SharedBatches
from oidl.model import Job
from oidl.node.attempt import Outcome
from oidl.node.machine import NodeSettings
from oidl.node.node import Feed, Recorder
from oidl.node.stop import Stop

_LOOK_S = 1.0
_AHEAD = 1000  # jobs that wait for a node, for each node
_NOTICE = 50  # jobs, of which each wakes all conversations
_BUFFER = 1000  # results that wait for the recorder
_ALONE_S = 30.0  # without any node, until that is said
_USELESS_S = 600.0  # with workers none of which can take part, until the run ends

End = TypeVar("End")


@dataclass(frozen=True, slots=True)
class Setup:
    """How nodes begin, see `Coordination`."""

    settings_of: Callable[[str, Facts], NodeSettings]
    check: Callable[[Facts], str | None]
    heard: Callable[[NodeState], None]
    run: str
    probe: str
    timing: Timing
    is_away: bool = False


class Dispatcher:
    """The `Machine` of a run on a cluster."""

    def __init__(self, engine: Engine, truth: Truth, setup: Setup, stop: Stop, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._truth = truth
        self._setup = setup
        self._stop = stop
        self._say = say
        self._shared = SharedBatches()
        self._known: set[str] = set()  # addresses that have a conversation, or get none
        self._conversations = 0

    async def run(self, feed: Feed[End], recorder: Recorder) -> End | None:
        """As in `Machine`."""
        jobs_in, jobs = trio.open_memory_channel[Job](_NOTICE)
        outcomes_in, outcomes = trio.open_memory_channel[Outcome](_BUFFER)
        end = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_when_asked, nursery.cancel_scope)
            async with trio.open_nursery() as stages:
                stages.start_soon(recorder.run, outcomes)
                stages.start_soon(self._process, jobs, outcomes_in)
                end = await feed.run(jobs_in)
            nursery.cancel_scope.cancel()
        return end

    async def _process(self, jobs: trio.MemoryReceiveChannel[Job], outcomes: trio.MemorySendChannel[Outcome]) -> None:
        """Works until each of `jobs` has its outcome, then closes `outcomes`."""
        async with outcomes, trio.open_nursery() as nursery:
            nursery.start_soon(self._drain_when_asked, outcomes)
            async with trio.open_nursery() as members:
                watching = trio.CancelScope()
                members.start_soon(self._watch_members, watching, members, outcomes)
                await self._admit(jobs, outcomes)
                while not self._shared.batches.is_empty:
                    await self._shared.wait_changed()
                watching.cancel()
            nursery.cancel_scope.cancel()

    async def _admit(self, jobs: trio.MemoryReceiveChannel[Job], outcomes: trio.MemorySendChannel[Outcome]) -> None:
        shared = self._shared
        async with jobs:
            async for job in jobs:
                if self._stop.draining.is_set():
                    await outcomes.send(Outcome(job, None))
                    continue
                shared.batches.add(job)
                if shared.batches.waiting % _NOTICE == 1:  # those that wait for jobs wait for some more anyway
                    shared.notify()
                while shared.batches.waiting >= _AHEAD * max(1, shared.nodes):
                    await shared.wait_changed()
        shared.has_feed_ended = True
        shared.notify()

    async def _watch_members(
        self, scope: trio.CancelScope, nursery: trio.Nursery, outcomes: trio.MemorySendChannel[Outcome]
    ) -> None:
        """Begins a conversation with every worker that appears."""
        setup, alone_since, useful_at = self._setup, trio.current_time(), trio.current_time()
        shared = Coordination(
            self._engine, self._shared, self._truth, outcomes, self._stop, self._say,
            setup.settings_of, setup.heard, setup.check, setup.run, setup.probe, setup.timing, setup.is_away,
        )  # fmt: skip
        with scope:
            while True:
                try:
                    addresses = await self._engine.addresses()
                except ClusterError as error:
                    self._stop.limit_reached(error.message)
                    return
                for address in addresses - self._known:
                    self._known.add(address)
                    nursery.start_soon(self._converse, shared, address)
                self._known &= addresses
                if self._shared.nodes:
                    alone_since = trio.current_time()
                elif trio.current_time() >= alone_since + _ALONE_S:
                    alone_since = float("inf")
                    self._say("waiting for a worker that can take part")
                if self._conversations or not addresses:  # a cluster without workers may still get some
                    useful_at = trio.current_time()
                elif trio.current_time() >= useful_at + _USELESS_S:
                    self._stop.limit_reached("no worker of the cluster can take part; the messages above say why")
                    return
                await trio.sleep(_LOOK_S)

    async def _converse(self, shared: Coordination, address: str) -> None:
        self._conversations += 1
        if await Conversation(shared, address).run():
            self._known.discard(address)
        self._conversations -= 1

    async def _drain_when_asked(self, outcomes: trio.MemorySendChannel[Outcome]) -> None:
        await self._stop.draining.wait()
        self._shared.notify()
        for job in self._shared.batches.drop_waiting():
            await outcomes.send(Outcome(job, None))
        self._shared.notify()

    async def _cancel_when_asked(self, scope: trio.CancelScope) -> None:
        await self._stop.cancelling.wait()
        scope.cancel()
