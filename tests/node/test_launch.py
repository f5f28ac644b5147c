"""When a worker process is given up."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from oidl.node.launch import Silence


def test_a_silent_process_is_given_up_after_a_minute() -> None:
    async def main() -> None:
        silence = Silence()
        silence.broken()
        await silence.run()
        assert silence.too_long.cancel_called
        assert trio.current_time() == pytest.approx(60)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_coordinator_that_was_stopped_has_not_waited_meanwhile() -> None:
    clock = MockClock()

    async def main() -> None:
        silence = Silence()
        silence.broken()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(silence.run)
            await wait_all_tasks_blocked()
            clock.jump(3600)
            await wait_all_tasks_blocked()
            assert not silence.too_long.cancel_called
            nursery.cancel_scope.cancel()

    trio.run(main, clock=clock)
