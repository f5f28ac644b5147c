"""Which connection a request gets: of its host, of its worker, of the worker with the least to do."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import trio
import trio.testing

from oidl.net.connections import Connections


@dataclass(eq=False)
class Connection:
    """A connection that is only counted."""

    worker: int
    loads: dict[int, int]
    is_open: bool = True
    is_reserved: bool = False

    @property
    def load(self) -> int:
        return self.loads.get(self.worker, 0)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        self.is_open = False


@dataclass
class Pool:
    """Connections of three workers in turn, with these loads."""

    loads: dict[int, int] = field(default_factory=dict)
    opened: list[Connection] = field(default_factory=list)

    def connection(self, worker: int | None) -> Any:
        self.opened.append(Connection(len(self.opened) % 3 if worker is None else worker, self.loads))
        return self.opened[-1]

    @property
    def open(self) -> int:
        return sum(connection.is_open for connection in self.opened)


async def use(connections: Connections, host: str, count: int = 1, worker: int | None = None) -> list[Any]:
    """Borrows so many connections to `host` at once, and gives them back, the first one first."""
    async with AsyncExitStack() as stack:
        return [await stack.enter_async_context(connections.to(host, worker)) for _ in range(count)]


def run(limit: int, main: Callable[[Pool, Connections], Awaitable[None]]) -> Pool:
    async def opening() -> Pool:
        pool = Pool()
        async with Connections(limit, pool.connection) as connections:
            await main(pool, connections)
            assert pool.open <= limit
        return pool

    pool = trio.run(opening)
    assert pool.open == 0
    return pool


def test_of_the_idle_ones_to_a_host_the_one_with_the_least_load_is_taken() -> None:
    async def main(pool: Pool, connections: Connections) -> None:
        await use(connections, "a", 3)
        pool.loads |= {0: 5, 1: 2, 2: 3}
        assert [connection.worker for connection in await use(connections, "a", 3)] == [1, 2, 0]
        assert len(pool.opened) == 3

    run(9, main)


def test_a_request_for_one_worker_gets_one_of_its_connections() -> None:
    async def main(pool: Pool, connections: Connections) -> None:
        await use(connections, "a", 3)
        pool.loads |= {2: 9}
        (connection,) = await use(connections, "a", worker=2)
        assert connection is pool.opened[2]
        (other,) = await use(connections, "b", worker=2)
        assert other.worker == 2
        assert other is not connection

    run(9, main)


def test_where_all_are_open_one_of_another_worker_is_closed_before_its_own_is_opened() -> None:
    async def main(pool: Pool, connections: Connections) -> None:
        await use(connections, "a", 2)
        (connection,) = await use(connections, "a", worker=2)
        assert connection.worker == 2
        assert [each.is_open for each in pool.opened].count(True) == 2

    run(2, main)


def test_where_all_are_open_one_of_the_same_worker_changes_its_host() -> None:
    async def main(pool: Pool, connections: Connections) -> None:
        await use(connections, "a", 2)
        (connection,) = await use(connections, "b", worker=1)
        assert connection.worker == 1
        assert pool.open == 2

    run(2, main)


def test_a_worker_that_hangs_delays_the_end_once_not_for_each_of_its_connections() -> None:
    class Slow(Connection):
        async def aclose(self) -> None:
            await trio.sleep(2)
            await super().aclose()

    async def main() -> float:
        async with Connections(9, lambda worker: Slow(0, {})) as connections:  # type: ignore[arg-type, return-value]
            await use(connections, "a", 9)
        return trio.current_time()

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == 2


def test_a_reserved_one_is_for_its_worker_alone() -> None:
    async def main(pool: Pool, connections: Connections) -> None:
        (reserved,) = await use(connections, "a", worker=2)
        reserved.is_reserved = True
        (other,) = await use(connections, "a")
        assert other is not reserved
        assert (await use(connections, "a", worker=2)) == [reserved]
        await use(connections, "b")
        assert reserved.is_open
        await use(connections, "c", 2)
        assert not reserved.is_open, "it gave way to others, but did not serve them"

    run(2, main)
