"""The nodes of a run together: what the meter shows of them, and the pace that a new one starts with."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import trio
import trio.testing

from oidl.cluster.protocol import Answer, Report
from oidl.cluster.roster import Roster
from oidl.cluster.shared import NodeState
from oidl.net.pace import PaceState
from oidl.progress.meter import Meter
from oidl.progress.statistics import InProgress, Processing, Transferring

PACE = PaceState("flickr", 8, 12.0, 0.0, 10.0)


@dataclass
class Counted:
    """Stands for the inputs of a run, which count bytes."""

    bytes_read: int = 0

    def count(self, count: int) -> None:
        self.bytes_read += count


@dataclass
class Heard:
    """A roster, and nodes that say something."""

    stored: dict[tuple[str, str], PaceState] = field(default_factory=dict)
    inputs: Counted = field(default_factory=Counted)
    meter: Meter = field(default_factory=lambda: Meter(lambda: 0.0))

    def __post_init__(self) -> None:
        self.roster = Roster(self.meter, self.inputs, self.stored)  # type: ignore[arg-type]

    def says(self, life: str, address: str = "tcp://10.0.0.1:4000", images: int = 0, **report: Any) -> NodeState:
        state = NodeState(life, address, 0.0, threads=4, images=images, images_per_s=2.04)
        return self.again(state, **report)

    def again(self, state: NodeState, **report: Any) -> NodeState:
        state.answer = Answer(report=Report(**report))
        self.roster.heard(state)
        return state

    def ends(self, state: NodeState, why: str = "has left the cluster") -> None:
        state.lost = why
        self.roster.heard(state)


@pytest.fixture
def heard() -> Any:
    """A roster on a clock that stands at 100 s."""

    def run(work: Any, **changes: Any) -> None:
        async def main() -> None:
            await trio.sleep(100)
            work(Heard(**changes))

        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    return run


def transfer(image_id: str, elapsed_s: float) -> Transferring:
    return Transferring(image_id, "train", "server", "u", 5, 10, elapsed_s)


def test_each_answer_counts_once(heard) -> None:
    def work(nodes: Heard) -> None:
        state = nodes.says("a", bytes_read=70, throttled=2)
        nodes.again(state, bytes_read=30)
        nodes.ends(state)
        assert nodes.inputs.bytes_read == 100
        assert nodes.meter.statistics().throttled == 2

    heard(work)


def test_a_node_is_shown_as_it_said_last_and_then_how_it_ended(heard) -> None:
    def work(nodes: Heard) -> None:
        active = InProgress(3, 1)
        state = nodes.says("a", images=7, in_progress=9, active=active, paces=(replace(PACE, pause_s=5.0),))
        [node] = nodes.roster.nodes()
        assert (node.life, node.name, node.host, node.threads) == ("a", "10.0.0.1:4000", "10.0.0.1", 4)
        assert (node.images, node.images_per_s, node.in_progress, node.lost) == (7, 2.0, 9, None)
        assert (node.downloads, node.resizes, node.rate, node.pause_s) == (3, 1, 12.0, 5.0)
        assert node.age_s == 100
        nodes.ends(state)
        [node] = nodes.roster.nodes()
        assert (node.images, node.images_per_s, node.in_progress, node.lost) == (7, 0.0, 0, "has left the cluster")
        nodes.ends(state)
        assert len(nodes.roster.nodes()) == 1

    heard(work)


def test_a_node_that_never_answered_is_not_shown(heard) -> None:
    def work(nodes: Heard) -> None:
        nodes.ends(NodeState("a", "tcp://10.0.0.1:4000", 0.0))
        assert nodes.roster.nodes() == ()

    heard(work)


def test_of_those_that_have_ended_the_last_two_hundred_are_kept(heard) -> None:
    def work(nodes: Heard) -> None:
        for number in range(250):
            nodes.ends(nodes.says(str(number)))
        nodes.says("alive")
        assert [node.life for node in nodes.roster.nodes()] == ["alive", *map(str, range(50, 250))]

    heard(work)


def test_the_meter_shows_what_is_in_progress_on_all_nodes(heard) -> None:
    def work(nodes: Heard) -> None:
        resizing = InProgress(2, 1, (transfer("1", 3.0),), (Processing("2", "train", 0.5),))
        nodes.says("a", in_progress=20, active=resizing)
        gone = nodes.says("b", "tcp://10.0.0.2:4000", in_progress=5, active=InProgress(1, 0, (transfer("3", 9.0),)))
        now = nodes.meter.statistics()
        assert (now.in_flight, now.downloads, now.resizes) == (25, 3, 1)
        assert [(each.image_id, each.node) for each in now.transfers] == [
            ("3", "10.0.0.2:4000"),
            ("1", "10.0.0.1:4000"),
        ]
        assert [(each.image_id, each.node) for each in now.processing] == [("2", "10.0.0.1:4000")]
        nodes.ends(gone)
        now = nodes.meter.statistics()
        assert (now.in_flight, now.downloads) == (20, 2)
        assert [each.image_id for each in now.transfers] == ["1"]

    heard(work)


def test_of_very_many_downloads_those_that_have_taken_longest_are_shown(heard) -> None:
    def work(nodes: Heard) -> None:
        for life in range(20):
            transfers = tuple(transfer(f"{life}-{number}", 20.0 * number + life) for number in range(10))
            nodes.says(str(life), active=InProgress(30, 0, transfers))
        now = nodes.meter.statistics()
        assert now.downloads == 600
        assert [each.elapsed_s for each in now.transfers] == [199.0 - number for number in range(100)]

    heard(work)


def test_the_paces_are_added_up_for_each_host_and_the_last_ones_stay(heard) -> None:
    def work(nodes: Heard) -> None:
        assert nodes.roster.paces() == ()
        first = nodes.says("a", paces=(PACE,))
        second = nodes.says("b", "tcp://10.0.0.1:5000", paces=(PACE,))
        assert [(pace.node, pace.rate, pace.learned_rate) for pace in nodes.roster.paces()] == [
            ("10.0.0.1", 24.0, 20.0)
        ]
        nodes.ends(first)
        nodes.ends(second)
        assert [pace.learned_rate for pace in nodes.meter.statistics().paces] == [20.0]

    heard(work)


def test_a_new_node_starts_with_what_is_known_about_its_host(heard) -> None:
    def work(nodes: Heard) -> None:
        nodes.says("a", paces=(PACE,))
        nodes.says("b", "tcp://10.0.0.2:4000", paces=(replace(PACE, learned_rate=30.0),))
        rates = {host: nodes.roster.starting_paces(host)["flickr"] for host in ("10.0.0.1", "10.0.0.9", "10.0.0.3")}
        assert rates["10.0.0.1"].learned_rate == 5.0  # the half of what is there
        assert (rates["10.0.0.9"].learned_rate, rates["10.0.0.9"].is_guess) == (44.0, False)
        assert (rates["10.0.0.3"].learned_rate, rates["10.0.0.3"].is_guess) == (10.0, True)

    heard(work, stored={("flickr", "10.0.0.9"): replace(PACE, learned_rate=44.0)})


def test_a_worker_that_starts_again_goes_on_at_the_pace_that_its_host_learned(heard) -> None:
    def work(nodes: Heard) -> None:
        nodes.says("a", paces=(replace(PACE, learned_rate=100.0),))
        nodes.ends(nodes.says("b", "tcp://10.0.0.2:4000", paces=(PACE,)))
        assert nodes.roster.starting_paces("10.0.0.2")["flickr"] == PACE

    heard(work)


def test_a_guess_teaches_nothing(heard) -> None:
    def work(nodes: Heard) -> None:
        guess = replace(PACE, learned_rate=1.0, is_guess=True)
        nodes.says("a", paces=(PACE,))
        nodes.ends(nodes.says("b", "tcp://10.0.0.9:4000", paces=(guess,)))
        nodes.says("c", "tcp://10.0.0.2:4000", paces=(guess,))
        assert nodes.roster.starting_paces("10.0.0.3")["flickr"].learned_rate == 5.0
        assert nodes.roster.starting_paces("10.0.0.9")["flickr"].learned_rate == 44.0
        assert [pace.learned_rate for pace in nodes.roster.paces()] == [10.0, None]

    heard(work, stored={("flickr", "10.0.0.9"): replace(PACE, learned_rate=44.0)})
