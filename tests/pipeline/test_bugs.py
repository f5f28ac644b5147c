"""A run in which every image meets a bug is stopped."""

from oidl.node.stop import Stop
from oidl.pipeline.bugs import BugCount


def counted(*are_bugs: bool) -> str | None:
    stop = Stop()
    bugs = BugCount(stop)
    for is_bug in are_bugs:
        bugs.count(is_bug=is_bug)
    bugs.run_ends()
    assert stop.draining.is_set() is (stop.bug is not None)
    return stop.bug


def test_ten_bugs_in_a_row_stop_the_run() -> None:
    assert counted(False, *[True] * 9, False, *[True] * 9) is None
    assert "last 10 images" in (counted(False, *[True] * 10, False) or "")


def test_a_run_of_nothing_but_bugs_is_stopped_however_short() -> None:
    assert "every image" in (counted(True) or "")
    assert counted() is None
    assert counted(False) is None
