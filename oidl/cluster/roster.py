"""All nodes of a run: what each does, for the meter, and the pace that a new one starts with."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from heapq import nlargest
from typing import TypeVar

import trio

from oidl.cluster.paces import paces_by_host, starting_paces, tightest
from oidl.cluster.protocol import Answer
from oidl.cluster.shared import NodeState
from oidl.model import NodeProgress
from oidl.net.pace import PaceState
from oidl.pipeline.inputs import Inputs
from oidl.progress.meter import SHOWN, Meter
from oidl.progress.statistics import InProgress, Processing, Transferring

_KEPT = 200  # nodes that have ended

T = TypeVar("T", Transferring, Processing)


class Roster:
    """The nodes of a run; `stored` are the paces that earlier runs learned, by provider and host."""

    def __init__(self, meter: Meter, inputs: Inputs, stored: Mapping[tuple[str, str], PaceState]) -> None:
        self._meter = meter
        self._inputs = inputs
        self._known = dict(stored)
        self._living: dict[str, NodeState] = {}
        self._ended: deque[NodeState] = deque(maxlen=_KEPT)
        self._last_paces: tuple[PaceState, ...] = ()
        meter.paced_by(self.paces)
        meter.nodes_from(self.nodes, self.active)

    def heard(self, state: NodeState) -> None:
        """A node has answered, or has ended."""
        report = state.answer.report
        if state.lost is None:
            self._inputs.count(report.bytes_read)
            self._meter.throttled(report.throttled)
            self._living[state.life] = state
        elif self._living.pop(state.life, None):
            learned = [pace for pace in map(_learned, report.paces) if pace.learned_rate is not None]
            self._known |= {(pace.provider, state.host): pace for pace in learned}
            state.answer = Answer()
            self._ended.append(state)

    def paces(self) -> tuple[PaceState, ...]:
        """The pace at each provider, for each host; when all nodes have ended, the last ones."""
        if paces := paces_by_host(self._each_pace()):
            self._last_paces = paces
        return self._last_paces

    def nodes(self) -> tuple[NodeProgress, ...]:
        """Every node of the run, or the last ones if there were very many."""
        now = trio.current_time()
        return tuple(_progress(each, now) for each in (*self._living.values(), *self._ended))

    def active(self) -> InProgress:
        """What is in progress on all nodes, as each of them said last; of many, those that have taken longest."""
        every = [(each.name, each.answer.report.active) for each in self._living.values()]
        return InProgress(
            sum(active.downloads for _, active in every),
            sum(active.resizes for _, active in every),
            _slowest((one, name) for name, active in every for one in active.transfers),
            _slowest((one, name) for name, active in every for one in active.processing),
        )

    def starting_paces(self, host: str) -> dict[str, PaceState]:
        """The paces that a new node on `host` starts with."""
        there = sum(each.host == host for each in self._living.values())
        return starting_paces(host, there, self._known, self._each_pace())

    def _each_pace(self) -> list[PaceState]:
        return [
            replace(_learned(pace), node=each.host)
            for each in self._living.values()
            for pace in each.answer.report.paces
        ]


def _progress(state: NodeState, now: float) -> NodeProgress:
    report = state.answer.report
    rate, pause_s = tightest(report.paces)
    return NodeProgress(
        state.life,
        state.name,
        state.host,
        state.threads,
        state.images,
        round(state.images_per_s, 1) if state.lost is None else 0.0,
        report.in_progress,
        state.lost,
        now - state.since,
        report.active.downloads,
        report.active.resizes,
        rate,
        pause_s,
    )


def _slowest(every: Iterable[tuple[T, str]]) -> tuple[T, ...]:
    """Those that have taken longest, each with the name of its node."""
    return tuple(replace(one, node=name) for one, name in nlargest(SHOWN, every, key=lambda each: each[0].elapsed_s))


def _learned(pace: PaceState) -> PaceState:
    """`pace` without a rate that is only a guess: others must not learn from it."""
    return replace(pace, learned_rate=None, is_guess=False) if pace.is_guess else pace
