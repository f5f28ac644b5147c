"""A made-up cluster: workers that answer as nodes do, die, freeze and wake, on Trio's clock."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
import trio.testing
from builders import job
from engines import FakeWorkers

from oidl.cluster import tasks
from oidl.cluster.dispatch import Dispatcher, Setup
from oidl.cluster.engine import NodeLostError
from oidl.cluster.protocol import Answer, Exchange, Facts, Report, Result, SealOrder, Timing
from oidl.cluster.shared import NodeState
from oidl.model import Done, Failure, Job, Postponed, Reason, Source
from oidl.node.attempt import Outcome
from oidl.node.frames import Call, Reply, pickled
from oidl.node.machine import NodeSettings
from oidl.node.stop import Stop
from oidl.settings import Imaging, Layout, NetworkSettings, SourceSettings, WorkerSettings

DONE = Done(Source.ORIGINAL, "https://x", 500, "md5", 8, 6, ())
WORKERS = WorkerSettings(0, NetworkSettings(), Layout(Path("/r"), "v"), SourceSettings(), Imaging(), 1, "token")


@dataclass
class FakeWorker:
    """A worker: it does `per_s` images a second, as `result_of` says, and dies when it is given one of `deadly`."""

    per_s: float = 100.0
    versions: dict[str, str] = field(default_factory=dict)
    deadly: frozenset[str] = frozenset()
    result_of: Callable[[Job], Done | Failure | Postponed | None] = lambda job: DONE
    calls: list[Call] = field(default_factory=list)  # to make with the first answer
    is_frozen: bool = False
    problem: str = ""
    life: str = ""
    lives: int = 0
    jobs: dict[str, Job] = field(default_factory=dict)
    given: list[list[str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    replied_in: list[int] = field(default_factory=list)  # the numbers of exchanges with replies
    numbers: list[int] = field(default_factory=list)

    def begin(self, life: str) -> None:
        self.life = life
        self.lives += 1
        self.jobs.clear()

    async def exchange(self, life: str, exchange: Exchange) -> Answer | None:
        if life != self.life:
            return None
        if self.problem:
            return Answer(has_ended=True, problem=self.problem)
        self.numbers.append(exchange.number)
        self.replies += exchange.replies
        self.replied_in += [exchange.number] * bool(exchange.replies)
        if exchange.jobs:
            self.given.append([each.image_id for each in exchange.jobs])
        self.jobs |= {each.image_id: each for each in exchange.jobs}
        calls, self.calls = tuple(self.calls), []
        if exchange.ends:
            return Answer(has_ended=True)
        if exchange.drains:
            results = [Result(each, None) for each in self.jobs]
            self.jobs.clear()
            return Answer(tuple(results), has_ended=True)
        await trio.sleep(1.0)
        if self.deadly & self.jobs.keys():
            raise NodeLostError("has left the cluster")
        results = []
        for image_id in list(self.jobs)[: int(self.per_s)]:
            result = self.result_of(self.jobs.pop(image_id))
            results.append(Result(image_id, result))
            self.done.append(image_id)
        return Answer(tuple(results), calls, Report(len(self.jobs), 10 * len(results)))


class FakeEngine(FakeWorkers[FakeWorker]):
    """The `Engine` of made-up workers."""

    async def call(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        worker = await self.reached(address)
        if function is tasks.look:
            return Facts(worker.versions, True, 2)
        if function is tasks.begin:
            worker.begin(arguments[1])
            return None
        assert function is tasks.exchange
        try:
            answer = await worker.exchange(arguments[1], pickle.loads(arguments[2]))
            return answer and pickled(answer)
        except NodeLostError:
            worker.life = ""
            self.lost(address)
            raise


@dataclass
class FakeTruth:
    """A `Truth` that notes what it is asked."""

    begun: list[str] = field(default_factory=list)
    published: list[tuple[str, str]] = field(default_factory=list)  # life, ImageID
    called: list[tuple[str, Call]] = field(default_factory=list)
    fenced: list[str] = field(default_factory=list)
    answers_after_s: float = 0.0

    async def begin(self, life: str) -> None:
        self.begun.append(life)

    def holds(self, life: str) -> bool:
        return False

    async def orders(self, life: str, *, is_last: bool) -> tuple[SealOrder, ...]:
        return ()

    async def refused_names(self, jobs: Sequence[Job]) -> frozenset[tuple[str, str]]:
        return frozenset()

    async def publish(self, life: str, results: Sequence[tuple[Job, Result]]) -> list[Result]:
        self.published += [(life, each.image_id) for _, each in results]
        return [each for _, each in results]

    async def reply(self, life: str, call: Call) -> Reply:
        self.called.append((life, call))
        await trio.sleep(self.answers_after_s)
        return Reply(call.number, "answered")

    async def fence(self, life: str) -> None:
        self.fenced.append(life)


@dataclass
class ClusterHarness:
    """A run of so many `images` on made-up workers."""

    workers: dict[str, FakeWorker]
    images: int = 1000
    restarts: bool = True
    silence_s: float = 60.0
    check: Callable[[Facts], str | None] = lambda facts: None
    meanwhile: Callable[["ClusterHarness"], Any] | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    heard: list[NodeState] = field(default_factory=list)
    truth: FakeTruth = field(default_factory=FakeTruth)
    reason: Reason | None = None  # for which all images failed before
    ends_after_s: float = 0.0  # the feed does
    end: str | None = None
    ended_s: float = 0.0

    @property
    def results(self) -> dict[int, Any]:
        """The result of each image that has one; none has two."""
        found = {int(each.job.image_id, 16): each.result for each in self.outcomes}
        assert len(found) == len(self.outcomes)
        return found

    def run(self) -> "ClusterHarness":
        trio.run(self._main, clock=trio.testing.MockClock(autojump_threshold=0))
        return self

    async def _main(self) -> None:
        self.stop = Stop()
        self.engine = FakeEngine(self.workers, self.restarts)
        setup = Setup(
            lambda host, facts: NodeSettings(WORKERS, 1, 1.0),
            self.check,
            self.heard.append,
            "run",
            "probe",
            Timing(self.silence_s),
        )
        self.dispatcher = Dispatcher(self.engine, self.truth, setup, self.stop, self.said.append)
        began = trio.current_time()
        with trio.fail_after(100_000):
            async with trio.open_nursery() as nursery:
                if self.meanwhile:
                    nursery.start_soon(self.meanwhile, self)
                self.end = await self.dispatcher.run(_Feed(self), _Recorder(self))
                nursery.cancel_scope.cancel()
        self.ended_s = trio.current_time() - began


@dataclass
class _Feed:
    harness: ClusterHarness

    async def run(self, jobs: trio.MemorySendChannel[Job]) -> str:
        async with jobs:
            for number in range(1, self.harness.images + 1):
                if self.harness.stop.draining.is_set():
                    return "stopped"
                await jobs.send(job(number, reason=self.harness.reason))
            await trio.sleep(self.harness.ends_after_s)
        return "over"


@dataclass
class _Recorder:
    harness: ClusterHarness

    async def run(self, outcomes: trio.MemoryReceiveChannel[Outcome]) -> None:
        async for outcome in outcomes:
            self.harness.outcomes.append(outcome)
