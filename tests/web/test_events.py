"""Snapshots for many clients: the newest to each, nothing kept for slow ones, and a limit on their number."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

from oidl.web.events import Events

GET = {"type": "http", "method": "GET", "headers": []}


class Client:
    """Follows `events`; takes a message when `takes` says so, and is gone when `goes` is set."""

    def __init__(self, events: Events, method: str = "GET") -> None:
        self.events = events
        self.method = method
        self.status = 0
        self.received: list[bytes] = []
        self.has_ended = False
        self.goes = trio.Event()
        self.takes: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint

    async def run(self) -> None:
        async def receive() -> dict[str, Any]:
            await self.goes.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                return
            await self.takes()
            if message["body"]:
                self.received.append(message["body"])
            self.has_ended = not message.get("more_body")

        await self.events(GET | {"method": self.method}, receive, send)  # type: ignore[arg-type]


@pytest.fixture
def events() -> Events:
    return Events(max_clients=3)


def in_time(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_everybody_is_given_each_event(events: Events) -> None:
    async def main() -> None:
        clients = [Client(events), Client(events)]
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(client.run)
            for number in range(3):
                await trio.testing.wait_all_tasks_blocked()
                events.publish(str(number), is_final=number == 2)
        for client in clients:
            assert client.received == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]
            assert client.has_ended

    in_time(main)


def test_who_is_slow_is_given_the_newest_and_not_what_was_missed(events: Events) -> None:
    async def main() -> None:
        slow = Client(events)

        async def take() -> None:
            await trio.sleep(10.2)

        slow.takes = take
        async with trio.open_nursery() as nursery:
            nursery.start_soon(slow.run)
            await trio.testing.wait_all_tasks_blocked()
            for number in range(100):
                events.publish(str(number))
                await trio.sleep(0.5)
            events.publish("last", is_final=True)
        assert slow.received == [
            b"data: 0\n\n",
            *(b"data: %d\n\n" % number for number in (20, 40, 61, 81)),
            b"data: last\n\n",
        ]

    in_time(main)


def test_who_comes_later_is_given_what_is_now(events: Events) -> None:
    async def main() -> None:
        first, second = Client(events), Client(events)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.run)
            await trio.testing.wait_all_tasks_blocked()
            events.publish("a")
            events.publish("b")
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(second.run)
            await trio.testing.wait_all_tasks_blocked()
            assert second.received == [b"data: b\n\n"]
            nursery.cancel_scope.cancel()

    in_time(main)


def test_one_more_than_can_be_borne_is_told_to_come_again(events: Events) -> None:
    async def main() -> None:
        clients = [Client(events) for _ in range(4)]
        async with trio.open_nursery() as nursery:
            for client in clients[:3]:
                nursery.start_soon(client.run)
            await trio.testing.wait_all_tasks_blocked()
            await clients[3].run()
            assert [client.status for client in clients] == [200, 200, 200, 503]
            clients[0].goes.set()
            await trio.testing.wait_all_tasks_blocked()
            again = Client(events)
            nursery.start_soon(again.run)
            await trio.testing.wait_all_tasks_blocked()
            assert again.status == 200
            nursery.cancel_scope.cancel()
        assert events.clients == 0

    in_time(main)


def test_events_are_made_only_while_somebody_follows(events: Events) -> None:
    async def main() -> None:
        client = Client(events)
        with trio.move_on_after(1) as waited:
            await events.wait_any_client()
        assert waited.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.run)
            await events.wait_any_client()
            events.publish("old")
            client.goes.set()
            await events.wait_no_client()
            late = Client(events)
            nursery.start_soon(late.run)
            await trio.testing.wait_all_tasks_blocked()
            assert late.received == []  # the old one is not news
            nursery.cancel_scope.cancel()

    in_time(main)


def test_a_head_is_answered_and_ends(events: Events) -> None:
    async def main() -> None:
        client = Client(events, "HEAD")
        await client.run()
        assert (client.status, client.received, client.has_ended) == (200, [], True)

    in_time(main)
