"""Names resolved once a minute, however many connections are made.

A run asks a few hosts for millions of files. `getaddrinfo` has no memory and
tells no TTL, so answers are kept for a fixed time, failures for a shorter one;
who asks while somebody else is asking the same waits for that answer. A query
runs in a thread that cannot be stopped, only left behind: hence the limit of
its own, and the deadline.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import trio

KEPT_S = 60.0
FAILURE_KEPT_S = 5.0
_THREADS = 16  # as many queries at once, those left behind included

Query = Callable[..., list[Any]]


@dataclass(frozen=True, slots=True)
class _Answer:
    """Addresses as `getaddrinfo` gives them, or the arguments of its error; good until `expires`."""

    expires: float
    addresses: list[Any]
    error: tuple[Any, ...] = ()


class Resolver(trio.abc.HostnameResolver):
    """Looks names up by `query`, `socket.getaddrinfo`'s like; each lookup has `timeout_s`, then it is a failure."""

    def __init__(self, timeout_s: float, query: Query = socket.getaddrinfo) -> None:
        self._timeout_s = timeout_s
        self._query = query
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._answers: dict[tuple[Any, ...], _Answer] = {}
        self._asking: dict[tuple[Any, ...], trio.Event] = {}

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """What `socket.getaddrinfo` gives. Raises `socket.gaierror`, also if there is no answer in time."""
        asked = (host, port, family, type, proto, flags)
        while (answer := self._known(asked)) is None:
            if asked in self._asking:
                await self._asking[asked].wait()  # and look again: whoever asked may have been cancelled
            else:
                await self._ask(asked)
        if answer.error:
            raise socket.gaierror(*answer.error)
        return list(answer.addresses)

    async def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
        """What `socket.getnameinfo` gives; not kept, as nobody here asks for it."""
        return await trio.to_thread.run_sync(socket.getnameinfo, sockaddr, flags, limiter=self._limiter)

    def _known(self, asked: tuple[Any, ...]) -> _Answer | None:
        answer = self._answers.get(asked)
        return answer if answer is not None and trio.current_time() < answer.expires else None

    async def _ask(self, asked: tuple[Any, ...]) -> None:
        answered = self._asking[asked] = trio.Event()
        addresses: list[Any] = []
        error: tuple[Any, ...] = (socket.EAI_AGAIN, f"no answer in {self._timeout_s:g} s")
        try:
            with trio.move_on_after(self._timeout_s):
                try:
                    addresses = await trio.to_thread.run_sync(
                        partial(self._query, *asked), abandon_on_cancel=True, limiter=self._limiter
                    )
                    error = ()
                except socket.gaierror as failed:
                    error = failed.args
            kept_s = FAILURE_KEPT_S if error else KEPT_S
            self._answers[asked] = _Answer(trio.current_time() + kept_s, addresses, error)
        finally:
            del self._asking[asked]
            answered.set()


@contextmanager
def cached_dns(timeout_s: float, query: Query = socket.getaddrinfo) -> Iterator[None]:
    """A block in which Trio resolves names by a `Resolver` of its own; afterwards, as before."""
    before = trio.socket.set_custom_hostname_resolver(Resolver(timeout_s, query))
    try:
        yield
    finally:
        trio.socket.set_custom_hostname_resolver(before)
