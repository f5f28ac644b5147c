"""The coordinator's side of one life of a node: begins it, exchanges jobs for results, gives it up if lost."""

import math
import pickle
import secrets
from dataclasses import replace

import trio

from oidl.cluster import tasks
from oidl.cluster.engine import NodeLostError, RefusedError, answer_of
from oidl.cluster.health import Verdict
from oidl.cluster.protocol import Answer, Exchange, Facts, Result
from oidl.cluster.shared import Coordination, NodeState
from oidl.errors import DiskError
from oidl.model import Blame, Done, Failure, Job, Reason
from oidl.node.attempt import Outcome
from oidl.node.frames import Call, Reply, pickled

_FIRST_JOBS, _MOST_JOBS = 128, 1000  # that a node has at once
_AHEAD_S = 10.0  # the jobs that it has last for so long
_BEGIN_S = 300.0
_FEW, _GATHER_S = 100, 0.05  # so few images wait for more, so long
_LATELY_S = 6.0  # that images per second are an average of
_REPLY_S = 0.2  # an exchange waits for a reply so long: without it, the node may have nothing to do


class Conversation:
    """One life of the node of the worker at `address`."""

    def __init__(self, shared: Coordination, address: str) -> None:
        self.state = NodeState(secrets.token_hex(4), address, trio.current_time())
        self._shared = shared
        self._batches = shared.batches.batches
        self._replies: list[Reply] = []
        self._replying = 0  # calls that are being answered
        self._number = 0  # of the last exchange
        self._heard_at, self._rate_weight = trio.current_time(), 0.0
        self._asking: trio.Nursery | None = None

    async def run(self) -> bool:
        """Lives one life; returns whether its worker may get another one."""
        shared, state = self._shared, self.state
        has_begun = False
        try:
            with trio.move_on_after(_BEGIN_S):
                if await shared.batches.unless_over(shared.stop, self._begin):
                    has_begun = True
        except NodeLostError:
            return True
        except RefusedError as error:
            shared.say(f"{state.name} is refused: {error}")
            return False
        return await self._live() if has_begun else True

    async def _begin(self) -> None:
        """Begins the life. Raises `NodeLostError`, `RefusedError`, or `DiskError` if the coordinator's disk fails."""
        shared, state = self._shared, self.state
        try:
            facts: Facts = await shared.engine.call(state.address, tasks.look, shared.probe)
            if problem := shared.check(facts):
                raise RefusedError(problem)
            state.threads = facts.threads
            settings = shared.settings_of(state.host, facts)
            await shared.truth.begin(state.life)
            fenced = replace(settings, workers=replace(settings.workers, fence=state.life))
            arguments = (shared.run, state.life, pickled((fenced, shared.timing)), shared.is_away)
            await shared.engine.call(state.address, tasks.begin, *arguments)
        except (NodeLostError, RefusedError, DiskError):
            raise
        except Exception as error:
            raise RefusedError(tasks.explained(error)) from error

    async def _live(self) -> bool:
        shared, state = self._shared, self.state
        self._heard_at = trio.current_time()
        shared.batches.nodes += 1
        problem, loss, has_died = "", "", False
        try:
            async with trio.open_nursery() as nursery:
                self._asking = nursery
                try:
                    problem = await self._exchange_all()
                except NodeLostError as error:
                    loss, has_died = str(error), not error.is_silent
                nursery.cancel_scope.cancel()
        finally:
            shared.batches.nodes -= 1
            state.lost = loss or problem or "has ended"
            shared.heard(state)
        if loss:
            shared.say(f"node {state.name} {loss}; what it had in progress is done again")
        elif problem:
            shared.say(f"node {state.name} is excluded: {problem}")
        shared.health.forget(state.life)
        if loss or problem:
            await self._lose(has_died=has_died)
        return not problem

    async def _exchange_all(self) -> str:
        """Exchanges until the node has ended; returns why, empty if it was asked to. Raises `NodeLostError`."""
        while True:
            await self._wait_for_work()
            exchange = await self._next_exchange()
            answer = await self._exchange(exchange)
            if problem := await self._accept(answer):
                return problem
            if answer.has_ended:
                if not (exchange.ends or exchange.drains or answer.problem):
                    raise NodeLostError("has heard nothing for too long, and has given up", is_silent=True)
                return answer.problem

    async def _wait_for_work(self) -> None:
        """Returns when there is something to exchange, or it is time to keep the node alive."""
        shared = self._shared
        with trio.move_on_after(_REPLY_S):
            while self._replying:
                await shared.batches.wait_changed()
        with trio.move_on_after(shared.timing.keep_s):
            while not (
                self._replies
                or self._batches.count(self.state.life)
                or self._batches.waiting
                or shared.batches.is_over
                or shared.stop.draining.is_set()
            ):
                await shared.batches.wait_changed()
        if not self._batches.count(self.state.life) and 0 < self._batches.waiting < _FEW:
            await trio.sleep(_GATHER_S)

    async def _next_exchange(self) -> Exchange:
        shared, life = self._shared, self.state.life
        drains = shared.stop.draining.is_set()
        jobs = [] if drains else self._batches.take(life, self._wanted())
        refused = await shared.truth.refused_names(jobs)
        replies, self._replies = tuple(self._replies), []
        has_none = not jobs and not self._batches.count(life)
        ends = has_none and (shared.batches.is_over or drains)
        seals = await shared.truth.orders(life, is_last=self.state.answer.has_stopped)
        self._number += 1
        return Exchange(
            self._number, tuple(jobs), refused, replies,
            drains=drains, ends=ends, seals=seals, holds=shared.truth.holds(life),
        )  # fmt: skip

    def _wanted(self) -> int:
        """How many more images the node should get: some seconds' worth, and no more than its share.

        That is of what waits, so that others find some too, and of all that is left, so that all end together.
        """
        most = min(_MOST_JOBS, max(_FIRST_JOBS, round(self.state.images_per_s * _AHEAD_S)))
        nodes = max(1, self._shared.batches.nodes)
        share = -(-self._batches.unfinished // nodes)
        return min(min(most, share) - self._batches.count(self.state.life), -(-self._batches.waiting // nodes))

    async def _exchange(self, exchange: Exchange) -> Answer:
        shared, state = self._shared, self.state
        arguments = (shared.run, state.life, pickled(exchange))
        try:
            data = await answer_of(shared.engine, shared.timing.silence_s, state.address, tasks.exchange, *arguments)
        except NodeLostError:
            raise
        except Exception as error:
            return Answer(has_ended=True, problem=tasks.explained(error))
        answer: Answer = pickle.loads(data)
        return answer

    async def _accept(self, answer: Answer) -> str:
        """Takes over what counts of an answer; returns why the node is excluded, empty if it is not."""
        shared, state = self._shared, self.state
        assert self._asking
        for text in answer.texts:
            shared.say(f"{state.name}: {text}")
        if problem := self._lost_shard(answer):
            return problem  # its results are of no use either: they are in shards that it cannot upload
        self._replying += len(answer.calls)
        for call in answer.calls:
            self._asking.start_soon(self._reply, call)
        settled = [(job, each) for each in answer.results if (job := self._batches.settle(state.life, each.image_id))]
        state.answer = answer
        self._measure(len(settled))
        shared.heard(state)
        if reason := await self._blamed_reason(settled):
            for job, _ in settled:
                self._batches.add(job)
            return f"its images fail for one reason, {reason}, and those of other nodes do not; others try them"
        results = await shared.truth.publish(state.life, settled)
        state.images += sum(isinstance(each.result, Done) for each in results)
        await self._pass_on([(job, result) for (job, _), result in zip(settled, results, strict=True)])
        return ""

    def _measure(self, images: int) -> None:
        """Notes that so many images have a result, all since the last time."""
        state, now = self.state, trio.current_time()
        passed_s = max(now - self._heard_at, 0.001)
        self._heard_at = now
        weight = 1 - math.exp(-passed_s / _LATELY_S)
        self._rate_weight += (1 - self._rate_weight) * weight
        state.images_per_s += weight / self._rate_weight * (images / passed_s - state.images_per_s)

    def _lost_shard(self, answer: Answer) -> str:
        """Why a node that cannot complete or upload a shard is excluded; empty if it can, or is the last one."""
        problems = [str(call.arguments[1]) for call in answer.calls if call.method == "shard_failed"]
        return f"{problems[0]}; other nodes fetch its images" if problems and self._shared.batches.nodes > 1 else ""

    async def _blamed_reason(self, settled: list[tuple[Job, Result]]) -> Reason | None:
        """The reason that the node is to blame for, None if there is none; waits a little to see how others do."""
        shared, life = self._shared, self.state.life
        shared.health.add(life, settled)
        verdict, reason = shared.health.judge(life, settled, is_alone=shared.batches.nodes == 1)
        with trio.move_on_after(shared.timing.lease_s / 2):
            while verdict is Verdict.UNCLEAR:
                await shared.batches.wait_changed()
                verdict, reason = shared.health.judge(life, settled, is_alone=shared.batches.nodes == 1)
        return reason if verdict is Verdict.EXCLUDE else None

    async def _pass_on(self, settled: list[tuple[Job, Result]]) -> None:
        shared = self._shared
        for job, result in settled:
            if result.result is None and not shared.stop.draining.is_set():
                self._batches.add(job)  # the node leaves, others do it
                continue
            outcome = Outcome(job, result.result, result.earlier)
            try:
                shared.outcomes.send_nowait(outcome)  # to wait for each costs more than to record it
            except trio.WouldBlock:
                await shared.outcomes.send(outcome)
        shared.batches.notify()

    async def _reply(self, call: Call) -> None:
        reply = await self._shared.truth.reply(self.state.life, call)
        self._replying -= 1
        if call.number:
            self._replies.append(reply)
        self._shared.batches.notify()

    async def _lose(self, *, has_died: bool) -> None:
        """Gives away what the life had."""
        shared = self._shared
        for job in self._batches.lose(self.state.life, has_died=has_died):
            await shared.outcomes.send(Outcome(job, _deadly()))
        if shared.stop.draining.is_set():
            for job in self._batches.drop_waiting():
                await shared.outcomes.send(Outcome(job, None))
        shared.batches.notify()
        await shared.truth.fence(self.state.life)


def _deadly() -> Failure:
    detail = "several nodes died while they worked on it alone"
    return Failure(Reason.CORRUPT, detail, blame=Blame.IMAGE)
