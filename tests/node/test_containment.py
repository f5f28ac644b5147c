"""A bug costs only the image that met it; errors that stop the program still do."""

import pytest
import trio
from builders import job

from oidl.errors import StateError
from oidl.model import Reason, Source
from oidl.node.containment import contained


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "error", [ValueError("odd"), MemoryError(), ExceptionGroup("all", [KeyError(1)]), UnspeakableError()]
)
def test_a_bug_is_a_failure_of_the_image_and_its_traceback_is_in_the_log(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with contained(job(7), Source("cvdf"), "http://x/7.jpg") as bug:
        raise error
    assert bug.failure
    assert (bug.failure.reason, bug.failure.source, bug.failure.url) == (
        Reason.INTERNAL_ERROR,
        Source("cvdf"),
        "http://x/7.jpg",
    )
    assert bug.failure.detail.startswith(type(error).__name__)
    (record,) = caplog.records
    assert record.exc_info
    assert record.exc_info[1] is error
    assert f"image {job(7).image_id} from http://x/7.jpg" in record.message


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
    with pytest.raises(type(error)), contained(job()):
        raise error


def test_cancellation_passes() -> None:
    async def main() -> bool:
        with trio.CancelScope() as scope:
            scope.cancel()
            with contained(job()):
                await trio.sleep_forever()
        return scope.cancelled_caught

    assert trio.run(main)
