"""One image over the network: every way it can go wrong has its own reason, and never an exception.

The demo's server answers over streams in memory, below the real HTTP client,
so stalls, drips and pauses take no time. Only what needs a socket (a reset, a
refused port, an unknown name) runs on loopback.
"""

import gc
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpcore
import pytest
import trio
import trio.testing
import trustme
from downloads import open_downloader
from httpcore._backends.trio import TrioStream

from oidl.demo.server import handle, serve
from oidl.demo.site import CannedResponse, ServerFault, Site, redirect, status_answer
from oidl.model import Failure, Fetched, Reason, Source
from oidl.net.answer import Download
from oidl.net.body import Body
from oidl.net.client import Client, new_client, tls_context
from oidl.net.transfer import Downloader
from oidl.net.wire import Network as Wires
from oidl.settings import NetworkSettings

BODY = bytes(range(256)) * 40
PAGE = b"<html>" + b" " * 1000
PATH = "/1/2_o.jpg"
URL = f"http://photos{PATH}"
UNAVAILABLE = "https://s.yimg.com/pw/images/en-us/photo_unavailable.png"
TRANSFERS = NetworkSettings()
TLS = tls_context()


class _Stream(TrioStream):
    """Has no socket to be asked about."""

    def get_extra_info(self, info: str) -> Any:
        return None

    async def start_tls(self, *args: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        secured = await super().start_tls(*args, **named)
        assert isinstance(secured, TrioStream)
        return _Stream(secured._stream)


@dataclass
class Network(httpcore.AsyncNetworkBackend):
    """Any host at all, served by one `site`; it may take in no connection, or take it in and say nothing."""

    nursery: trio.Nursery
    site: Site
    tls: ssl.SSLContext | None = None
    is_black_hole: bool = False
    is_silent: bool = False
    connects_in_s: float = 0.0
    answers_in_s: float = 0.0
    connected_to: list[str] = field(default_factory=list)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: object = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connected_to.append(host)
        if self.is_black_hole:
            assert timeout is not None
            await trio.sleep(timeout)
            raise httpcore.ConnectTimeout
        await trio.sleep(self.connects_in_s)
        client, server = trio.testing.memory_stream_pair()
        stream: trio.abc.Stream = server
        if self.tls is not None:
            stream = trio.SSLStream(server, self.tls, server_side=True, https_compatible=True)
        if not self.is_silent:
            self.nursery.start_soon(self._answer, stream)
        return _Stream(client)

    async def _answer(self, stream: trio.abc.Stream) -> None:
        if self.answers_in_s and isinstance(stream, trio.SSLStream):
            await stream.do_handshake()
            await trio.sleep(self.answers_in_s)
        await handle(stream, self.site)


@dataclass
class Transfer:
    """What a test fetches with, and what it looks at afterwards."""

    downloader: Downloader
    site: Site
    network: Network | None
    arrived: list[int] = field(default_factory=list)
    requested: list[tuple[str, int]] = field(default_factory=list)
    body: Body | None = None

    async def __call__(
        self,
        url: str = URL,
        size_bytes: int | None = len(BODY),
        cap_bytes: int = len(BODY),
        source: Source = Source.ORIGINAL,
    ) -> Fetched | Failure | None:
        download = Download(url, source, size_bytes, cap_bytes)
        return await replace(self.downloader, on_bytes=self._arrived).fetch(download, self._requested)

    def _requested(self, url: str, body: Body) -> None:
        self.requested.append((url, body.size))
        self.body = body

    async def _arrived(self, count: int) -> None:
        self.arrived.append(count)


@asynccontextmanager
async def transfer(
    answer: CannedResponse | Site, transfers: NetworkSettings = TRANSFERS, verify: ssl.SSLContext = TLS, **network: Any
) -> AsyncIterator[Transfer]:
    """Transfers from a host that answers `PATH` so, in memory."""
    site = answer if isinstance(answer, Site) else Site({PATH: answer})
    async with trio.open_nursery() as nursery:
        backend = Network(nursery, site, **network)

        def client() -> Client:
            return new_client(transfers, verify, network=Wires(backend))

        async with open_downloader(transfers, client) as downloader:
            yield Transfer(downloader, site, backend)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def loopback(answer: CannedResponse) -> AsyncIterator[tuple[Transfer, str]]:
    """Transfers from a real server; comes with its base URL."""
    site = Site({PATH: answer})
    async with trio.open_nursery() as nursery:
        base_url = await nursery.start(serve, site)
        async with open_downloader(TRANSFERS, lambda: new_client(TRANSFERS, TLS)) as downloader:
            yield Transfer(downloader, site, None), base_url
        nursery.cancel_scope.cancel()


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Runs `main` on a clock that does not wait."""
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@dataclass
class Outcome:
    """What one transfer came to, after how many seconds, with which pieces of the body."""

    result: Any
    took_s: float
    arrived: list[int]
    site: Site


def one(
    answer: CannedResponse | Site,
    *,
    transfers: NetworkSettings = TRANSFERS,
    network: dict[str, Any] | None = None,
    verify: ssl.SSLContext = TLS,
    **asked: Any,
) -> Outcome:
    """One transfer from a host that answers so."""

    async def main() -> Outcome:
        async with transfer(answer, transfers, verify, **(network or {})) as get:
            began = trio.current_time()
            result = await get(**asked)
            return Outcome(result, trio.current_time() - began, get.arrived, get.site)

    return run(main)


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_half_run() -> Iterator[None]:
    """An async generator that nobody exhausted or closed complains when it is collected; any complaint is an error."""
    yield
    gc.collect()


# ---- what comes whole


@pytest.mark.parametrize("behaviour", [ServerFault.NORMAL, ServerFault.CHUNKED, ServerFault.NO_LENGTH])
def test_a_whole_body_is_fetched_with_or_without_a_length(behaviour: ServerFault) -> None:
    outcome = one(CannedResponse(BODY, behaviour=behaviour))
    assert outcome.result == Fetched(Source.ORIGINAL, URL, BODY)
    assert sum(outcome.arrived) == len(BODY)


def test_a_body_of_another_length_than_published_is_passed_on_where_the_length_came_too_late() -> None:
    outcome = one(CannedResponse(BODY[:100], behaviour=ServerFault.CHUNKED))
    assert outcome.result == Fetched(Source.ORIGINAL, URL, BODY[:100])


def test_a_thumbnail_has_no_published_size() -> None:
    outcome = one(CannedResponse(BODY), size_bytes=None, cap_bytes=len(BODY), source=Source.THUMBNAIL_300K)
    assert outcome.result == Fetched(Source.THUMBNAIL_300K, URL, BODY)


def test_a_slow_body_that_keeps_to_the_least_speed_is_waited_for() -> None:
    outcome = one(CannedResponse(BODY, behaviour=ServerFault.SLOW, bytes_per_s=1000))
    assert outcome.result == Fetched(Source.ORIGINAL, URL, BODY)
    assert outcome.took_s == pytest.approx(10.24, abs=0.1)
    assert isinstance(outcome.result, Fetched)
    assert outcome.result.transfer_s == pytest.approx(outcome.took_s)


# ---- what the status line and the headers say


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (status_answer(404), Failure(Reason.NOT_FOUND, "HTTP 404", 404)),
        (status_answer(410), Failure(Reason.GONE, "HTTP 410", 410)),
        (status_answer(403), Failure(Reason.FORBIDDEN, "HTTP 403", 403)),
        (status_answer(429), Failure(Reason.RATE_LIMITED, "HTTP 429", 429)),
        (status_answer(429, retry_after="7"), Failure(Reason.RATE_LIMITED, "HTTP 429", 429, 7.0)),
        (status_answer(503, retry_after="7"), Failure(Reason.RATE_LIMITED, "HTTP 503", 503, 7.0)),
        (status_answer(503), Failure(Reason.HTTP_ERROR, "HTTP 503", 503)),
        (status_answer(500), Failure(Reason.HTTP_ERROR, "HTTP 500", 500)),
        (status_answer(500, retry_after="7"), Failure(Reason.HTTP_ERROR, "HTTP 500", 500, 7.0)),
        (status_answer(400), Failure(Reason.HTTP_ERROR, "HTTP 400", 400)),
        (status_answer(204), Failure(Reason.HTTP_ERROR, "HTTP 204", 204)),
    ],
    ids=lambda value: value.detail if isinstance(value, Failure) else "",
)
def test_a_status_names_its_reason_and_the_failure_its_url(answer: CannedResponse, expected: Failure) -> None:
    outcome = one(answer)
    assert outcome.result == Failure(
        expected.reason,
        expected.detail,
        expected.http_status,
        expected.retry_after_s,
        source=Source.ORIGINAL,
        url=URL,
    )
    assert outcome.arrived == []


def test_a_retry_after_may_be_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    failure = one(status_answer(503, retry_after=in_a_minute)).result
    assert failure.reason is Reason.RATE_LIMITED
    assert failure.retry_after_s == pytest.approx(60, abs=10)


@pytest.mark.parametrize("location", [UNAVAILABLE, "/photo_unavailable.png", "http://photos/a/photo_unavailable_l.gif"])
def test_a_redirect_to_the_placeholder_is_unavailable_and_not_followed(location: str) -> None:
    outcome = one(redirect(location))
    assert outcome.result.reason is Reason.UNAVAILABLE
    assert (outcome.result.http_status, outcome.result.url) == (302, URL)
    assert location in outcome.result.detail
    assert len(outcome.site.log) == 1


@pytest.mark.parametrize("length", [len(BODY) - 1, len(BODY) + 1, 10 * len(BODY), 0])
def test_a_length_that_is_not_the_published_one_is_refused_before_the_body(length: int) -> None:
    outcome = one(CannedResponse((BODY * 10)[:length]))
    assert outcome.result.reason is Reason.SIZE_MISMATCH
    assert outcome.result.detail == f"{length} bytes, published {len(BODY)}"
    assert outcome.arrived == []


def test_a_large_file_of_another_length_is_not_read_at_all() -> None:
    sent: list[str] = []

    def body() -> bytes:
        sent.append("all")
        return BODY * 1000

    outcome = one(CannedResponse(body(), behaviour=ServerFault.SLOW, bytes_per_s=1000))
    assert outcome.result.reason is Reason.SIZE_MISMATCH
    assert outcome.took_s < 1


def test_a_thumbnail_longer_than_the_cap_is_refused_by_its_length() -> None:
    outcome = one(CannedResponse(BODY), size_bytes=None, cap_bytes=len(BODY) - 1)
    assert outcome.result.reason is Reason.TOO_LARGE
    assert outcome.arrived == []


@pytest.mark.parametrize("behaviour", [ServerFault.CHUNKED, ServerFault.NO_LENGTH])
def test_a_body_that_streams_past_the_cap_is_too_large(behaviour: ServerFault) -> None:
    assert one(CannedResponse(BODY + b"x", behaviour=behaviour)).result.reason is Reason.TOO_LARGE


def test_an_endless_body_is_left_soon_after_the_cap() -> None:
    outcome = one(CannedResponse(BODY[:1000], behaviour=ServerFault.ENDLESS))
    assert outcome.result.reason is Reason.TOO_LARGE
    assert len(BODY) < sum(outcome.arrived) < 20 * len(BODY)
    assert outcome.site.connections.open == 0


@pytest.mark.parametrize(
    "content_type", ["text/html", "text/html; charset=utf-8", "TEXT/plain", "application/xml", "application/json"]
)
def test_a_page_is_no_image_whatever_its_length(content_type: str) -> None:
    for body in (PAGE, PAGE[:-1]):
        outcome = one(CannedResponse(body, content_type=content_type), size_bytes=len(PAGE), cap_bytes=len(PAGE))
        assert outcome.result.reason is Reason.NOT_AN_IMAGE
        assert outcome.result.http_status == 200


@pytest.mark.parametrize("behaviour", [ServerFault.NORMAL, ServerFault.CHUNKED, ServerFault.NO_LENGTH])
def test_bytes_that_are_said_to_be_text_and_may_be_the_published_ones_are_judged_by_themselves(
    behaviour: ServerFault,
) -> None:
    fetched = one(CannedResponse(BODY, content_type="text/plain", behaviour=behaviour)).result
    assert fetched.body == BODY
    assert fetched.doubt.reason is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("behaviour", [ServerFault.CHUNKED, ServerFault.NO_LENGTH, ServerFault.ENDLESS])
def test_of_a_page_whose_length_is_unknown_only_the_start_is_read(behaviour: ServerFault) -> None:
    page = CannedResponse(b"\n<!DOCTYPE html>" + BODY, content_type="text/html", behaviour=behaviour)
    outcome = one(page, size_bytes=20 * len(BODY), cap_bytes=20 * len(BODY))
    assert outcome.result.detail == "content type text/html"
    assert sum(outcome.arrived) < 2 * len(BODY)


def test_the_published_bytes_under_an_error_status_are_read() -> None:
    answer = replace(status_answer(503, retry_after="7"), body=BODY, content_type="image/jpeg")
    fetched = one(answer).result
    assert fetched.body == BODY
    assert (fetched.doubt.reason, fetched.doubt.retry_after_s) == (Reason.RATE_LIMITED, 7.0)


def test_a_png_for_a_jpeg_is_a_placeholder_unless_it_has_the_published_length() -> None:
    assert one(CannedResponse(BODY[:-1], content_type="image/png")).result.reason is Reason.NOT_AN_IMAGE
    assert one(CannedResponse(BODY, content_type="image/png")).result.body == BODY
    thumbnail = one(CannedResponse(BODY, content_type="image/png"), size_bytes=None, source=Source.THUMBNAIL_300K)
    assert thumbnail.result.reason is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/pjpeg", "application/octet-stream", ""])
def test_other_content_types_are_left_to_the_first_bytes_to_judge(content_type: str) -> None:
    assert one(CannedResponse(BODY, content_type=content_type)).result == Fetched(Source.ORIGINAL, URL, BODY)


# ---- what the network does


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


# ---- what breaks off and is gone on with


def breaking(behaviour: ServerFault = ServerFault.CUT, **named: Any) -> CannedResponse:
    """Half of what was asked for, with the offer to ask for the rest."""
    return CannedResponse(BODY, behaviour=behaviour, resumable=True, **named)


@pytest.mark.parametrize("behaviour", [ServerFault.CUT, ServerFault.RESET, ServerFault.STALL])
def test_a_body_that_breaks_off_is_gone_on_with_where_it_broke(behaviour: ServerFault) -> None:
    outcome = one(CannedResponse(BODY, first=(breaking(behaviour), breaking())))
    assert outcome.result == Fetched(Source.ORIGINAL, URL, BODY)
    assert [status for _, status in outcome.site.log] == [200, 206, 206]
    assert sum(outcome.arrived) == len(BODY)


def test_every_request_is_told_of_with_the_body_that_grows() -> None:
    async def main() -> None:
        site = Site({PATH: redirect("http://elsewhere/x.jpg"), "/x.jpg": CannedResponse(BODY, first=(breaking(),))})
        async with transfer(site) as get:
            fetched = await get()
            assert get.body is not None
            assert (get.body.size, get.body.total) == (len(BODY), len(BODY))
            [first, second, third] = get.requested
            assert (first, second) == ((URL, 0), ("http://elsewhere/x.jpg", 0))
            assert third == ("http://elsewhere/x.jpg", len(BODY) // 2)
            assert isinstance(fetched, Fetched)

    run(main)


def test_it_is_gone_on_with_three_times_and_the_failure_is_the_last_ones() -> None:
    outcome = one(breaking())
    assert outcome.result.reason is Reason.CONNECTION
    assert [status for _, status in outcome.site.log] == [200, 206, 206, 206]


def test_all_that_is_asked_for_together_has_the_deadline_of_one() -> None:
    transfers = NetworkSettings(connect_timeout_s=2, stall_timeout_s=3, min_bytes_per_s=10_240)
    outcome = one(breaking(ServerFault.STALL), transfers=transfers)
    assert outcome.result.reason is Reason.TOO_SLOW
    assert outcome.result.detail == "not complete after 6 s"
    assert outcome.took_s == pytest.approx(6)
    assert len(outcome.site.log) == 2


def test_time_lost_on_an_answer_that_is_no_use_counts_too() -> None:
    transfers = NetworkSettings(connect_timeout_s=2, stall_timeout_s=3, min_bytes_per_s=10_240)
    page = CannedResponse(b"<h1>no such range</h1>", 416, "text/html", behaviour=ServerFault.DRIP)
    outcome = one(CannedResponse(BODY, behaviour=ServerFault.DRIP, first=(breaking(), page)), transfers=transfers)
    assert outcome.result.reason is Reason.TOO_SLOW
    assert outcome.took_s == pytest.approx(6)
    assert len(outcome.site.log) == 3


@pytest.mark.parametrize(
    "second",
    [
        CannedResponse(BODY, behaviour=ServerFault.CHUNKED),
        status_answer(416),
        CannedResponse(BODY, 206),
        CannedResponse(BODY[5000:], 206, headers={"Content-Range": f"bytes 5000-{len(BODY) - 1}/{len(BODY)}"}),
        CannedResponse(bytes(5120), 206, headers={"Content-Range": f"bytes 5120-{len(BODY) - 1}/{len(BODY) + 1}"}),
        CannedResponse(
            bytes(5120),
            206,
            headers={"Content-Range": f"bytes 5120-{len(BODY) - 1}/{len(BODY)}", "ETag": '"another"'},
        ),
    ],
    ids=["all of it", "nothing left", "no range told", "another range", "another length", "another file"],
)
def test_an_answer_that_does_not_go_on_there_starts_it_anew(second: CannedResponse) -> None:
    outcome = one(CannedResponse(BODY, first=(breaking(), second)))
    assert outcome.result == Fetched(Source.ORIGINAL, URL, BODY)


def test_a_rest_of_unknown_length_in_pieces_is_put_together() -> None:
    def rest(start: int, stop: int, total: object) -> CannedResponse:
        return CannedResponse(BODY[start:stop], 206, headers={"Content-Range": f"bytes {start}-{stop - 1}/{total}"})

    site = Site({PATH: CannedResponse(first=(breaking(), rest(5120, 8000, "*"), rest(8000, len(BODY), len(BODY))))})
    assert one(site).result == Fetched(Source.ORIGINAL, URL, BODY)
    assert len(site.log) == 3


@pytest.mark.parametrize(
    "broken",
    [CannedResponse(BODY, behaviour=ServerFault.CUT), breaking(headers={"ETag": 'W/"weak"'})],
    ids=["none", "weak"],
)
def test_without_a_strong_validator_nothing_is_gone_on_with(broken: CannedResponse) -> None:
    outcome = one(CannedResponse(BODY, first=(broken,)))
    assert outcome.result.reason is Reason.CONNECTION
    assert len(outcome.site.log) == 1


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (status_answer(429), Reason.RATE_LIMITED),
        (status_answer(404), Reason.NOT_FOUND),
        (status_answer(500), Reason.HTTP_ERROR),
        (redirect(UNAVAILABLE), Reason.UNAVAILABLE),
        (CannedResponse(BODY[:-1]), Reason.SIZE_MISMATCH),
        (CannedResponse(b"", behaviour=ServerFault.GARBAGE), Reason.CONNECTION),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_what_is_said_when_the_rest_is_asked_for_counts(second: CannedResponse, reason: Reason) -> None:
    outcome = one(CannedResponse(BODY, first=(breaking(), second)))
    assert (outcome.result.reason, outcome.result.url) == (reason, URL)
    assert len(outcome.site.log) == 2


def test_a_redirect_when_the_rest_is_asked_for_is_followed_to_a_whole_body() -> None:
    site = Site(
        {PATH: CannedResponse(first=(breaking(), redirect("http://photos/new.jpg"))), "/new.jpg": CannedResponse(BODY)}
    )
    assert one(site).result == Fetched(Source.ORIGINAL, "http://photos/new.jpg", BODY)
    assert [status for _, status in site.log] == [200, 302, 200]


def test_a_rest_that_streams_past_the_cap_is_too_large() -> None:
    headers = {"Content-Range": f"bytes 5120-{len(BODY) - 1}/{len(BODY)}"}
    longer = CannedResponse(BODY, 206, headers=headers, behaviour=ServerFault.CHUNKED)
    assert one(CannedResponse(BODY, first=(breaking(), longer))).result.reason is Reason.TOO_LARGE


def test_a_drain_asks_for_no_rest_and_tells_what_broke() -> None:
    async def main() -> None:
        async with transfer(breaking(ServerFault.STALL)) as get, trio.open_nursery() as nursery:
            results: list[Any] = []

            async def fetch_one() -> None:
                results.append(await get())

            nursery.start_soon(fetch_one)
            await trio.sleep(1)
            get.downloader.permits.drain()
            await trio.sleep(60)
            assert [result.reason for result in results] == [Reason.TIMEOUT]
            assert len(get.site.log) == 1

    run(main)


def authority() -> tuple[trustme.CA, Callable[[str], ssl.SSLContext]]:
    """Somebody to trust, and server contexts with certificates by them."""
    ca = trustme.CA()

    def server(name: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert(name).configure_cert(context)
        return context

    return ca, server


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


# ---- redirects


def chain(length: int, status: int = 302) -> Site:
    """`/0` leads by `length` redirects to the photo, from host to host."""
    steps = {f"/{number}": redirect(f"http://host{number}/{number + 1}", status) for number in range(length - 1)}
    return Site({**steps, f"/{length - 1}": redirect(URL, status), PATH: CannedResponse(BODY)})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_three_redirects_are_followed(status: int) -> None:
    outcome = one(chain(3, status), url="http://photos/0")
    assert outcome.result == Fetched(Source.ORIGINAL, URL, BODY)
    assert [path for path, _ in outcome.site.log] == ["/0", "/1", "/2", PATH]


def test_the_fourth_redirect_is_not() -> None:
    outcome = one(chain(4), url="http://photos/0")
    assert (outcome.result.reason, outcome.result.http_status) == (Reason.HTTP_ERROR, None)
    assert "3 redirects" in outcome.result.detail
    assert [path for path, _ in outcome.site.log] == ["/0", "/1", "/2", "/3"]


def test_a_redirect_in_a_circle_ends() -> None:
    outcome = one(redirect(PATH))
    assert outcome.result.reason is Reason.HTTP_ERROR
    assert len(outcome.site.log) == 4


@pytest.mark.parametrize("location", ["/3/4_o.jpg", "../3/4_o.jpg", "//photos/3/4_o.jpg", "4_o.jpg"])
def test_a_location_may_be_relative(location: str) -> None:
    found = CannedResponse(BODY)
    site = Site({PATH: redirect(location), "/3/4_o.jpg": found, "/1/4_o.jpg": found})
    assert isinstance(one(site).result, Fetched)


def test_after_a_redirect_the_failure_names_where_it_failed() -> None:
    site = Site({PATH: redirect("http://elsewhere/gone.jpg"), "/gone.jpg": status_answer(410)})
    outcome = one(site)
    assert (outcome.result.reason, outcome.result.url) == (Reason.GONE, "http://elsewhere/gone.jpg")


@pytest.mark.parametrize(
    "location",
    [
        "ftp://photos/1.jpg",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://[",
        "http://a..b/1.jpg",
        "http://xn--/1.jpg",
        "http://photos:99999x/1.jpg",
        f"http://photos:{'1' * 19}/1.jpg",
        "",
    ],
)
def test_a_redirect_that_nobody_can_follow_is_an_http_error(location: str) -> None:
    async def main() -> None:
        async with loopback(redirect(location)) as (get, base_url):
            failure = await get(base_url + PATH)
            assert isinstance(failure, Failure)
            assert failure.reason is Reason.HTTP_ERROR
            assert len(get.site.log) == (1 if location else 4)

    trio.run(main)


def test_a_redirect_to_nowhere_is_an_http_error() -> None:
    outcome = one(status_answer(302))
    assert (outcome.result.reason, outcome.result.http_status) == (Reason.HTTP_ERROR, 302)
    assert one(status_answer(304)).result.http_status == 304


def test_a_redirect_from_https_to_http_is_refused() -> None:
    ca, server = authority()
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    site = Site({"/from": redirect(URL), PATH: CannedResponse(BODY)})
    outcome = one(site, url="https://photos/from", verify=trusting, network={"tls": server("photos")})
    assert (outcome.result.reason, outcome.result.http_status) == (Reason.HTTP_ERROR, 302)
    assert [path for path, _ in site.log] == ["/from"]


@pytest.mark.parametrize(
    "url",
    [
        "http://a..b/1.jpg",
        "http://xn--/1.jpg",
        "http://",
        "http://a:0/1.jpg",
        "http://a:65536/",
        f"http://a:{'1' * 19}/",
    ],
)
def test_a_url_that_nobody_can_ask_for_is_a_failure_and_for_good(url: str) -> None:
    async def main() -> Any:
        async with open_downloader(TRANSFERS, lambda: new_client(TRANSFERS, TLS)) as downloader:
            return await Transfer(downloader, Site(), None)(url)

    failure = trio.run(main)
    assert (failure.reason, failure.http_status, failure.url) == (Reason.HTTP_ERROR, None, url)


# ---- connections and pauses


@pytest.mark.parametrize(
    "refusal",
    [
        status_answer(404),
        redirect(UNAVAILABLE),
        CannedResponse(BODY[:-2], content_type="text/html"),
        CannedResponse(BODY[:-1]),
    ],
    ids=["error", "redirect", "page", "other length"],
)
def test_after_a_refusal_its_connection_is_used_again(refusal: CannedResponse) -> None:
    async def main() -> None:
        site = Site({"/refused.jpg": refusal, PATH: CannedResponse(BODY)})
        async with transfer(site) as get:
            for _ in range(5):
                assert isinstance(await get("http://photos/refused.jpg"), Failure)
                assert isinstance(await get(), Fetched)
        assert site.connections.opened == 1

    run(main)


@pytest.mark.parametrize("behaviour", [ServerFault.CUT, ServerFault.STALL, ServerFault.DRIP])
def test_a_status_is_believed_though_its_page_never_ends(behaviour: ServerFault) -> None:
    outcome = one(CannedResponse(b"<h1>gone</h1>", 410, "text/html", behaviour=behaviour))
    assert (outcome.result.reason, outcome.result.http_status) == (Reason.GONE, 410)


def test_a_connection_that_broke_is_replaced() -> None:
    async def main() -> None:
        broken = CannedResponse(BODY, behaviour=ServerFault.CUT)
        async with transfer(CannedResponse(BODY, first=(broken, broken))) as get:
            results = [type(await get()) for _ in range(4)]
            assert results == [Failure, Failure, Fetched, Fetched]
            assert get.site.connections.opened == 3

    run(main)


CLOSED = 5  # throttled answers in a row, after which a host is paused


def test_a_retry_after_is_believed_up_to_a_bound() -> None:
    failure = one(status_answer(503, retry_after="99999999")).result
    assert isinstance(failure, Failure)
    assert failure.retry_after_s == 3600


def test_a_retry_after_keeps_the_next_request_to_that_host_waiting_and_no_other() -> None:
    async def main() -> None:
        busy = status_answer(429, retry_after="2")
        async with transfer(CannedResponse(BODY, first=(busy,) * CLOSED)) as get:
            began = trio.current_time()
            for _ in range(CLOSED):
                assert isinstance(await get(), Failure)
            assert isinstance(await get(URL.replace("photos", "elsewhere")), Fetched)
            assert trio.current_time() == began
            assert isinstance(await get(), Fetched)
            assert trio.current_time() == pytest.approx(began + 2)

    run(main)


def test_a_429_that_does_not_say_for_how_long_pauses_its_host_too() -> None:
    async def main() -> None:
        async with transfer(CannedResponse(BODY, first=(status_answer(429),) * CLOSED)) as get:
            began = trio.current_time()
            for _ in range(CLOSED):
                assert isinstance(await get(), Failure)
            assert isinstance(await get(), Fetched)
            assert 0.7 < trio.current_time() - began < 30

    run(main)


def test_a_pause_beyond_all_patience_sends_the_image_back_unasked() -> None:
    async def main() -> None:
        busy = status_answer(503, retry_after="3600")
        async with transfer(CannedResponse(BODY, first=(busy,) * CLOSED)) as get:
            began = trio.current_time()
            for _ in range(CLOSED):
                await get()
            failure = await get()
            assert trio.current_time() == began
            assert isinstance(failure, Failure)
            assert (failure.reason, failure.http_status, failure.url) == (Reason.RATE_LIMITED, None, URL)
            assert failure.retry_after_s == pytest.approx(3600)
            assert len(get.site.log) == CLOSED
            await trio.sleep(3600)
            assert isinstance(await get(), Fetched)

    run(main)


def test_a_failure_without_a_retry_after_leaves_its_host_alone_no_longer_than_asked() -> None:
    async def main() -> None:
        async with transfer(
            CannedResponse(BODY, first=(status_answer(500, retry_after="20"), status_answer(404)))
        ) as get:
            began = trio.current_time()
            assert [type(await get()) for _ in range(3)] == [Failure, Failure, Fetched]
            assert trio.current_time() == began

    run(main)


def test_none_comes_of_what_a_drain_forestalls_and_a_transfer_at_work_is_finished() -> None:
    async def main() -> None:
        results: list[Any] = []

        async def fetch_one(get: Transfer) -> None:
            results.append(await get())

        slow = CannedResponse(BODY, behaviour=ServerFault.SLOW, bytes_per_s=1000)
        async with transfer(slow, NetworkSettings(max_host_connections=1)) as get, trio.open_nursery() as nursery:
            nursery.start_soon(fetch_one, get)
            await trio.sleep(1)
            nursery.start_soon(fetch_one, get)
            await trio.sleep(1)
            get.downloader.permits.drain()
            await trio.sleep(1)
            assert results == [None]
            assert await get() is None
        assert results == [None, Fetched(Source.ORIGINAL, URL, BODY)]

    run(main)


@pytest.mark.parametrize("behaviour", list(ServerFault))
@pytest.mark.parametrize("after_s", [0.0, 0.5, 3.0])
def test_a_transfer_may_be_cancelled_at_any_moment_and_leaves_nothing_open(
    behaviour: ServerFault, after_s: float
) -> None:
    async def main() -> None:
        async with transfer(CannedResponse(BODY, behaviour=behaviour)) as get:
            with trio.move_on_after(after_s):
                await get()
        assert get.site.connections.open == 0

    run(main)
