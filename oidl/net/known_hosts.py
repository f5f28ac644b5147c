"""The state of the hosts that requests go to, and of the providers that they belong to.

Hosts that are idle and healthy are forgotten, so an image list may name any number of hosts.
"""

import math
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from itertools import islice
from urllib.parse import urlsplit

import trio

from oidl.model import Failure
from oidl.net.breaker import Breaker
from oidl.net.pace import Pace, PaceState
from oidl.net.provider import ProviderPace
from oidl.settings import NetworkSettings

_REMEMBERED = 256  # hosts; beyond that, idle and healthy ones are forgotten
_SWEPT = 8  # hosts that are checked for that when one is added


@dataclass(slots=True)
class Provider:
    """Hosts that share a pace: all of Flickr, or a single host."""

    name: str
    pace: ProviderPace
    hosts: int = 0  # remembered ones
    announced_until: float = -math.inf  # the end of the last pause that the user was informed about
    lock: trio.Lock = field(default_factory=trio.Lock)
    changed: trio.Event = field(default_factory=trio.Event)

    def notify(self) -> None:
        """Wakes the requests that wait for a change of the pace."""
        self.changed.set()
        self.changed = trio.Event()


@dataclass(slots=True)
class Host:
    """One host: its slots for requests, and whether it can be reached."""

    name: str
    provider: Provider
    slots: trio.Semaphore
    lock: trio.Lock = field(default_factory=trio.Lock)
    breaker: Breaker = field(default_factory=Breaker)
    users: int = 0  # requests that wait for a permit or have one
    last_failure: Failure | None = None


class KnownHosts:
    """Hosts by name. `patterns` and `learned` are the `providers` and `learned` of `Permits`."""

    def __init__(
        self, transfers: NetworkSettings, patterns: Mapping[str, str], learned: Mapping[str, PaceState]
    ) -> None:
        self._transfers = transfers
        self._patterns = dict(patterns)
        self._learned = dict(learned)
        self._hosts: dict[str, Host] = {}
        self._providers: dict[str, Provider] = {}
        self._rng = random.Random()

    def __len__(self) -> int:
        return len(self._hosts)

    @property
    def providers(self) -> Collection[Provider]:
        """The providers of the known hosts."""
        return self._providers.values()

    def get(self, name: str) -> Host:
        """The host `name`, which is added if it is unknown."""
        if name not in self._hosts:
            if len(self._hosts) >= _REMEMBERED:
                self._forget_some()
            provider = self._provider(name)
            provider.hosts += 1
            slots = trio.Semaphore(self._transfers.max_host_connections)
            self._hosts[name] = Host(name, provider, slots, breaker=Breaker(self._rng))
        return self._hosts[name]

    def _forget_some(self) -> None:
        """Checks the few hosts whose last check was the longest ago, and forgets the idle and healthy ones."""
        for name in list(islice(self._hosts, _SWEPT)):
            host = self._hosts.pop(name)
            if host.users or not host.breaker.is_well or not host.provider.pace.is_idle:
                self._hosts[name] = host
                continue
            host.provider.hosts -= 1
            if not host.provider.hosts:
                del self._providers[host.provider.name]

    def _provider(self, host: str) -> Provider:
        bare = host.partition(":")[0]
        name = next((provider for pattern, provider in self._patterns.items() if fnmatchcase(bare, pattern)), host)
        if name not in self._providers:
            shared = self._pace(self._transfers.max_total_connections, self._learned.pop(name, None))
            own = partial(self._pace, self._transfers.max_host_connections, None)
            self._providers[name] = Provider(name, ProviderPace(shared, own))
        return self._providers[name]

    def _pace(self, window: int, learned: PaceState | None) -> Pace:
        return Pace(
            window,
            self._transfers.max_rps or math.inf,
            learned_rate=learned.learned_rate if learned else None,
            paused_until=trio.current_time() + learned.pause_s if learned and learned.pause_s else -math.inf,
            rng=self._rng,
            burst_s=self._transfers.burst_s,
            is_guess=learned is not None and learned.is_guess,
        )


@lru_cache(4096)  # an image's URL is looked at several times
def host_of(url: str) -> str:
    """The host and port of `url`, in lower case; empty if it is not a URL."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:  # such as "http://[1.2.3.4]/"; no client accepts it either
        return ""
