"""The byte budget: bounded, fair, and complete again after a cancellation."""

import trio
import trio.testing

from oidl.net.budget import ByteBudget


def test_who_comes_first_goes_first_and_nobody_overtakes() -> None:
    order: list[str] = []

    async def take(budget: ByteBudget, name: str, count: int) -> None:
        await budget.acquire(count)
        order.append(name)

    async def main() -> None:
        budget = ByteBudget(100)
        await budget.acquire(80)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(take, budget, "large", 60)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(take, budget, "small", 10)
            await trio.testing.wait_all_tasks_blocked()
            assert order == []  # there is room for the small one, but it waits its turn
            budget.release(80)
        assert set(order) == {"large", "small"}

    trio.run(main)


def test_one_larger_than_the_budget_passes_alone() -> None:
    async def main() -> None:
        budget = ByteBudget(100)
        assert await budget.acquire(1000) == 100
        with trio.move_on_after(1) as scope:
            await budget.acquire(1)
        assert scope.cancelled_caught

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_cancelled_wait_costs_nothing() -> None:
    async def main() -> None:
        budget = ByteBudget(100)
        await budget.acquire(90)
        with trio.move_on_after(1):
            await budget.acquire(50)
        with trio.fail_after(1):
            await budget.acquire(10)  # those behind the one that left move up
        budget.release(100)
        with trio.fail_after(1):
            assert await budget.acquire(100) == 100

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_debt_makes_the_next_ones_wait() -> None:
    async def main() -> None:
        budget = ByteBudget(100)
        await budget.acquire(90)
        budget.charge(50)
        budget.release(90)
        with trio.move_on_after(1) as scope:
            await budget.acquire(60)
        assert scope.cancelled_caught
        budget.release(50)
        with trio.fail_after(1):
            await budget.acquire(100)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
