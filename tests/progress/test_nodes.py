"""The nodes of a cluster on the screen: how they do, the worst first, and what is in progress on them."""

from dataclasses import replace

import pytest
from builders import job
from rich.cells import cell_len

from oidl.model import Done, NodeProgress, Source, Status
from oidl.progress.layout import Frame, draw
from oidl.progress.meter import Meter
from oidl.progress.nodes import nodes_words, ranked
from oidl.progress.statistics import InProgress, Processing, Statistics, Transferring
from oidl.progress.view import Tab, View

GOOD = NodeProgress("a", "10.0.0.1:40001", "10.0.0.1", 8, 1200, 41.5, 128, downloads=12, resizes=3, rate=38.24)
FREE = NodeProgress("b", "10.0.0.2:40002", "10.0.0.2", 8, 900, 30.0, 64, downloads=20, resizes=1)
PAUSED = NodeProgress("c", "10.0.0.3:40003", "10.0.0.3", 8, 55, 0.0, 128, downloads=0, resizes=0, rate=5, pause_s=75)
GONE = NodeProgress("d", "10.0.0.4:40004", "10.0.0.4", 8, 7, lost="has left the cluster")
OLD = NodeProgress("e", "10.0.0.5:40005", "10.0.0.5", 8, 9, lost="has ended")
NODES = (GOOD, FREE, PAUSED, OLD, GONE)
ACTIVE = InProgress(
    32,
    4,
    (
        Transferring("0001", "train", "farm1.staticflickr.com", "u", 500, 2000, 3.2, GOOD.name),
        Transferring("0002", "train", "farm2.staticflickr.com", "u", 1000, None, 61.0, FREE.name),
    ),
    (Processing("0003", "train", 0.4, FREE.name),),
)


def on_cluster(nodes: tuple[NodeProgress, ...] = NODES, active: InProgress = ACTIVE) -> Statistics:
    meter = Meter(lambda: 0.0)
    meter.nodes_from(lambda: nodes, lambda: active)
    return meter.statistics()


def shown(frame: Frame) -> list[str]:
    return [" ".join("".join(span.text for span in line).split()) for line in frame.lines]


@pytest.mark.parametrize("tab", Tab)
@pytest.mark.parametrize(("width", "height"), [(60, 18), (80, 24), (109, 30), (117, 30), (120, 40), (200, 60)])
def test_every_window_is_filled_and_never_overrun(width: int, height: int, tab: Tab) -> None:
    many = tuple(replace(GOOD, life=str(number), name=f"{'h' * 20}{number}:40001") for number in range(30))
    for nodes in (NODES, many, (GONE,)):
        for is_help in (False, True):
            frame = draw(on_cluster(nodes), View(tab, 0, is_help), width, height, message="x" * 400)
            assert len(frame.lines) == height
            assert max(cell_len("".join(span.text for span in line)) for line in frame.lines) <= width


def test_everything_about_nodes_is_on_80_by_24() -> None:
    lines = shown(draw(on_cluster(), View(), 80, 24))
    at = lines.index("nodes 3 nodes, 72 img/s in all, 0.0 to 42 each; 2 have ended")
    assert lines[at - 1] == "active downloads in progress: 32 resizes in progress: 4 waiting: 284"
    assert lines[at + 1 : at + 3] == [
        "10.0.0.3:40003 0.0 img/s 128 in progress paused 1 min 15 s",
        "10.0.0.2:40002 30 img/s 64 in progress no rate limit",
    ]
    assert lines[at + 3].startswith("1 In progress (3) 2 Successes (0) 3 Failures (0) 4 Nodes (5) ──")
    assert lines[at + 4].startswith("0003 resizing on 10.0.0.2:40002 0.4 s")
    assert lines[at + 5].startswith("0002 10.0.0.2:40002")
    assert lines[at + 5].endswith("? % 1.0 kB of ? 61 s")
    assert lines[-1].startswith("q quit 1 2 3 4 lists")


def test_a_wider_window_has_the_host_too_and_what_a_node_has_done() -> None:
    lines = shown(draw(on_cluster(), View(), 120, 40))
    assert "10.0.0.1:40001 1,200 done 42 img/s 128 in progress 12 downloads 38.2 req/s" in lines
    assert "10.0.0.4:40004 7 done has left the cluster" in lines  # the last one that ended, after those that live
    assert any(line.startswith("0001 10.0.0.1:40001 farm1.staticflickr.com ") for line in lines)


def test_the_list_of_nodes_begins_with_the_slowest_and_ends_with_those_that_have_ended() -> None:
    frame = draw(on_cluster(), View(Tab.NODES), 80, 24)
    assert frame.rows == 5
    assert frame.tabs == 4
    rows = [line for line in shown(frame) if line.startswith("10.0.0.")]
    assert [row.split(":")[0] for row in rows[2:]] == ["10.0.0.3", "10.0.0.2", "10.0.0.1", "10.0.0.4", "10.0.0.5"]
    assert rows[-2] == "10.0.0.4:40004 has left the cluster"
    assert [node.life for node in ranked(NODES)] == ["c", "b", "a", "d", "e"]


def test_of_many_nodes_the_worst_are_shown() -> None:
    many = tuple(replace(GOOD, life=str(number), name=f"n{number}", images_per_s=number + 0.5) for number in range(30))
    lines = shown(draw(on_cluster(many), View(), 80, 24))
    at = lines.index("nodes 30 nodes, 450 img/s in all, 0.5 to 30 each")
    assert [line.split()[0] for line in lines[at + 1 : at + 3]] == ["n0", "n1"]


def test_the_words_for_one_node_and_for_none_left() -> None:
    assert nodes_words([GOOD]) == "1 node, 42 img/s"
    assert nodes_words([GONE]) == "no node; 1 has ended"
    assert nodes_words([GOOD, GOOD]) == "2 nodes, 83 img/s in all, 42 each"


def test_without_a_cluster_there_is_nothing_of_nodes() -> None:
    frame = draw(Meter(lambda: 0.0).statistics(), View(), 80, 24)
    assert frame.tabs == 3
    assert not any("odes" in line for line in shown(frame))


def test_a_success_has_its_time_only_if_it_is_known() -> None:
    now = 0.0
    meter = Meter(lambda: now, time_of_day=lambda: 1e9)
    done = Done(Source.ORIGINAL, "u", 1000, "m", 4, 3, ())
    meter.recorded(job(1), done, Status.DONE)
    meter.started(job(2))
    meter.processing(job(2))
    now = 1.5
    meter.processed(job(2))
    meter.recorded(job(2), done, Status.DONE)
    lines = shown(draw(meter.statistics(), View(Tab.SUCCESSES), 80, 24))
    rows = [line for line in lines if line.startswith("01:46:40")]
    assert [row.partition("train ")[2] for row in rows] == ["4×3 1.0 kB 1.5 s", "4×3 1.0 kB"]
