"""All nodes of a run: what each does, for the meter, and the pace that a new one starts with."""

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

import trio

from oidl.cluster.paces import paces_by_host, starting_paces
from oidl.cluster.shared import NodeState
from oidl.model import NodeProgress
from oidl.net.pace import PaceState
from oidl.pipeline.inputs import Inputs
from oidl.progress.meter import Meter

_KEPT = 200  # nodes that have ended


class Roster:
    """The nodes of a run; `stored` are the paces that earlier runs learned, by provider and host."""

    def __init__(self, meter: Meter, inputs: Inputs, stored: Mapping[tuple[str, str], PaceState]) -> None:
        self._meter = meter
        self._inputs = inputs
        self._stored = stored
        self._living: dict[str, NodeState] = {}
        self._ended: deque[NodeState] = deque(maxlen=_KEPT)
        self._last_paces: tuple[PaceState, ...] = ()
        meter.paced_by(self.paces)
        meter.nodes_from(self.nodes)

    def heard(self, state: NodeState) -> None:
        """A node has answered, or has ended."""
        report = state.answer.report
        self._inputs.count(report.bytes_read)
        self._meter.throttled(report.throttled)
        if state.lost is None:
            self._living[state.life] = state
        elif self._living.pop(state.life, None):
            self._ended.append(state)

    def paces(self) -> tuple[PaceState, ...]:
        """The pace at each provider, for each host; when all nodes have ended, the last ones."""
        if paces := paces_by_host(self._each_pace()):
            self._last_paces = paces
        return self._last_paces

    def nodes(self) -> tuple[NodeProgress, ...]:
        """Every node of the run, or the last ones if there were very many."""
        now = trio.current_time()
        return tuple(
            NodeProgress(
                each.life,
                each.name,
                each.host,
                each.threads,
                each.images,
                round(each.images_per_s, 1) if each.lost is None else 0.0,
                each.answer.report.in_progress,
                each.lost,
                now - each.since,
            )
            for each in (*self._living.values(), *self._ended)
        )

    def starting_paces(self, host: str) -> dict[str, PaceState]:
        """The paces that a new node on `host` starts with."""
        there = sum(each.host == host for each in self._living.values())
        return starting_paces(host, there, self._stored, self._each_pace())

    def _each_pace(self) -> list[PaceState]:
        return [replace(pace, node=each.host) for each in self._living.values() for pace in each.answer.report.paces]
