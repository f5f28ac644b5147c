"""Host names: the first transfer looks one up for all, and none waits beyond its deadline.

A function plays the system's resolver. If it must hang, it waits for the test, in a
thread like the real one.
"""

import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import trio
import trio.testing

from oidl.net.dns import FAILURE_KEPT_S, KEPT_S, Resolver, cached_dns

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


class System:
    """Answers like `socket.getaddrinfo`, names that begin with "no" with an error; hangs while the gate is shut."""

    def __init__(self) -> None:
        self.asked: Counter[bytes] = Counter()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, host: bytes, *_: object) -> list[Any]:
        self.asked[host] += 1
        assert self.gate.wait(10)
        if host.startswith(b"no"):
            raise UNKNOWN
        return list(FOUND)


@pytest.fixture
def system() -> Iterator[System]:
    played = System()
    yield played
    played.gate.set()


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Runs `main` on a clock that only the test moves: threads take real time, which must not count."""
    return trio.run(main, clock=trio.testing.MockClock())


def move_clock(seconds: float) -> None:
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, trio.testing.MockClock)
    clock.jump(seconds)


def test_a_name_is_asked_for_once_a_minute(system: System) -> None:
    async def main() -> None:
        resolver = Resolver(5, system)
        for _ in range(3):
            assert await resolver.getaddrinfo(b"photos", 80) == FOUND
        move_clock(KEPT_S - 1)
        assert await resolver.getaddrinfo(b"photos", 80) == FOUND
        assert system.asked[b"photos"] == 1
        move_clock(1)
        assert await resolver.getaddrinfo(b"photos", 80) == FOUND
        assert system.asked[b"photos"] == 2

    run(main)


def test_what_is_asked_for_in_another_way_is_another_question(system: System) -> None:
    async def main() -> None:
        resolver = Resolver(5, system)
        for port, family in ((80, 0), (443, 0), (80, socket.AF_INET6), (80, 0)):
            await resolver.getaddrinfo(b"photos", port, family)
        assert system.asked[b"photos"] == 3

    run(main)


def test_a_callers_list_is_its_own(system: System) -> None:
    async def main() -> None:
        resolver = Resolver(5, system)
        (await resolver.getaddrinfo(b"photos", 80)).clear()
        assert await resolver.getaddrinfo(b"photos", 80) == FOUND

    run(main)


def test_a_failure_is_kept_for_a_few_seconds(system: System) -> None:
    async def main() -> None:
        resolver = Resolver(5, system)
        for _ in range(3):
            with pytest.raises(socket.gaierror, match="not known") as caught:
                await resolver.getaddrinfo(b"nowhere", 80)
            assert caught.value.errno == socket.EAI_NONAME
        assert system.asked[b"nowhere"] == 1
        move_clock(FAILURE_KEPT_S)
        with pytest.raises(socket.gaierror):
            await resolver.getaddrinfo(b"nowhere", 80)
        assert system.asked[b"nowhere"] == 2

    run(main)


def test_those_who_ask_for_one_name_at_once_share_a_query_and_no_other_name_waits(system: System) -> None:
    async def main() -> None:
        resolver = Resolver(5, system)
        system.gate.clear()
        got: list[Any] = []

        async def ask(host: bytes) -> None:
            got.append(await resolver.getaddrinfo(host, 80))

        async with trio.open_nursery() as nursery:
            for host in (b"photos", b"photos", b"photos", b"elsewhere"):
                nursery.start_soon(ask, host)
            while len(system.asked) < 2:
                await trio.testing.wait_all_tasks_blocked(0.01)
            system.gate.set()
        assert got == [FOUND] * 4
        assert system.asked == {b"photos": 1, b"elsewhere": 1}

    run(main)


def test_no_answer_in_time_is_a_failure_for_all_who_wait(system: System) -> None:
    async def main() -> None:
        resolver = Resolver(5, system)
        system.gate.clear()
        failed: list[socket.gaierror] = []

        async def ask() -> None:
            with pytest.raises(socket.gaierror, match="no answer in 5 s") as caught:
                await resolver.getaddrinfo(b"photos", 80)
            failed.append(caught.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked(0.01)
            move_clock(4.9)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert not failed
            move_clock(0.1)
        assert [error.errno for error in failed] == [socket.EAI_AGAIN] * 2
        assert system.asked[b"photos"] == 1

    run(main)


def test_who_waits_asks_again_where_the_one_who_asked_was_cancelled(system: System) -> None:
    async def main() -> None:
        resolver = Resolver(5, system)
        system.gate.clear()
        got: list[Any] = []

        async def ask() -> None:
            got.append(await resolver.getaddrinfo(b"photos", 80))

        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as leaving:
                async with trio.open_nursery() as first:
                    first.start_soon(ask)
                    await trio.testing.wait_all_tasks_blocked(0.01)
                    nursery.start_soon(ask)
                    await trio.testing.wait_all_tasks_blocked(0.01)
                    leaving.cancel()
            system.gate.set()
        assert got == [FOUND]
        assert system.asked[b"photos"] == 2

    run(main)


def test_it_is_trios_resolver_inside_the_block_and_no_longer(system: System) -> None:
    async def fail_inside() -> None:
        with cached_dns(5, system):
            assert await trio.socket.getaddrinfo("photos", 80) == FOUND
            raise ZeroDivisionError

    async def main() -> None:
        before = Resolver(5)
        trio.socket.set_custom_hostname_resolver(before)
        with pytest.raises(ZeroDivisionError):
            await fail_inside()
        assert trio.socket.set_custom_hostname_resolver(None) is before
        assert system.asked[b"photos"] == 1

    run(main)


def test_a_names_other_direction_is_the_systems() -> None:
    async def main() -> None:
        with cached_dns(5):
            flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
            assert await trio.socket.getnameinfo(("127.0.0.1", 80), flags) == ("127.0.0.1", "80")

    trio.run(main)


def test_queries_left_behind_hold_up_no_more_threads_than_there_may_be(system: System) -> None:
    async def main() -> None:
        resolver = Resolver(5, system, threads=2)
        system.gate.clear()

        async def ask(host: bytes) -> None:
            with pytest.raises(socket.gaierror, match="no answer"):
                await resolver.getaddrinfo(host, 80)

        async with trio.open_nursery() as nursery:
            for host in (b"a", b"b", b"c"):
                nursery.start_soon(ask, host)
            await trio.testing.wait_all_tasks_blocked(0.02)
            move_clock(5)
        assert len(system.asked) == 2

    run(main)
