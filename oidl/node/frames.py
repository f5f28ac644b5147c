"""Values between two processes of one program, over a socket: pickled, each after its length (4 bytes, big-endian).

Both ends are the same version of oidl on the same machine, and the socket has no name, so nothing else can send here.
"""

import pickle
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

import trio

_READ_BYTES = 256 * 1024
_LENGTH_BYTES = 4


class Call(NamedTuple):
    """Calls a method of the other side. Its result is sent back as a `Reply` with this number, unless that is 0."""

    number: int
    method: str
    arguments: tuple[Any, ...] = ()


class Reply(NamedTuple):
    """The result of a call, or the exception that it raised."""

    number: int
    value: Any
    error: Exception | None = None


class Frames:
    """Sends and receives values; `run` sends what is queued, so that `send` never waits."""

    def __init__(self) -> None:
        self._unsent = bytearray()
        self._has_more = trio.Event()

    def send(self, value: object) -> None:
        """Queues `value`. What is queued for a side that has gone is never sent."""
        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        self._unsent += len(data).to_bytes(_LENGTH_BYTES, "big")
        self._unsent += data
        self._has_more.set()

    async def run(self, stream: trio.SocketStream) -> None:
        """Sends what is queued, until cancelled, or until the other side has gone."""
        try:
            while True:
                await self._has_more.wait()
                self._has_more = trio.Event()
                data, self._unsent = self._unsent, bytearray()
                await stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    @staticmethod
    async def received(stream: trio.SocketStream) -> AsyncGenerator[Any, None]:
        """Every value that arrives, until the other side closes the socket or its process ends."""
        data = bytearray()
        while True:
            try:
                piece = await stream.receive_some(_READ_BYTES)
            except trio.BrokenResourceError:
                return
            if not piece:
                return
            data += piece
            start = 0
            while len(data) >= start + _LENGTH_BYTES:
                end = start + _LENGTH_BYTES + int.from_bytes(data[start : start + _LENGTH_BYTES], "big")
                if len(data) < end:
                    break
                yield pickle.loads(memoryview(data)[start + _LENGTH_BYTES : end])
                start = end
            del data[:start]
