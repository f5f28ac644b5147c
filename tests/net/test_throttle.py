"""The limit on bytes per second holds for all transfers together, at any size of their pieces."""

import pytest
import trio
import trio.testing

from oidl.net.throttle import Throttle


def passed(bytes_per_s: float | None, transfers: int, piece: int, seconds: float) -> int:
    """How many bytes so many transfers get through at once."""
    total = 0

    async def transfer(throttle: Throttle) -> None:
        nonlocal total
        while True:
            await trio.sleep(0.001)
            total += piece
            await throttle.consume(piece)

    async def main() -> None:
        throttle = Throttle(bytes_per_s)
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                for _ in range(transfers):
                    nursery.start_soon(transfer, throttle)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return total


@pytest.mark.parametrize("transfers", [1, 20])
@pytest.mark.parametrize("piece", [2000, 65_536])
def test_no_more_passes_than_may_and_not_much_less(transfers: int, piece: int) -> None:
    total = passed(1e6, transfers, piece, 20)
    assert total <= 1e6 * 20.5 + transfers * piece
    assert total >= min(1e6, transfers * piece / 0.002) * 18


def test_without_a_ceiling_nothing_waits() -> None:
    assert passed(None, 1, 1000, 1) == pytest.approx(1_000_000, rel=0.01)


def test_of_a_shared_limit_only_the_share_passes_and_all_of_it_again_afterwards() -> None:
    async def seconds(throttle: Throttle) -> float:
        began = trio.current_time()
        for _ in range(10):
            await throttle.consume(100_000)
        return trio.current_time() - began

    async def main() -> None:
        throttle = Throttle(1e6)
        with throttle.sharing(0.1):
            assert await seconds(throttle) == pytest.approx(10, abs=0.5)
        assert await seconds(throttle) == pytest.approx(1, abs=0.5)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
