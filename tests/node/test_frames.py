"""Values between processes: whole, in order, whatever pieces they arrive in."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
import trio
import trio.lowlevel
import trio.testing

from oidl.node.frames import Call, Frames, Reply


async def received(stream: trio.SocketStream) -> list[Any]:
    async with aclosing(Frames.received(stream)) as values:
        return [value async for value in values]


@asynccontextmanager
async def socket_pair() -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    ours, theirs = map(trio.SocketStream, trio.socket.socketpair())
    async with ours, theirs:
        yield ours, theirs


async def sent(*values: object) -> bytes:
    """What is sent for `values`."""
    frames = Frames()
    async with socket_pair() as (ours, theirs), trio.open_nursery() as nursery:
        nursery.start_soon(frames.run, ours)
        for value in values:
            frames.send(value)
        await trio.testing.wait_all_tasks_blocked(0.01)
        data = await theirs.receive_some(100_000)
        nursery.cancel_scope.cancel()
    return bytes(data)


def run(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main)


def test_values_arrive_whole_and_in_order() -> None:
    values = [Call(1, "ask", (b"x" * 1_000_000,)), Reply(1, None, ValueError("no")), *range(500)]

    async def main() -> None:
        frames = Frames()
        got: list[Any] = []
        async with socket_pair() as (ours, theirs), trio.open_nursery() as nursery:

            async def send() -> None:
                with trio.move_on_after(0.5):
                    await frames.run(ours)
                await ours.aclose()

            nursery.start_soon(send)
            for value in values:
                frames.send(value)
            got = await received(theirs)
        assert got[0] == values[0]
        assert str(got[1].error) == "no"
        assert got[2:] == values[2:]

    run(main)


def test_pieces_of_one_byte_are_joined() -> None:
    async def main() -> None:
        data = await sent(Call(0, "first"), Call(0, "second"))
        async with socket_pair() as (ours, theirs), trio.open_nursery() as nursery:

            async def drip() -> None:
                for at in range(len(data)):
                    await ours.send_all(data[at : at + 1])
                    await trio.testing.wait_all_tasks_blocked()
                await ours.aclose()

            nursery.start_soon(drip)
            assert await received(theirs) == [Call(0, "first"), Call(0, "second")]

    run(main)


@pytest.mark.parametrize("cut", [0, 2, 30])
def test_what_was_cut_off_is_not_received(cut: int) -> None:
    async def main() -> None:
        call = Call(0, "whole", (b"x" * 100,))
        data = await sent(call)
        async with socket_pair() as (ours, theirs):
            await ours.send_all(data + data[:cut])
            await ours.aclose()
            assert await received(theirs) == [call]

    run(main)


def test_sending_to_a_side_that_has_gone_does_nothing() -> None:
    async def main() -> None:
        frames = Frames()
        async with socket_pair() as (ours, theirs):
            await theirs.aclose()
            frames.send(Call(0, "anybody", (b"x" * 1_000_000,)))
            with trio.fail_after(5):
                await frames.run(ours)

    run(main)
