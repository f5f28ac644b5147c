"""Connections lent out host by host: the caps, keep-alive across images, and whose turn it is.

Each connection is a client of its own that holds one connection: with one
shared client, httpcore spends 4–8 ms of CPU on a request at 64 connections,
so below 1 ms. An idle connection counts like a busy one, for the
host and in all. Where all are open, the one that is idle the longest is turned
to the new host.

Hosts that belong to one provider share its pace; a host that cannot be reached
is set aside alone. What a transfer came to is told when its connection is given back.
Hosts that are idle and well are forgotten, so a list may have any number of them.
"""

import math
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice
from urllib.parse import urlsplit

import trio

from oidl.model import Failure, Reason
from oidl.net.breaker import Breaker
from oidl.net.client import Client
from oidl.net.pace import Pace, PaceState
from oidl.net.provider import ProviderPace
from oidl.settings import Transfers

_PATIENCE_S = 2.0
_REMEMBERED = 256  # hosts; beyond that, those that are idle and well are forgotten
_SWEPT = 8  # hosts that are looked at for that when one is added
_WORTH_SAYING_S = 2.0


@dataclass(slots=True)
class Lent:
    """A connection while it is lent. `failure` is what became of the transfer, None an answer as it should be."""

    client: Client
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Why a host is not to be asked for `wait_s` seconds; `is_set_aside` if it cannot be reached."""

    wait_s: float
    reason: Reason
    detail: str
    is_set_aside: bool


@dataclass(slots=True)
class _Provider:
    name: str
    pace: ProviderPace
    hosts: int = 0  # that are remembered
    said_until: float = -math.inf  # the end of the pause that people know of
    turn: trio.Lock = field(default_factory=trio.Lock)
    changed: trio.Event = field(default_factory=trio.Event)

    def ended(self) -> None:
        self.changed.set()
        self.changed = trio.Event()


@dataclass(slots=True)
class _Host:
    name: str
    provider: _Provider
    busy: trio.Semaphore
    turn: trio.Lock = field(default_factory=trio.Lock)
    breaker: Breaker = field(default_factory=Breaker)
    users: int = 0  # that wait for a connection or have one
    trouble: Failure | None = None  # the last


class Hosts:
    """All connections of a run, within `max_host_connections` and `max_total_connections`.

    `providers` maps patterns of host names (`*.example.org`) to the provider that they belong to; any other host is a
    provider by itself. `earlier` is where earlier runs left the paces of providers. `say` tells people of hosts that
    cannot be reached and of pauses. A request that waits for a connection is sent away if a pause is longer than
    `patience_s`. `on_throttled` is called for every throttled answer.
    """

    def __init__(
        self,
        transfers: Transfers,
        new_client: Callable[[], Client],
        providers: Mapping[str, str] | None = None,
        earlier: Mapping[str, PaceState] | None = None,
        *,
        say: Callable[[str], None] = lambda text: None,
        on_throttled: Callable[[], None] = lambda: None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._transfers = transfers
        self._new_client = new_client
        self._patterns = dict(providers or {})
        self._earlier = dict(earlier or {})
        self._say = say
        self._on_throttled = on_throttled
        self._patience_s = patience_s
        self._busy = trio.Semaphore(transfers.max_total_connections)
        self._hosts: dict[str, _Host] = {}
        self._providers: dict[str, _Provider] = {}
        self._idle: dict[Client, str] = {}  # longest idle first
        self._clients = AsyncExitStack()
        self._opened = 0
        self.is_draining = False
        self._waiting: set[trio.CancelScope] = set()
        self._rng = random.Random()

    async def __aenter__(self) -> "Hosts":
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(shield=True):  # closing is quick, and a connection left open warns
            await self._clients.aclose()

    @asynccontextmanager
    async def connection(self, url: str) -> AsyncIterator[Lent | None]:
        """A connection for one request to the host of `url`, as soon as the caps and the pace allow.

        None if the run drains before that (nothing new is to be asked for then), or if the host is not to be asked for
        a while, which may also begin while this waits: `block` says why.
        """
        host = self._host(host_of(url))
        host.users += 1
        has_slot = is_our_turn = False
        try:
            with trio.CancelScope() as waiting:
                self._waiting.add(waiting)
                try:
                    if self.is_draining:
                        waiting.cancel()
                    await host.busy.acquire()
                    has_slot = True
                    is_our_turn = await self._turn(host)
                finally:
                    self._waiting.remove(waiting)
            if not is_our_turn:
                yield None
                return
            started_at = trio.current_time()
            lent = Lent(await self._take(host.name))
            has_ended = False
            try:
                yield lent
                has_ended = True
            finally:
                self._idle[lent.client] = host.name
                self._ended(host, lent.failure if has_ended else _CANCELLED, started_at)
        finally:
            if is_our_turn:
                self._busy.release()
            if has_slot:
                host.busy.release()
            host.users -= 1

    def block(self, url: str) -> Block | None:
        """Why the host of `url` is not to be asked now, or None if it may be."""
        host = self._host(host_of(url))
        now = trio.current_time()
        if (wait_s := host.breaker.wait_s(now)) > 0:
            trouble = host.trouble or _CANCELLED
            return Block(wait_s, trouble.reason, f"its host is set aside: {trouble.detail}", is_set_aside=True)
        if (wait_s := host.provider.pace.pause_s(host.name, now)) > 0:
            return Block(wait_s, Reason.RATE_LIMITED, f"{host.provider.name} asked for a pause", is_set_aside=False)
        return None

    def drain(self) -> None:
        """From now on no connection is lent; those that are lent already may finish."""
        self.is_draining = True
        for scope in self._waiting:
            scope.cancel()

    def paces(self) -> tuple[PaceState, ...]:
        """Where the pace of every provider stands, and of every host that has one of its own."""
        now = trio.current_time()
        return tuple(
            state for provider in self._providers.values() for state in provider.pace.states(provider.name, now)
        )

    async def _turn(self, host: _Host) -> bool:
        """Waits until a request may start, counts it as started and acquires `_busy`; False if that may be long."""
        provider, breaker = host.provider, host.breaker
        while True:
            async with host.turn:  # a host with a pace of its own keeps no other waiting
                if not await self._wait(host, lambda now: provider.pace.host_wait_s(host.name, now)):
                    return False
                async with provider.turn:
                    if not await self._wait(host, provider.pace.wait_s):
                        return False
                    if breaker.wait_s(trio.current_time()) > 0:
                        return False
                    provider.pace.started(trio.current_time(), host.name)
                    breaker.started()
            try:
                await self._busy.acquire()
            except trio.Cancelled:
                self._undo(host)
                raise
            if not provider.pace.pause_s(host.name, trio.current_time()):
                return True
            self._busy.release()  # a pause began meanwhile, and other hosts need not wait for it
            self._undo(host)

    async def _wait(self, host: _Host, wait_of: Callable[[float], float]) -> bool:
        """Waits until `wait_of` the time is 0; False if the host is paused for longer than anyone here waits."""
        while (wait_s := wait_of(trio.current_time())) > 0:
            if host.provider.pace.pause_s(host.name, trio.current_time()) > self._patience_s:
                return False
            changed = host.provider.changed
            with trio.move_on_after(wait_s):
                await changed.wait()
        return True

    def _undo(self, host: _Host) -> None:
        host.provider.pace.failed(host.name)
        host.breaker.let_go()
        host.provider.ended()

    def _ended(self, host: _Host, failure: Failure | None, started_at: float) -> None:
        now = trio.current_time()
        pace, breaker = host.provider.pace, host.breaker
        if failure is None or (failure.http_status is not None and failure.reason is not Reason.RATE_LIMITED):
            pace.succeeded(now, started_at, host.name)
            breaker.succeeded()
        elif failure.reason is Reason.RATE_LIMITED:
            pace.throttled(now, started_at, failure.retry_after_s, host.name)
            breaker.succeeded()
            self._note_throttled(host, now)
        else:
            pace.failed(host.name)
            if not failure.is_unreachable:
                breaker.let_go()
            else:
                host.trouble = failure
                if breaker.failed(now):
                    self._say(
                        f"{host.name} cannot be reached and is set aside; it is tried now and then: {failure.detail}"
                    )
        host.provider.ended()

    def _note_throttled(self, host: _Host, now: float) -> None:
        self._on_throttled()
        provider = host.provider
        pause_s = provider.pace.pause_s(host.name, now)
        if pause_s >= _WORTH_SAYING_S and now >= provider.said_until:
            provider.said_until = now + pause_s
            reason = provider.pace.pause_reason(host.name, now)
            self._say(f"{provider.name} is paused for {pause_s:.0f} s: {reason}")

    def _host(self, name: str) -> _Host:
        if name not in self._hosts:
            if len(self._hosts) >= _REMEMBERED:
                self._forget_some()
            provider = self._provider(name)
            provider.hosts += 1
            slots = trio.Semaphore(self._transfers.max_host_connections)
            self._hosts[name] = _Host(name, provider, slots, breaker=Breaker(self._rng))
        return self._hosts[name]

    def _forget_some(self) -> None:
        """Forgets hosts that are idle and well, among the few that were looked at the longest ago."""
        for name in list(islice(self._hosts, _SWEPT)):
            host = self._hosts.pop(name)
            if host.users or not host.breaker.is_well or not host.provider.pace.is_idle:
                self._hosts[name] = host
                continue
            host.provider.hosts -= 1
            if not host.provider.hosts:
                del self._providers[host.provider.name]

    def _provider(self, host: str) -> _Provider:
        bare = host.partition(":")[0]
        name = next((provider for pattern, provider in self._patterns.items() if fnmatchcase(bare, pattern)), host)
        if name not in self._providers:
            shared = self._pace(self._transfers.max_total_connections, self._earlier.pop(name, None))
            own = partial(self._pace, self._transfers.max_host_connections, None)
            self._providers[name] = _Provider(name, ProviderPace(shared, own))
        return self._providers[name]

    def _pace(self, window: int, earlier: PaceState | None) -> Pace:
        return Pace(
            window,
            self._transfers.max_rps or math.inf,
            learned_rate=earlier.learned_rate if earlier else None,
            paused_until=trio.current_time() + earlier.pause_s if earlier and earlier.pause_s else -math.inf,
            rng=self._rng,
        )

    async def _take(self, host: str) -> Client:
        client = next((client for client, at in reversed(self._idle.items()) if at == host), None)
        if client is None and self._opened < self._transfers.max_total_connections:
            self._opened += 1
            return await self._clients.enter_async_context(self._new_client())
        if client is None:  # `_busy` lets us in only when some connection is idle
            client = next(iter(self._idle))
        del self._idle[client]
        return client


_CANCELLED = Failure(Reason.CONNECTION, "cancelled")


def host_of(url: str) -> str:
    """The host and port that `url` names, in lower case."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:  # "http://[1.2.3.4]/": no client will ask for it either
        return ""
