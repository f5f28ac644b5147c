"""Permits for requests: the limits per host and in total, the pace, and pauses.

A request passes four gates, in this order:

1. a slot at its host (`max_host_connections`);
2. the pace of its provider, and that of its host if it has its own;
3. its host's breaker, which stops requests to an unreachable host;
4. a slot among all connections (`max_total_connections`).

The slot among all connections comes last, because other hosts could use it: a request that waits for its own host
must not hold it. A pause can begin while a request waits at the fourth gate; then the request returns its slot
and starts again at the second gate.

When a permit is returned, the result of the request is reported; pace and breaker learn only from that. Hosts that
are idle and healthy are forgotten, so an image list may name any number of hosts.

Permits hold no sockets: see `connections`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from oidl.model import Blame, Failure, Reason
from oidl.net.drain import Drain
from oidl.net.known_hosts import Host, KnownHosts, host_of
from oidl.net.pace import PaceState
from oidl.settings import NetworkSettings

_PATIENCE_S = 2.0
_WORTH_SAYING_S = 2.0

CANCELLED = Failure(Reason.CONNECTION, "cancelled")
"""The result of a request that did not finish: nothing is learned from it."""


@dataclass(slots=True)
class Permit:
    """Permission for one request to `host`. Set `failure` if the request failed; None means an ordinary answer."""

    host: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """Why a host gets no requests for `wait_s` seconds: unreachable if its breaker is open, otherwise paused."""

    wait_s: float
    reason: Reason
    detail: str
    is_unreachable: bool


class Permits:
    """The permits of one machine, within `max_host_connections` and `max_total_connections` of `transfers`.

    `providers` maps patterns of host names (`*.example.org`) to the provider that they belong to; any other host is its
    own provider. `learned` holds the paces that earlier runs learned, by provider. A request that waits for a permit is
    refused if a pause is longer than `patience_s`. `on_throttled` is called for every throttled answer, `say` with
    messages for the user about pauses and unreachable hosts.
    """

    def __init__(
        self,
        transfers: NetworkSettings,
        providers: Mapping[str, str] | None = None,
        learned: Mapping[str, PaceState] | None = None,
        *,
        say: Callable[[str], None] = lambda text: None,
        on_throttled: Callable[[], None] = lambda: None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._transfers = transfers
        self._say = say
        self._on_throttled = on_throttled
        self._patience_s = patience_s
        self._slots = trio.Semaphore(transfers.max_total_connections)
        self._hosts = KnownHosts(transfers, providers or {}, learned or {})
        self.drain = Drain()

    def __repr__(self) -> str:
        busy = self._transfers.max_total_connections - self._slots.value
        return f"<Permits: {busy} requests, {len(self.drain)} waiting, {len(self._hosts)} hosts>"

    @asynccontextmanager
    async def request(self, url: str) -> AsyncIterator[Permit | None]:
        """A permit for one request to the host of `url`, as soon as the limits and the pace allow it.

        Yields None if the run starts draining first, or if the host is paused or unreachable, including when that
        happens while waiting: `backoff` says why.
        """
        host = self._hosts.get(host_of(url))
        host.users += 1
        has_slot = is_permitted = False
        try:
            has_slot = is_permitted = self._starts_at_once(host)
            if not is_permitted:
                with self.drain.unless_begun():
                    await host.slots.acquire()
                    has_slot = True
                    is_permitted = await self._wait_for_turn(host)
            if not is_permitted:
                yield None
                return
            started_at = trio.current_time()
            permit = Permit(host.name)
            has_ended = False
            try:
                yield permit
                has_ended = True
            finally:
                self._report(host, permit.failure if has_ended else CANCELLED, started_at)
        finally:
            if is_permitted:
                self._slots.release()
            if has_slot:
                host.slots.release()
            host.users -= 1

    def backoff(self, url: str) -> Backoff | None:
        """Why the host of `url` gets no requests now; None if it may be asked."""
        host = self._hosts.get(host_of(url))
        now = trio.current_time()
        if (wait_s := host.breaker.wait_s(now)) > 0:
            trouble = host.last_failure or CANCELLED
            return Backoff(wait_s, trouble.reason, f"its host is unreachable: {trouble.detail}", is_unreachable=True)
        if (wait_s := host.provider.pace.pause_s(host.name, now)) > 0:
            detail = f"{host.provider.name} asked for a pause"
            return Backoff(wait_s, Reason.RATE_LIMITED, detail, is_unreachable=False)
        return None

    def paces(self) -> tuple[PaceState, ...]:
        """The state of the pace of every provider, and of every host that has its own."""
        now = trio.current_time()
        return tuple(state for provider in self._hosts.providers for state in provider.pace.states(provider.name, now))

    def _starts_at_once(self, host: Host) -> bool:
        """Passes all gates if nothing has to be waited for, as mostly. Waiting for each of them would cost 50 µs."""
        provider, now = host.provider, trio.current_time()
        if (
            self.drain.has_begun
            or not (host.slots.value and self._slots.value)
            or host.lock.locked()
            or provider.lock.locked()
            or provider.pace.host_wait_s(host.name, now) > 0
            or provider.pace.wait_s(now) > 0
            or host.breaker.wait_s(now) > 0
        ):
            return False
        host.slots.acquire_nowait()
        self._slots.acquire_nowait()
        provider.pace.started(now, host.name)
        host.breaker.started()
        return True

    async def _wait_for_turn(self, host: Host) -> bool:
        """Passes gates 2 to 4: counts the request as started and takes a slot among all connections.

        Returns False, and holds nothing, if the host is unreachable or paused for longer than `patience_s`.
        """
        provider, breaker = host.provider, host.breaker
        while True:
            async with host.lock:  # a separate lock, so that a host with its own pace does not make others wait
                if not await self._wait(host, lambda now: provider.pace.host_wait_s(host.name, now)):
                    return False
                async with provider.lock:
                    if not await self._wait(host, provider.pace.wait_s):
                        return False
                    if breaker.wait_s(trio.current_time()) > 0:
                        return False
                    provider.pace.started(trio.current_time(), host.name)
                    breaker.started()
            try:
                await self._slots.acquire()
            except trio.Cancelled:
                self._undo(host)
                raise
            if not provider.pace.pause_s(host.name, trio.current_time()):
                return True
            self._slots.release()  # a pause began meanwhile, and other hosts must not wait for it
            self._undo(host)

    async def _wait(self, host: Host, wait_of: Callable[[float], float]) -> bool:
        """Waits until `wait_of(now)` is 0; returns False if the host is paused for longer than `patience_s`."""
        while (wait_s := wait_of(trio.current_time())) > 0:
            if host.provider.pace.pause_s(host.name, trio.current_time()) > self._patience_s:
                return False
            changed = host.provider.changed
            with trio.move_on_after(wait_s):
                await changed.wait()
        return True

    def _undo(self, host: Host) -> None:
        """Reverts the start of a request that was never made."""
        host.provider.pace.failed(host.name)
        host.breaker.cancelled()
        host.provider.notify()

    def _report(self, host: Host, failure: Failure | None, started_at: float) -> None:
        """Reports to pace and breaker how a request ended."""
        now = trio.current_time()
        pace, breaker = host.provider.pace, host.breaker
        if failure is None or (failure.http_status is not None and failure.reason is not Reason.RATE_LIMITED):
            pace.succeeded(now, started_at, host.name)
            breaker.succeeded()
        elif failure.reason is Reason.RATE_LIMITED:
            pace.throttled(now, started_at, failure.retry_after_s, host.name)
            breaker.succeeded()
            self._announce_pause(host, now)
        else:
            pace.failed(host.name)
            if failure.blame is not Blame.HOST:
                breaker.cancelled()
            else:
                host.last_failure = failure
                if breaker.failed(now):
                    self._say(f"{host.name} cannot be reached; oidl tries it again from time to time: {failure.detail}")
        host.provider.notify()

    def _announce_pause(self, host: Host, now: float) -> None:
        self._on_throttled()
        provider = host.provider
        pause_s = provider.pace.pause_s(host.name, now)
        if pause_s >= _WORTH_SAYING_S and now >= provider.announced_until:
            provider.announced_until = now + pause_s
            reason = provider.pace.pause_reason(host.name, now)
            self._say(f"{provider.name} is paused for {pause_s:.0f} s: {reason}")
