"""Resolves each name once a minute, however many connections are made.

A run asks a few hosts for millions of files. `getaddrinfo` has no cache and
returns no TTL, so answers are kept for a fixed time, failures for a shorter one;
concurrent lookups of the same name share one query. A query
runs in a thread that cannot be stopped, only abandoned: therefore it has a
thread limit of its own, and a deadline.
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
_THREADS = 16

Query = Callable[..., list[Any]]


@dataclass(frozen=True, slots=True)
class _Answer:
    """Addresses as `getaddrinfo` returns them, or the arguments of its error; valid until `expires`."""

    expires: float
    addresses: list[Any]
    error: tuple[Any, ...] = ()


class Resolver(trio.abc.HostnameResolver):
    """Looks up names with `query`, a function like `socket.getaddrinfo`; a lookup fails after `timeout_s`.

    Up to `threads` queries run at the same time, including abandoned ones.
    """

    def __init__(self, timeout_s: float, query: Query = socket.getaddrinfo, *, threads: int = _THREADS) -> None:
        self._timeout_s = timeout_s
        self._query = query
        self._limiter = trio.CapacityLimiter(threads)
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
        """The result of `socket.getaddrinfo`. Raises `socket.gaierror`, also if there is no answer in time."""
        question = (host, port, family, type, proto, flags)
        while (answer := self._cached(question)) is None:
            if question in self._asking:
                await self._asking[question].wait()  # then look again: the task that asked may have been cancelled
            else:
                await self._ask(question)
        if answer.error:
            raise socket.gaierror(*answer.error)
        return list(answer.addresses)

    async def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
        """The result of `socket.getnameinfo`; not cached, because oidl does not use it."""
        return await trio.to_thread.run_sync(socket.getnameinfo, sockaddr, flags, limiter=self._limiter)

    def _cached(self, question: tuple[Any, ...]) -> _Answer | None:
        answer = self._answers.get(question)
        return answer if answer is not None and trio.current_time() < answer.expires else None

    async def _ask(self, question: tuple[Any, ...]) -> None:
        answered = self._asking[question] = trio.Event()
        addresses: list[Any] = []
        error: tuple[Any, ...] = (socket.EAI_AGAIN, f"no answer in {self._timeout_s:g} s")
        try:
            with trio.move_on_after(self._timeout_s):
                try:
                    addresses = await trio.to_thread.run_sync(
                        partial(self._query, *question), abandon_on_cancel=True, limiter=self._limiter
                    )
                    error = ()
                except socket.gaierror as failed:
                    error = failed.args
            kept_s = FAILURE_KEPT_S if error else KEPT_S
            self._answers[question] = _Answer(trio.current_time() + kept_s, addresses, error)
        finally:
            del self._asking[question]
            answered.set()


@contextmanager
def cached_dns(timeout_s: float, query: Query = socket.getaddrinfo) -> Iterator[None]:
    """A block in which Trio resolves names with a new `Resolver`; afterwards the previous one is used again."""
    before = trio.socket.set_custom_hostname_resolver(Resolver(timeout_s, query))
    try:
        yield
    finally:
        trio.socket.set_custom_hostname_resolver(before)
