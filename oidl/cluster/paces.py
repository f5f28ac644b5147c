"""The pace of nodes: of those at one address together, and where a new one starts. Pure.

A limit of a server is about an address. Nodes at one address share it, and each of them learns what is left to it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from statistics import median

from oidl.net.pace import PaceState

_CAUTION = 0.5  # of the median of its sisters: where a new node starts
_BY = attrgetter("provider", "node")


def paces_by_host(paces: Iterable[PaceState]) -> tuple[PaceState, ...]:
    """The paces of nodes, each with its host in `node`, added up for each host."""
    return tuple(_sum(list(group)) for _, group in groupby(sorted(paces, key=_BY), key=_BY))


def tightest(paces: Collection[PaceState]) -> tuple[float | None, float]:
    """The lowest rate of `paces`, None if none of them has a limit, and the longest pause in seconds."""
    rates = [pace.rate for pace in paces if pace.rate is not None]
    return min(rates, default=None), max((pace.pause_s for pace in paces), default=0.0)


def starting_paces(
    host: str, nodes_there: int, stored: Mapping[tuple[str, str], PaceState], sisters: Collection[PaceState]
) -> dict[str, PaceState]:
    """The paces that a new node on `host`, where there are so many others, starts with, by provider.

    `stored` are those that earlier runs learned, by provider and host, `sisters` those of the other nodes now.
    """
    providers = {pace.provider for pace in sisters} | {provider for provider, at in stored if at == host}
    found = {}
    for provider in providers:
        own = [pace for pace in sisters if pace.provider == provider and pace.node == host]
        before = stored.get((provider, host))
        rates = [pace.learned_rate for pace in sisters if pace.provider == provider and pace.learned_rate is not None]
        if own and nodes_there:
            known = _sum(own)
            rate = None if known.learned_rate is None else known.learned_rate / (nodes_there + 1)
            found[provider] = replace(known, learned_rate=rate, node="")
        elif before is not None:
            found[provider] = replace(before, node="")
        elif rates:
            found[provider] = PaceState(provider, 0, None, 0.0, _CAUTION * median(rates), is_guess=True)
    return found


def _sum(paces: Sequence[PaceState]) -> PaceState:
    first = max(paces, key=attrgetter("pause_s"))
    return replace(
        first,
        window=sum(pace.window for pace in paces),
        rate=_total([pace.rate for pace in paces]),
        learned_rate=_total([pace.learned_rate for pace in paces]),
    )


def _total(rates: Sequence[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if len(known) == len(rates) else None
