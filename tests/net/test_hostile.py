"""Answers that no honest server gives: each costs one transfer, never an exception, and little CPU.

The server sends raw bytes over streams in memory, below the real HTTP client; for
archives and probes, which have their own client, it is on loopback.
"""

import gzip
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpcore
import pytest
import trio
import trio.testing
from downloads import open_downloader
from httpcore._backends.trio import TrioStream

from oidl.errors import MetadataError
from oidl.model import Failure, Fetched, Reason, Source
from oidl.net.body import Body
from oidl.net.client import new_client, tls_context
from oidl.net.head import MAX_HEAD_BYTES
from oidl.net.probe import Probe, probe
from oidl.net.resume import ContentChangedError, download
from oidl.net.transfer import Download
from oidl.net.wire import MAX_INTERIM_ANSWERS, Network
from oidl.settings import NetworkSettings

BODY = b"\xff\xd8\xff" + bytes(range(256)) * 40
URL = "http://photos/1_o.jpg"
TLS = tls_context()
TRANSFERS = NetworkSettings()
WHOLE = b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"


class _Stream(TrioStream):
    """Has no socket to be asked about."""

    def get_extra_info(self, info: str) -> Any:
        return None


Pieces = Callable[[], Iterator[bytes]]


@dataclass
class Raw(httpcore.AsyncNetworkBackend):
    """Any host at all; each request is answered by the next of `answers`, the last one for ever, piece by piece."""

    nursery: trio.Nursery
    answers: list[Pieces]
    heads: list[str] = field(default_factory=list)
    connections: int = 0

    async def connect_tcp(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        await trio.lowlevel.checkpoint()
        self.connections += 1
        client, server = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.serve, server)
        return _Stream(client)

    async def serve(self, stream: trio.abc.Stream) -> None:
        async with stream:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                while True:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        received = await stream.receive_some(4096)
                        if not received:
                            return
                        head += bytes(received)
                    answer = self.answers[min(len(self.heads), len(self.answers) - 1)]
                    self.heads.append(head.decode())
                    for piece in answer():
                        await stream.send_all(piece)
                    if b"keep-alive" not in b"".join(answer())[:200]:
                        return


def once(*pieces: bytes) -> Pieces:
    return lambda: iter(pieces)


@dataclass
class Outcome:
    """What the transfers came to, and how long they took together."""

    results: list[Fetched | Failure | None]
    took_s: float
    network: Raw

    @property
    def result(self) -> Any:
        return self.results[0]


def get(*answers: Pieces | bytes, times: int = 1, **asked: Any) -> Outcome:
    """Fetches from a server that answers so; each of the answers is closed after, unless it says keep-alive."""

    async def main() -> Outcome:
        async with trio.open_nursery() as nursery:
            network = Raw(nursery, [once(answer) if isinstance(answer, bytes) else answer for answer in answers])
            client = partial(new_client, TRANSFERS, TLS, network=Network(network))
            wanted = Download(URL, Source.ORIGINAL, len(BODY), len(BODY), **asked)
            began = trio.current_time()
            async with open_downloader(TRANSFERS, client) as downloader:
                results = [await downloader.fetch(wanted) for _ in range(times)]
            took_s = trio.current_time() - began
            nursery.cancel_scope.cancel()
        return Outcome(results, took_s, network)

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def unheeded(count: int) -> None:
    pass


# ---- heads that other clients read


@pytest.mark.parametrize(
    "odd",
    [
        b"Server : x\r\n",
        b"get-ban/forum.php: x\r\n",
        b"no colon at all\r\n",
        b": no name\r\n",
        b" a continuation of nothing\r\n",
        b"Server: x\r\n and more of it\r\n",
        b"X-Nul: a\0b\r\n",
        b'ETag: "\xff\xfe"\r\n',
        b"Content-Type : image/jpeg\r\n",
        b"Content-Length:\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Server: x\n",
        b"Set-Cookie: " + b"y" * 50_000 + b"\r\n",
        b"".join(b"X-%d: y\r\n" % number for number in range(1000)),
        b"Last-Modified: Mon, 99999999999 Jan 2020 00:00:00 GMT\r\nDate: Mon, 01 Jan 2026 00:00:00 GMT\r\n",
    ],
    ids=lambda odd: odd[:30].decode("latin-1").strip(),
)
def test_a_header_that_is_not_needed_breaks_nothing(odd: bytes) -> None:
    assert get(OK + odd + WHOLE).result == Fetched(Source.ORIGINAL, URL, BODY)


@pytest.mark.parametrize("length", [b"+%d", b" %d ", b"%d\r\nContent-Length: %d", b"%d, %d"])
def test_a_length_that_can_mean_one_thing_is_read(length: bytes) -> None:
    length = length.replace(b"%d", b"%d" % len(BODY))
    assert get(OK + b"Content-Length: " + length + b"\r\n\r\n" + BODY).result == Fetched(Source.ORIGINAL, URL, BODY)


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 200", b"\r\n\r\nHTTP/1.1 200 OK", b"HTTP/1.0 200 O\x0cK", b"HTTP/1.1  200 OK"]
)
def test_an_odd_status_line_is_read(first: bytes) -> None:
    assert get(first + b"\r\n" + WHOLE).result == Fetched(Source.ORIGINAL, URL, BODY)


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 3\r\nContent-Length: 10243\r\n",
        b"Content-Length: 3, 10243\r\n",
        b"Content-Length: 10243 bytes\r\n",
        b"Content-Length: -10243\r\n",
        b"Content-Length: 102\x0043\r\n",
        b"Content-Length: " + b"1" * 5000 + b"\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
    ],
)
def test_a_body_whose_end_may_be_in_two_places_is_refused_and_its_connection_closed(framing: bytes) -> None:
    ends = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"
    outcome = get(ends + framing + b"\r\n" + BODY, ends + WHOLE, times=2)
    assert outcome.results[0].reason is Reason.CONNECTION
    assert outcome.results[1] == Fetched(Source.ORIGINAL, URL, BODY)
    assert outcome.network.connections == 2


def test_chunks_count_beside_a_length_and_the_connection_is_not_used_again() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\nTransfer-Encoding : chunked\r\n\r\n"
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    outcome = get(chunked, times=2)
    assert outcome.results == [Fetched(Source.ORIGINAL, URL, BODY)] * 2
    assert outcome.network.connections == 2


# ---- heads without end


def test_headers_without_end_are_left() -> None:
    def endless() -> Iterator[bytes]:
        yield OK
        for _ in range(3 * MAX_HEAD_BYTES // 1000):
            yield b"X: " + b"y" * 995 + b"\r\n"

    failure = get(endless).result
    assert (failure.reason, failure.detail) == (Reason.CONNECTION, "the headers are longer than 64 kB")


def test_a_head_of_many_lines_that_matter_is_left() -> None:
    assert "more than 64 header lines" in get(OK + b"Date: x\r\n" * 1000 + WHOLE).result.detail


@pytest.mark.parametrize(
    "start", [b"\x16\x03\x01", b"220 ftp.example.org ready\r\n", b"<html>", b"HTTX/1.1 200 OK\r\n\r\n"]
)
def test_an_answer_that_is_not_http_is_told_so_at_once(start: bytes) -> None:
    failure = get(start).result
    assert failure.reason is Reason.CONNECTION
    assert failure.detail.startswith("the answer is not HTTP: it starts with")


def test_a_few_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * MAX_INTERIM_ANSWERS
    assert get(interim + OK + WHOLE).result == Fetched(Source.ORIGINAL, URL, BODY)


def test_interim_answers_without_end_are_a_broken_connection() -> None:
    failure = get(once(*[b"HTTP/1.1 100 Continue\r\n\r\n" * 2600] * 100)).result
    assert (failure.reason, failure.detail) == (Reason.CONNECTION, "more than 10 interim answers (HTTP 100)")


# ---- bodies in crumbs


def test_a_body_in_chunks_of_two_bytes_is_too_slow_and_takes_its_second() -> None:
    outcome = get(once(OK, b"Transfer-Encoding: chunked\r\n\r\n", *[b"2\r\nab\r\n" * 9000] * 5))
    assert outcome.result.reason is Reason.TOO_SLOW
    assert outcome.result.detail == "500 pieces of 2 bytes each in a second"
    assert outcome.took_s == pytest.approx(1, abs=0.1)


def test_small_chunks_are_spread_over_time_and_all_read() -> None:
    chunks = [b"%x\r\n%s\r\n" % (len(BODY[at : at + 5]), BODY[at : at + 5]) for at in range(0, 2000, 5)]
    rest = BODY[2000:]
    chunks += [b"%x\r\n%s\r\n0\r\n\r\n" % (len(rest), rest)]
    assert get(once(OK, b"Transfer-Encoding: chunked\r\n\r\n", b"".join(chunks))).result.body == BODY


def test_segments_of_one_byte_are_read_a_hundred_times_a_second_and_joined_meanwhile() -> None:
    answer = OK + WHOLE
    outcome = get(once(*(answer[at : at + 1] for at in range(200)), answer[200:]))
    assert outcome.result.body == BODY
    assert outcome.took_s < 3


def test_the_pieces_of_a_body_take_no_memory_of_their_own() -> None:
    body = Body(1.0)
    for _ in range(10_000):
        body.add(b"ab")
    assert body.joined() == b"ab" * 10_000
    assert not isinstance(body._bytes, list)


def test_trailers_without_end_are_left() -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
    assert get(once(OK + chunked, *[b"X: " + b"y" * 995 + b"\r\n"] * 1000)).result.reason is Reason.CONNECTION


KEEPS = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED], ids=["length", "chunks"])
def test_bytes_after_an_answer_are_not_taken_for_the_next_one(answer: bytes) -> None:
    surplus = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    outcome = get(KEEPS + answer + surplus, KEEPS + answer, times=2)
    assert outcome.results == [Fetched(Source.ORIGINAL, URL, BODY)] * 2
    assert outcome.network.connections == 2


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED], ids=["length", "chunks"])
def test_a_connection_is_used_again_after_nothing_but_the_answer(answer: bytes) -> None:
    outcome = get(KEEPS + answer, times=3)
    assert outcome.results == [Fetched(Source.ORIGINAL, URL, BODY)] * 3
    assert outcome.network.connections == 1


# ---- how the bytes travelled


def coded(coding: bytes, body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: image/jpeg\r\nContent-Encoding: %s\r\n" % (status, coding)
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


RAW_DEFLATE = zlib.compress(BODY, wbits=-15)


@pytest.mark.parametrize(
    "answer",
    [
        coded(b"gzip", gzip.compress(BODY)),
        coded(b"x-GZIP", gzip.compress(BODY)),
        coded(b"deflate", zlib.compress(BODY)),
        coded(b"deflate", RAW_DEFLATE),
        coded(b"identity", BODY),
        coded(b"gzip", BODY),  # which it is not
        coded(b"br", BODY),
        b"HTTP/1.1 203 x\r\n" + WHOLE,
        b"HTTP/1.1 206 x\r\nContent-Range: bytes 0-%d/%d\r\n" % (len(BODY) - 1, len(BODY)) + WHOLE,
        OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nbad trailer\r\n\r\n" % (len(BODY), BODY),
    ],
)
def test_how_the_bytes_travelled_is_no_verdict(answer: bytes) -> None:
    assert get(answer).result == Fetched(Source.ORIGINAL, URL, BODY)


@pytest.mark.parametrize(
    ("answer", "reason", "detail"),
    [
        (coded(b"br", BODY[:100]), Reason.CONNECTION, "content coding br, which was not asked for"),
        (coded(b"gzip", gzip.compress(BODY)[:-30]), Reason.CONNECTION, "the gzip coding of the body ends early"),
        (
            coded(b"gzip", gzip.compress(BODY)[:20] + b"xx" * 50),
            Reason.CONNECTION,
            "the gzip coding of the body is damaged",
        ),
        (coded(b"gzip", gzip.compress(bytes(10**8))), Reason.TOO_LARGE, None),
        (coded(b"gzip", gzip.compress(BODY + b"x")), Reason.TOO_LARGE, None),
        (b"HTTP/1.1 206 x\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nabcde", Reason.CONNECTION, None),
        (b"HTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n", Reason.HTTP_ERROR, "HTTP 202"),
    ],
)
def test_what_cannot_be_undone_is_told_and_may_be_tried_again(
    answer: bytes, reason: Reason, detail: str | None
) -> None:
    failure = get(answer).result
    assert failure.reason is reason
    assert detail in (None, failure.detail)


# ---- redirects into the user's own network


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:8080/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost/",
        "//192.168.1.1/",
    ],
)
def test_a_public_server_does_not_choose_what_is_asked_for_in_a_private_network(location: str) -> None:
    outcome = get(b"HTTP/1.1 302 x\r\nContent-Length: 0\r\nLocation: " + location.encode() + b"\r\n\r\n", OK + WHOLE)
    assert outcome.result.reason is Reason.HTTP_ERROR
    assert "a private address, which is not followed" in outcome.result.detail
    assert outcome.network.connections == 1


def test_nor_by_a_name_that_has_a_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = {"photos": "93.184.216.34", "elsewhere": "10.0.0.1", "mirror": "93.184.216.35"}
    redirects = {name: b"HTTP/1.1 302 x\r\nLocation: http://%s/\r\n\r\n" % name.encode() for name in addresses}
    real = Raw.connect_tcp

    async def connect_tcp(self: Raw, host: str, *more: object, **named: object) -> httpcore.AsyncNetworkStream:
        stream = await real(self, host, *more, **named)
        monkeypatch.setattr(
            stream, "get_extra_info", lambda info: (addresses[host], 80) if info == "server_addr" else None
        )
        return stream

    monkeypatch.setattr(Raw, "connect_tcp", connect_tcp)
    assert get(redirects["mirror"], OK + WHOLE).result.body == BODY
    failure = get(redirects["elsewhere"], OK + WHOLE).result
    assert failure.reason is Reason.HTTP_ERROR
    assert failure.detail == "redirect to a host at 10.0.0.1, a private address, which is not followed"
    addresses["photos"] = "192.168.0.1"  # a list of one's own network
    assert get(redirects["elsewhere"], OK + WHOLE).result.body == BODY


def test_a_redirect_to_a_url_without_end_is_not_kept() -> None:
    failure = get(b"HTTP/1.1 302 x\r\nLocation: /" + b"a" * 5000 + b"\r\nContent-Length: 0\r\n\r\n").result
    assert failure.detail == "redirect to a URL of 5014 characters, which is not followed"


# ---- the same code serves archives and probes

HOSTILE = {
    "impossible date": OK + b"Last-Modified: Mon, 99999999999 Jan 2020 00:00:00 GMT\r\nDate: x\r\n" + WHOLE,
    "impossible pause": b"HTTP/1.1 503 x\r\nRetry-After: Mon, 99999999999 Jan 2020 00:00:00 GMT\r\n\r\n",
    "digits in a 206": b"HTTP/1.1 206 x\r\nContent-Range: bytes " + b"1" * 5000 + b"-2/3\r\nContent-Length: 1\r\n\r\nx",
    "digits in a 416": b"HTTP/1.1 416 x\r\nContent-Range: bytes */" + b"1" * 5000 + b"\r\nContent-Length: 0\r\n\r\n",
    "ETag that is not ASCII": OK + b'ETag: "\xff\xfe"\r\nContent-Length: %d\r\n\r\n' % len(BODY) + BODY[:2000],
    "redirect nowhere": b"HTTP/1.1 302 x\r\nLocation: http://xn--/\r\nContent-Length: 0\r\n\r\n",
    "redirect to bytes": b"HTTP/1.1 302 x\r\nLocation: http://\xff\xfe\x01/\r\nContent-Length: 0\r\n\r\n",
    "redirect to two dots": b"HTTP/1.1 302 x\r\nLocation: http://a..b/\r\nContent-Length: 0\r\n\r\n",
    "length in digits": OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffffff\r\n",
    "interim": b"HTTP/1.1 100 x\r\n\r\n" * 100,
    "upgrade": b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n" + BODY,
    "no head": b"HTTP/1.1 200 OK\r\nX",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", ["image", "archive", "probe"])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_answer_is_an_exception(name: str, kind: str, tmp_path: Path) -> None:
    async def image(url: str) -> object:
        async with open_downloader(TRANSFERS, partial(new_client, TRANSFERS, TLS)) as downloader:
            return await downloader.fetch(Download(url, Source.ORIGINAL, len(BODY), len(BODY)))

    async def archive(url: str) -> object:
        async def deliver(data: bytes) -> None:
            await trio.lowlevel.checkpoint()

        part = tmp_path / "part"
        try:
            return await download(
                url, part, deliver, transfers=TRANSFERS, tls=TLS, expected_bytes=len(BODY), on_bytes=unheeded
            )
        except (MetadataError, ContentChangedError) as error:
            return error

    async def probed(url: str) -> object:
        return (await probe([url], TRANSFERS))[0]

    ways: dict[str, Callable[[str], Awaitable[object]]] = {"image": image, "archive": archive, "probe": probed}

    async def main() -> object:
        async with trio.open_nursery() as nursery:
            raw = Raw(nursery, [once(HOSTILE[name])])
            (listener,) = await nursery.start(partial(trio.serve_tcp, raw.serve, 0, host="127.0.0.1"))
            result = await ways[kind](f"http://127.0.0.1:{listener.socket.getsockname()[1]}/1_o.jpg")
            nursery.cancel_scope.cancel()
        return result

    result = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.05))
    assert isinstance(result, (Fetched, Failure, int, MetadataError, ContentChangedError, Probe))
