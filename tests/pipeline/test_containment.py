"""A bug costs the image that it was met with; what stops the program still does; nothing but bugs stops the run."""

import pytest
import trio
from conftest import work

from oidl.errors import StateError
from oidl.model import Reason, Source
from oidl.pipeline.containment import BugCount, contained
from oidl.pipeline.stop import Stop


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "error", [ValueError("odd"), MemoryError(), ExceptionGroup("all", [KeyError(1)]), UnspeakableError()]
)
def test_a_bug_is_a_failure_of_the_image_and_its_traceback_is_in_the_log(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with contained(work(7), Source.CVDF, "http://x/7.jpg") as bug:
        raise error
    assert bug.failure
    assert (bug.failure.reason, bug.failure.source, bug.failure.url) == (
        Reason.INTERNAL_ERROR,
        Source.CVDF,
        "http://x/7.jpg",
    )
    assert bug.failure.detail.startswith(type(error).__name__)
    (record,) = caplog.records
    assert record.exc_info
    assert record.exc_info[1] is error
    assert f"image {work(7).image_id} from http://x/7.jpg" in record.message


@pytest.mark.parametrize(
    "error",
    [
        StateError("locked"),
        ExceptionGroup("some", [ValueError(), ExceptionGroup("inner", [StateError("locked")])]),
        KeyboardInterrupt(),
        BaseExceptionGroup("some", [ValueError(), KeyboardInterrupt()]),
    ],
    ids=repr,
)
def test_what_stops_the_program_passes(error: BaseException) -> None:
    with pytest.raises(type(error)), contained(work()):
        raise error


def test_cancellation_passes() -> None:
    async def main() -> bool:
        with trio.CancelScope() as scope:
            scope.cancel()
            with contained(work()):
                await trio.sleep_forever()
        return scope.cancelled_caught

    assert trio.run(main)


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
