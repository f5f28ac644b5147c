"""Permits and connections: always within the limits, kept alive, and all returned.

A real server on loopback, with several hosts, counts connections and keep-alive.
The waiting is tested with clients that do nothing, on a clock that does not wait.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.testing
from downloads import open_downloader

from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, ServerFault, Site
from oidl.model import Blame, Failure, Fetched, Reason, Source
from oidl.net.answer import Download
from oidl.net.client import new_client, tls_context
from oidl.net.pace import PaceState
from oidl.net.request import Connection
from oidl.net.transfer import Downloader
from oidl.settings import NetworkSettings

BODY = bytes(1000)
PATH = "/1_o.jpg"
TLS = tls_context()


class Client:
    """A client that is only counted."""

    async def aclose(self) -> None:
        pass


@dataclass
class Clients:
    """Clients that were created, how many are borrowed now, and the most that ever were open, in all and at a host."""

    created: list[Client] = field(default_factory=list)
    now: Counter[str] = field(default_factory=Counter)
    at: dict[Connection, str] = field(default_factory=dict)
    peak_at: Counter[str] = field(default_factory=Counter)

    def client(self) -> Any:
        self.created.append(Client())
        return self.created[-1]

    @asynccontextmanager
    async def borrow(self, net: Downloader, host: str) -> AsyncIterator[Connection | None]:
        async with net.permits.request(f"http://{host}/x") as permit:
            if permit is None:
                yield None
                return
            async with net.connections.to(permit.host) as client:
                self.at[client] = host
                self.now[host] += 1
                opened_at = Counter(self.at.values())
                self.peak_at = self.peak_at | opened_at
                try:
                    yield client
                finally:
                    self.now[host] -= 1


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def hold(
    clients: Clients, net: Downloader, host: str, seconds: float, got: list[Connection | None] | None = None
) -> None:
    async with clients.borrow(net, host) as client:
        if got is not None:
            got.append(client)
        if client is not None:
            await trio.sleep(seconds)


async def objected(net: Downloader, host: str, pause_s: float) -> None:
    """As many requests to `host` as mean that it is closed are answered by "too many requests"."""
    for _ in range(5):
        async with net.permits.request(f"http://{host}/x") as permit:
            assert permit is not None
            permit.failure = Failure(Reason.RATE_LIMITED, http_status=429, retry_after_s=pause_s)


# ---- on loopback


async def fetch_many(urls: list[str], net: Downloader) -> None:
    async def one(url: str) -> None:
        download = Download(url, Source.ORIGINAL, len(BODY), len(BODY))
        fetched = await net.fetch(download)
        assert isinstance(fetched, Fetched)

    async with trio.open_nursery() as nursery:
        for url in urls:
            nursery.start_soon(one, url)


def peaks(transfers: NetworkSettings, servers: int, rounds: int, requests: int) -> Site:
    """What a site saw of `requests` at once to each of its `servers`, so many times over."""
    site = Site({PATH: CannedResponse(BODY, behaviour=ServerFault.SLOW, bytes_per_s=50_000)})

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            urls = [await nursery.start(serve, site) + PATH for _ in range(servers)]
            async with open_downloader(transfers, lambda: new_client(transfers, TLS)) as net:
                for _ in range(rounds):
                    await fetch_many(urls * requests, net)
            nursery.cancel_scope.cancel()

    trio.run(main)
    return site


def test_no_host_sees_more_connections_than_one_host_may() -> None:
    site = peaks(NetworkSettings(max_host_connections=3, max_total_connections=20), servers=3, rounds=2, requests=8)
    assert list(site.connections.peak_at.values()) == [3, 3, 3]
    assert site.requests[PATH] == 48


def test_all_hosts_together_see_no_more_than_there_may_be_in_all() -> None:
    site = peaks(NetworkSettings(max_host_connections=5, max_total_connections=4), servers=1, rounds=2, requests=9)
    assert site.connections.peak == 4


def test_connections_are_kept_alive_for_whoever_comes_next() -> None:
    site = peaks(NetworkSettings(max_host_connections=2, max_total_connections=9), servers=2, rounds=5, requests=2)
    assert site.requests[PATH] == 20
    assert site.connections.opened == 4


def test_a_connection_given_up_is_closed_before_the_next_is_opened() -> None:
    async def main() -> None:
        transfers = NetworkSettings(max_total_connections=1)
        site = Site({PATH: CannedResponse(BODY)})
        async with trio.open_nursery() as nursery:
            urls = [await nursery.start(serve, site) + PATH for _ in range(3)]
            async with open_downloader(transfers, lambda: new_client(transfers, TLS)) as net:
                for url in urls * 2:
                    await fetch_many([url], net)
                    await trio.testing.wait_all_tasks_blocked(0.005)
                    assert site.connections.open == 1
                assert site.connections.opened == 6
            nursery.cancel_scope.cancel()

    trio.run(main)


# ---- with clients that do nothing


def test_idle_connections_count_for_their_host_and_in_all() -> None:
    async def main() -> None:
        clients = Clients()
        async with open_downloader(
            NetworkSettings(max_host_connections=2, max_total_connections=5), clients.client
        ) as net:
            rng = random.Random(1)
            async with trio.open_nursery() as nursery:
                for _ in range(400):
                    nursery.start_soon(hold, clients, net, rng.choice("abcd"), rng.random())
                    await trio.sleep(0.1 * rng.random())
        assert len(clients.created) == 5
        assert set(clients.peak_at) == set("abcd")
        assert max(clients.peak_at.values()) == 2

    run(main)


def test_a_connection_of_the_host_itself_is_taken_before_any_is_opened_or_given_up() -> None:
    async def main() -> None:
        clients = Clients()
        async with open_downloader(NetworkSettings(max_total_connections=3), clients.client) as net:
            for host in "aabab":
                await hold(clients, net, host, 0)
            assert len(clients.created) == 2

    run(main)


def test_where_all_are_open_the_one_idle_the_longest_is_given_up() -> None:
    async def main() -> None:
        clients = Clients()
        got: list[Connection | None] = []
        async with open_downloader(NetworkSettings(max_total_connections=3), clients.client) as net:
            for host in "abcad":
                await hold(clients, net, host, 0, got)
            assert len(clients.created) == 3
            assert got[4] is got[1]  # b's; a's was used since

    run(main)


def test_one_host_that_is_at_its_cap_keeps_no_other_waiting() -> None:
    async def main() -> None:
        clients = Clients()
        async with (
            open_downloader(NetworkSettings(max_host_connections=1, max_total_connections=2), clients.client) as net,
            trio.open_nursery() as nursery,
        ):
            for _ in range(5):
                nursery.start_soon(hold, clients, net, "a", 100)
            await trio.sleep(1)
            with trio.fail_after(0.1):
                await hold(clients, net, "b", 0)

    run(main)


def test_a_host_is_its_name_and_port_in_any_case() -> None:
    async def main() -> None:
        clients = Clients()
        async with open_downloader(NetworkSettings(), clients.client) as net:
            await hold(clients, net, "A.org", 0)
            await hold(clients, net, "a.ORG", 0)
            assert len(clients.created) == 1
            await hold(clients, net, "a.org:81", 0)
            assert len(clients.created) == 2

    run(main)


def test_a_pause_is_waited_for_by_who_is_patient_and_may_grow() -> None:
    async def main() -> None:
        clients = Clients()
        async with (
            open_downloader(NetworkSettings(), clients.client, patience_s=30) as net,
            trio.open_nursery() as nursery,
            net.permits.request("http://a/y") as late,
        ):
            began = trio.current_time()
            await objected(net, "a", 10)
            nursery.start_soon(hold, clients, net, "a", 0)
            await trio.sleep(5)
            assert late is not None
            late.failure = Failure(Reason.RATE_LIMITED, http_status=429, retry_after_s=20)
        assert trio.current_time() == pytest.approx(began + 25)

    run(main)


def test_hosts_of_one_provider_pause_together_and_no_others() -> None:
    async def main() -> None:
        clients = Clients()
        providers = {"*.flickr.test": "flickr"}
        async with open_downloader(NetworkSettings(), clients.client, providers) as net:
            await objected(net, "c1.flickr.test:8080", 60)
            for host in ("c2.flickr.test", "a.b.flickr.test"):
                backoff = net.permits.backoff(f"http://{host}/x")
                assert backoff is not None
                assert (backoff.wait_s, backoff.reason, backoff.is_unreachable) == (60, Reason.RATE_LIMITED, False)
            assert net.permits.backoff("http://flickr.test/x") is None
            assert [(pace.provider, pace.pause_s) for pace in net.permits.paces()] == [
                ("flickr", 60),
                ("flickr.test", 0),
            ]

    run(main)


def test_a_pause_that_begins_while_all_connections_are_busy_is_kept_too() -> None:
    async def main() -> None:
        clients = Clients()
        transfers = NetworkSettings(max_total_connections=2)
        async with open_downloader(transfers, clients.client, patience_s=30) as net, trio.open_nursery() as nursery:
            for _ in range(4):
                async with net.permits.request("http://a/y") as early:
                    assert early is not None
                    early.failure = Failure(Reason.RATE_LIMITED, http_status=429)
            async with net.permits.request("http://a/y") as late:
                nursery.start_soon(hold, clients, net, "b", 2)
                await trio.sleep(1)
                nursery.start_soon(hold, clients, net, "a", 0)
                await trio.sleep(0.5)
                assert late is not None
                late.failure = Failure(Reason.RATE_LIMITED, http_status=429, retry_after_s=10)
            await trio.sleep(9)
            assert "a" not in clients.now
            await hold(clients, net, "b", 0)  # and whoever waits for a pause holds up no other host
            await trio.sleep(1.1)
            assert "a" in clients.now

    run(main)


def test_a_long_pause_sends_away_who_comes_and_who_waits() -> None:
    async def main() -> None:
        clients = Clients()
        got: list[Connection | None] = []
        async with (
            open_downloader(NetworkSettings(), clients.client, patience_s=30) as net,
            trio.open_nursery() as nursery,
            net.permits.request("http://a/y") as late,
        ):
            await objected(net, "a", 10)
            nursery.start_soon(hold, clients, net, "a", 0, got)
            await trio.sleep(1)
            assert late is not None
            late.failure = Failure(Reason.RATE_LIMITED, http_status=429, retry_after_s=3600)
        assert got == [None]

        async with open_downloader(NetworkSettings(), clients.client) as net:
            await objected(net, "a", 10)
            with trio.fail_after(0.1):
                await hold(clients, net, "a", 0, got)
                await hold(clients, net, "b", 0, got)
            assert got[:2] == [None, None]
            assert got[2] is not None

    run(main)


def test_a_host_that_cannot_be_reached_is_set_aside_and_said_so() -> None:
    async def main() -> None:
        clients = Clients()
        said: list[str] = []
        refused = Failure(Reason.CONNECTION, "refused", blame=Blame.HOST)
        async with open_downloader(NetworkSettings(), clients.client, {"*": "one"}, say=said.append) as net:
            for _ in range(5):
                assert not said
                async with net.permits.request("http://a:1/x") as permit:
                    assert permit is not None
                    permit.failure = refused
            assert said == ["a:1 cannot be reached; oidl tries it again from time to time: refused"]
            async with net.permits.request("http://a:1/x") as permit:
                assert permit is None
            backoff = net.permits.backoff("http://a:1/x")
            assert backoff is not None
            assert (backoff.is_unreachable, backoff.reason) == (True, Reason.CONNECTION)
            assert net.permits.backoff("http://b/x") is None, "the others of its provider are well"
            await trio.sleep(backoff.wait_s)
            async with net.permits.request("http://a:1/x") as permit:
                assert permit is not None
            assert net.permits.backoff("http://a:1/x") is None

    run(main)


@pytest.mark.parametrize("reason", [Reason.NOT_FOUND, Reason.HTTP_ERROR, Reason.TOO_SLOW, Reason.CONNECTION])
def test_what_is_wrong_with_an_image_sets_no_host_aside(reason: Reason) -> None:
    async def main() -> None:
        status = 404 if reason in (Reason.NOT_FOUND, Reason.HTTP_ERROR) else None
        async with open_downloader(NetworkSettings(), Clients().client) as net:
            for _ in range(50):
                async with net.permits.request("http://a/x") as permit:
                    assert permit is not None
                    permit.failure = Failure(reason, http_status=status)
            assert net.permits.backoff("http://a/x") is None

    run(main)


def test_a_drain_sends_away_who_waits_for_whatever_and_lets_finish_who_has_one() -> None:
    async def main() -> None:
        clients = Clients()
        held: list[Connection | None] = []
        sent_away: list[Connection | None] = []
        transfers = NetworkSettings(max_host_connections=1, max_total_connections=2)
        async with open_downloader(transfers, clients.client, patience_s=30) as net:
            await objected(net, "d", 20)
            async with trio.open_nursery() as nursery:
                for host in "ab":
                    nursery.start_soon(hold, clients, net, host, 100, held)
                await trio.sleep(1)
                for host in "aabcd":  # the host's cap, the cap of all, a pause
                    nursery.start_soon(hold, clients, net, host, 0, sent_away)
                await trio.sleep(1)
                assert sent_away == []
                net.permits.drain.begin()
                await trio.testing.wait_all_tasks_blocked()
                assert sent_away == [None] * 5
                assert clients.now.total() == 2
                net.permits.drain.begin()
                with trio.fail_after(0.1):
                    await hold(clients, net, "e", 0, sent_away)
                assert sent_away[5:] == [None]
            assert None not in held
            assert clients.now.total() == 0
        assert len(clients.created) == 2

    run(main)


@pytest.mark.parametrize("seed", range(5))
def test_cancelled_at_any_point_nothing_is_lost(seed: int) -> None:
    async def main() -> None:
        clients = Clients()
        rng = random.Random(seed)

        async def impatient(net: Downloader, host: str) -> None:
            with trio.move_on_after(rng.random() * 2):
                async with net.permits.request("http://z/x") as permit:
                    if permit and rng.random() < 0.2:
                        permit.failure = Failure(Reason.RATE_LIMITED, retry_after_s=rng.random())
                await hold(clients, net, host, rng.random())

        async with open_downloader(
            NetworkSettings(max_host_connections=2, max_total_connections=3), clients.client
        ) as net:
            async with trio.open_nursery() as nursery:
                for _ in range(200):
                    nursery.start_soon(impatient, net, rng.choice("abc"))
                    await trio.sleep(0.05 * rng.random())
            assert clients.now.total() == 0
            assert len(clients.created) <= 3
            await trio.sleep(10)
            await hold(clients, net, "z", 0)
            for host in "abc":  # as many can be had as ever, no more and no less
                async with trio.open_nursery() as nursery:
                    for _ in range(3):
                        nursery.start_soon(hold, clients, net, host, 100)
                    await trio.sleep(1)
                    assert clients.now == Counter({host: 2})
                    nursery.cancel_scope.cancel()
            async with trio.open_nursery() as nursery:
                for host in "aabbcc":
                    nursery.start_soon(hold, clients, net, host, 100)
                await trio.sleep(1)
                assert clients.now.total() == 3
                nursery.cancel_scope.cancel()

    run(main)


def test_an_earlier_run_s_pause_and_rate_are_kept() -> None:
    async def main() -> None:
        earlier = {"flickr": PaceState("flickr", 3, 20.0, 15.0, learned_rate=40.0)}
        async with open_downloader(NetworkSettings(), Clients().client, {"*.flickr.test": "flickr"}, earlier) as net:
            backoff = net.permits.backoff("http://c1.flickr.test/x")
            assert backoff is not None
            assert backoff.wait_s == pytest.approx(15)
            ((state,),) = (net.permits.paces(),)
            assert state.learned_rate == 40
            assert state.rate == 40

    run(main)


def test_hosts_that_are_idle_and_well_are_forgotten_and_others_are_not() -> None:
    counted: list[int] = []

    async def main() -> None:
        clients = Clients()
        async with open_downloader(NetworkSettings(), clients.client, on_throttled=lambda: counted.append(1)) as net:
            await objected(net, "closed", 3600)
            for number in range(1000):
                await hold(clients, net, f"h{number}", 0)
            names = {state.provider for state in net.permits.paces()}
            assert len(names) <= 300
            assert "closed" in names
            assert len(counted) == 5

    run(main)


def test_people_are_told_of_a_pause_once() -> None:
    async def main() -> None:
        said: list[str] = []
        async with open_downloader(NetworkSettings(), Clients().client, say=said.append) as net:
            await objected(net, "a", 60)
        assert said == ["a is paused for 60 s: too many requests, with Retry-After"]

    run(main)
