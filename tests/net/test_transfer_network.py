"""Connections that break, stall, time out or fail their TLS handshake: each has its own reason.

Only what needs a socket (a reset, a refused port, an unknown name) runs on loopback.
"""

import socket
import ssl
from typing import Any

import pytest
import trio
import trio.testing
from downloads import open_downloader
from transfers import BODY, PATH, TLS, TRANSFERS, URL, Transfer, authority, loopback, one

from oidl.demo.site import CannedResponse, ServerFault, Site
from oidl.model import Failure, Fetched, Reason, Source
from oidl.net.client import new_client
from oidl.settings import NetworkSettings


def test_a_body_cut_short_of_its_length_is_a_broken_connection() -> None:
    outcome = one(CannedResponse(BODY, behaviour=ServerFault.CUT))
    assert outcome.result.reason is Reason.CONNECTION
    assert sum(outcome.arrived) == len(BODY) // 2


def test_what_is_not_http_is_a_broken_connection() -> None:
    assert one(CannedResponse(BODY, behaviour=ServerFault.GARBAGE)).result.reason is Reason.CONNECTION


def test_a_reset_is_a_broken_connection() -> None:
    async def main() -> None:
        async with loopback(CannedResponse(BODY, behaviour=ServerFault.RESET)) as (get, base_url):
            failure = await get(base_url + PATH)
        assert isinstance(failure, Failure)
        assert (failure.reason, failure.url) == (Reason.CONNECTION, base_url + PATH)

    trio.run(main)


def test_a_refused_port_is_a_broken_connection() -> None:
    async def main() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))  # and nobody listens
            url = f"http://127.0.0.1:{free.getsockname()[1]}{PATH}"
            async with loopback(CannedResponse()) as (get, _):
                failure = await get(url)
        assert isinstance(failure, Failure)
        assert failure.reason is Reason.CONNECTION

    trio.run(main)


def test_a_name_that_is_not_known_is_a_matter_of_dns() -> None:
    class Resolver(trio.abc.HostnameResolver):
        async def getaddrinfo(self, host: object, *_: object) -> Any:
            await trio.lowlevel.checkpoint()
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        async def getnameinfo(self, *_: object) -> Any:
            raise AssertionError

    async def main() -> None:
        trio.socket.set_custom_hostname_resolver(Resolver())
        async with open_downloader(TRANSFERS, lambda: new_client(TRANSFERS, TLS)) as downloader:
            failure = await Transfer(downloader, Site(), None)("http://photos.invalid/1.jpg")
        assert isinstance(failure, Failure)
        assert (failure.reason, failure.url) == (Reason.DNS, "http://photos.invalid/1.jpg")

    trio.run(main)


def test_no_connection_in_time_is_a_timeout() -> None:
    outcome = one(CannedResponse(BODY), network={"is_black_hole": True})
    assert (outcome.result.reason, outcome.result.detail) == (Reason.TIMEOUT, "no connection in time")
    assert outcome.took_s == pytest.approx(TRANSFERS.connect_timeout_s)


def test_a_server_that_never_answers_is_a_timeout() -> None:
    outcome = one(CannedResponse(BODY), network={"is_silent": True})
    assert (outcome.result.reason, outcome.result.detail) == (Reason.TIMEOUT, "no byte in time")
    assert outcome.took_s == pytest.approx(TRANSFERS.stall_timeout_s)


def test_a_stall_in_the_middle_is_a_timeout() -> None:
    outcome = one(CannedResponse(BODY, behaviour=ServerFault.STALL))
    assert (outcome.result.reason, outcome.result.detail) == (Reason.TIMEOUT, "no byte in time")
    assert outcome.took_s == pytest.approx(TRANSFERS.stall_timeout_s)
    assert sum(outcome.arrived) == len(BODY) // 2


def test_a_body_that_drips_has_the_timeouts_and_its_size_at_the_least_speed() -> None:
    transfers = NetworkSettings(connect_timeout_s=2, stall_timeout_s=3, min_bytes_per_s=1024)
    outcome = one(CannedResponse(BODY, behaviour=ServerFault.DRIP), transfers=transfers)
    assert outcome.result.reason is Reason.TOO_SLOW
    assert outcome.took_s == pytest.approx(2 + 3 + 10)
    assert outcome.site.connections.open == 0


def test_each_redirect_has_a_deadline_of_its_own() -> None:
    slow_page = CannedResponse(b"x" * 30, 302, "text/html", {"Location": PATH}, ServerFault.SLOW, bytes_per_s=1)
    site = Site({"/from": slow_page, PATH: CannedResponse(BODY, behaviour=ServerFault.SLOW, bytes_per_s=300)})
    assert one(site, url="http://photos/from").result == Fetched(Source.ORIGINAL, URL, BODY)


def test_tls_is_verified_against_whom_we_trust_and_the_name_that_was_asked() -> None:
    ca, server = authority()
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    https = URL.replace("http:", "https:")
    good = one(CannedResponse(BODY), url=https, verify=trusting, network={"tls": server("photos")})
    assert good.result == Fetched(Source.ORIGINAL, https, BODY)
    unknown = one(CannedResponse(BODY), url=https, network={"tls": server("photos")})
    assert (unknown.result.reason, unknown.result.url) == (Reason.TLS, https)
    other = one(CannedResponse(BODY), url=https, verify=trusting, network={"tls": server("elsewhere")})
    assert other.result.reason is Reason.TLS
    assert unknown.site.log == other.site.log == []


def test_a_server_that_speaks_no_tls_is_a_matter_of_tls() -> None:
    outcome = one(CannedResponse(BODY), url=URL.replace("http:", "https:"))
    assert outcome.result.reason is Reason.TLS


def test_a_handshake_that_nobody_answers_is_a_timeout() -> None:
    outcome = one(CannedResponse(BODY), url=URL.replace("http:", "https:"), network={"is_silent": True})
    assert (outcome.result.reason, outcome.result.detail) == (Reason.TIMEOUT, "no TLS handshake in time")
    assert outcome.took_s == pytest.approx(TRANSFERS.tls_timeout_s)


def test_the_handshakes_time_is_part_of_that_to_connect() -> None:
    transfers = NetworkSettings(connect_timeout_s=6, tls_timeout_s=5)
    https = URL.replace("http:", "https:")
    outcome = one(CannedResponse(BODY), url=https, transfers=transfers, network={"is_silent": True, "connects_in_s": 4})
    assert (outcome.result.reason, outcome.result.detail) == (Reason.TIMEOUT, "no TLS handshake in time")
    assert outcome.took_s == pytest.approx(6)


def test_once_the_handshake_is_made_its_limit_is_over() -> None:
    ca, server = authority()
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    https = URL.replace("http:", "https:")
    late = {"tls": server("photos"), "answers_in_s": 20}
    outcome = one(CannedResponse(BODY), url=https, verify=trusting, network=late)
    assert outcome.result == Fetched(Source.ORIGINAL, https, BODY)
    assert outcome.took_s == pytest.approx(20)
