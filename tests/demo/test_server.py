"""What the demo's server sends and what it omits, to clients that see every byte."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from oidl.demo.server import handle, serve
from oidl.demo.site import CannedResponse, ServerFault, Site, redirect, site_of_directory, status_answer

BODY = bytes(range(256)) * 40
PATH = "/1/2_o.jpg"


def request(path: str = PATH, method: str = "GET", **headers: str) -> bytes:
    fields = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: demo", *fields, "\r\n"]).encode()


LAST = request(Connection="close")


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Runs `main` on a clock that does not wait."""
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def said(site: Site, *requests: bytes) -> bytes:
    """All that the server answers to `requests`, sent at once, until it closes."""

    async def main() -> bytes:
        client, server = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(handle, server, site)
            await client.send_all(b"".join(requests))
            return b"".join([bytes(piece) async for piece in client])

    return run(main)


def said_before(site: Site, seconds: float) -> bytes:
    """All that came within `seconds`, after which the client leaves; the server must be done then."""

    async def main() -> bytes:
        client, server = trio.testing.memory_stream_pair()
        got = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(handle, server, site)
            await client.send_all(request())
            with trio.move_on_after(seconds):
                async for piece in client:
                    got += piece
            await client.aclose()
        return got

    return run(main)


def split(answer: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    return status, dict(line.split(b": ", 1) for line in lines), body


def dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return whole


def one(answer: CannedResponse) -> Site:
    return Site({PATH: answer})


@pytest.fixture(params=["memory", "file", "thread"])
def body(request: pytest.FixtureRequest, tmp_path: Path) -> bytes | Path | Callable[[], bytes]:
    file = tmp_path / "body"
    file.write_bytes(BODY)
    return {"memory": BODY, "file": file, "thread": lambda: BODY}[request.param]


def test_a_normal_body_comes_whole_with_its_length(body: bytes | Path | Callable[[], bytes]) -> None:
    status, headers, got = split(said(one(CannedResponse(body)), LAST))
    assert status == b"HTTP/1.1 200 OK"
    assert headers[b"Content-Length"] == b"10240"
    assert headers[b"Content-Type"] == b"image/jpeg"
    assert got == BODY


def test_a_body_larger_than_a_piece_comes_whole(tmp_path: Path) -> None:
    large = BODY * 100
    (tmp_path / "large").write_bytes(large)
    assert split(said(one(CannedResponse(tmp_path / "large")), LAST))[2] == large


def test_an_empty_body_is_an_answer_too() -> None:
    status, headers, got = split(said(one(CannedResponse()), LAST))
    assert (status, headers[b"Content-Length"], got) == (b"HTTP/1.1 200 OK", b"0", b"")


def test_a_connection_is_kept_for_the_next_request() -> None:
    site = Site({PATH: CannedResponse(b"one"), "/2": CannedResponse(b"two", behaviour=ServerFault.CHUNKED)})
    answers = said(site, request(), request("/2"), request("/none"), LAST)
    assert answers.count(b"HTTP/1.1 ") == 4
    assert site.log == [(PATH, 200), ("/2", 200), ("/none", 404), (PATH, 200)]
    assert site.requests == {PATH: 2, "/2": 1, "/none": 1}


def test_a_head_request_gets_no_body() -> None:
    status, headers, got = split(said(one(CannedResponse(BODY)), request(method="HEAD", Connection="close")))
    assert (status, headers[b"Content-Length"], got) == (b"HTTP/1.1 200 OK", b"10240", b"")


def test_a_query_is_not_part_of_the_path() -> None:
    assert said(one(CannedResponse(BODY)), request(f"{PATH}?zz=1", Connection="close")).startswith(b"HTTP/1.1 200")


def test_a_redirect_says_where_to() -> None:
    status, headers, _ = split(said(one(redirect("/elsewhere", 301)), LAST))
    assert (status, headers[b"Location"]) == (b"HTTP/1.1 301 Moved Permanently", b"/elsewhere")


@pytest.mark.parametrize(
    ("asked", "content_range", "expected"),
    [
        ("bytes=0-9", b"bytes 0-9/10240", BODY[:10]),
        ("bytes=10000-", b"bytes 10000-10239/10240", BODY[10000:]),
        ("bytes=-5", b"bytes 10235-10239/10240", BODY[-5:]),
        ("bytes=10239-99999", b"bytes 10239-10239/10240", BODY[-1:]),
    ],
)
def test_a_range_gets_that_part(
    asked: str, content_range: bytes, expected: bytes, body: bytes | Path | Callable[[], bytes]
) -> None:
    status, headers, got = split(said(one(CannedResponse(body)), request(Range=asked, Connection="close")))
    assert status == b"HTTP/1.1 206 Partial Content"
    assert headers[b"Content-Range"] == content_range
    assert headers[b"Content-Length"] == str(len(expected)).encode()
    assert got == expected


def test_a_range_beyond_the_end_is_refused() -> None:
    status, headers, got = split(said(one(CannedResponse(BODY)), request(Range="bytes=10240-", Connection="close")))
    assert (status[9:12], headers[b"Content-Range"], got) == (b"416", b"bytes */10240", b"")


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=1-2,4-5", "lines=1-2"])
def test_a_range_that_is_not_understood_gets_everything(asked: str) -> None:
    assert split(said(one(CannedResponse(BODY)), request(Range=asked, Connection="close")))[2] == BODY


def test_a_range_of_another_file_than_before_gets_everything() -> None:
    site = one(CannedResponse(BODY))
    etag = split(said(site, LAST))[1][b"ETag"].decode()
    same = said(site, request(Range="bytes=9-", If_Range=etag, Connection="close"))
    site.answers[PATH] = CannedResponse(BODY[::-1])
    changed = said(site, request(Range="bytes=9-", If_Range=etag, Connection="close"))
    assert (split(same)[0][9:12], split(changed)[0][9:12]) == (b"206", b"200")
    assert split(changed)[2] == BODY[::-1]


def test_the_first_requests_get_their_own_answers() -> None:
    site = one(CannedResponse(BODY, first=(status_answer(500), status_answer(429, retry_after="1"))))
    answers = said(site, request(), request(), LAST)
    assert [status for _, status in site.log] == [500, 429, 200]
    assert b"\r\nRetry-After: 1\r\n" in answers


def test_a_chunked_body_has_no_length() -> None:
    _, headers, got = split(said(one(CannedResponse(BODY, behaviour=ServerFault.CHUNKED)), LAST))
    assert b"Content-Length" not in headers
    assert dechunked(got) == BODY


def test_a_body_without_length_ends_with_its_connection() -> None:
    _, headers, got = split(said(one(CannedResponse(BODY, behaviour=ServerFault.NO_LENGTH)), request()))
    assert not {b"Content-Length", b"Transfer-Encoding"} & headers.keys()
    assert got == BODY


def test_a_slow_body_takes_its_time() -> None:
    site = one(CannedResponse(BODY, behaviour=ServerFault.SLOW, bytes_per_s=1024))
    assert len(split(said_before(site, 5.0))[2]) == pytest.approx(5 * 1024, abs=60)
    assert split(said_before(site, 10.1))[2] == BODY


def test_a_dripping_body_never_quite_ends() -> None:
    site = one(CannedResponse(b"12345678", behaviour=ServerFault.DRIP))
    assert split(said_before(site, 1.1))[2] == b"12345"
    assert split(said_before(site, 9999.0))[2] == b"1234567"


@pytest.mark.parametrize("behaviour", [ServerFault.CUT, ServerFault.RESET])
def test_a_cut_body_stops_short_of_its_length(behaviour: ServerFault) -> None:
    _, headers, got = split(said(one(CannedResponse(BODY, behaviour=behaviour, stops_at=0.25)), request()))
    assert headers[b"Content-Length"] == b"10240"
    assert got == BODY[:2560]


def test_a_stalled_body_is_silent_until_the_client_leaves() -> None:
    site = one(CannedResponse(BODY, behaviour=ServerFault.STALL))
    assert split(said_before(site, 9999.0))[2] == BODY[:5120]
    assert site.connections.open == 0


def test_an_endless_body_ends_when_the_client_leaves() -> None:
    site = one(CannedResponse(b"abc", behaviour=ServerFault.ENDLESS))

    async def main() -> bytes:
        client, server = trio.testing.memory_stream_pair()
        got = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(handle, server, site)
            await client.send_all(request())
            while len(got) < 1000:
                got += await client.receive_some()
            await client.aclose()
        return got

    assert dechunked(split(run(main))[2][:80]) == b"abc" * 10


def test_garbage_is_not_http() -> None:
    site = one(CannedResponse(BODY, behaviour=ServerFault.GARBAGE))
    assert b"HTTP/" not in said(site, request())
    assert site.log == [(PATH, 0)]


def test_a_client_that_talks_nonsense_is_told_so() -> None:
    assert said(Site(), b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request")


def test_a_client_that_leaves_in_the_middle_of_a_request_harms_nobody() -> None:
    async def main() -> None:
        client, server = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(handle, server, Site())
            await client.send_all(request()[:10])
            await client.aclose()

    run(main)


def test_what_is_too_fast_for_the_site_gets_429() -> None:
    site = Site({PATH: CannedResponse(BODY, first=(status_answer(500),))}, max_rps=2, retry_after_s=3)
    answers = [site.answer(PATH, now) for now in (0.0, 0.1, 0.2, 0.9, 1.0, 1.05, 1.1)]
    assert [answer.status for answer in answers] == [500, 200, 429, 429, 200, 429, 200]
    assert answers[2].headers == {"Retry-After": "3"}
    assert site.requests[PATH] == 7


async def connected(base_url: str) -> trio.SocketStream:
    host, port = base_url.removeprefix("http://").rsplit(":", 1)
    return await trio.open_tcp_stream(host, int(port))


def test_a_reset_is_one_on_a_real_socket() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            base_url = await nursery.start(serve, one(CannedResponse(BODY, behaviour=ServerFault.RESET)))
            async with await connected(base_url) as client:
                await client.send_all(request())
                with pytest.raises(trio.BrokenResourceError):  # noqa: PT012 - which of the reads fails is the kernel's to say
                    while await client.receive_some():
                        pass
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_one_site_may_be_several_hosts_and_knows_their_connections() -> None:
    site = one(CannedResponse(BODY))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            first, second = [await nursery.start(serve, site) for _ in range(2)]
            streams = [await connected(url) for url in (first, first, second)]
            for stream in streams:
                await stream.send_all(request())
                await stream.receive_some()
            hosts = [url.removeprefix("http://") for url in (first, second)]
            assert [site.connections.open_at[host] for host in hosts] == [2, 1]
            for stream in streams:
                await stream.send_eof()
                while await stream.receive_some():
                    pass
                await stream.aclose()
            assert [site.connections.peak_at[host] for host in hosts] == [2, 1]
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert (site.connections.open, site.connections.peak, site.connections.opened) == (0, 3, 3)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_nothing_is_served_beyond_the_loopback(host: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        trio.run(partial(serve, Site(), host=host))


def test_a_directory_is_a_site_by_its_relative_paths(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.jpg").write_bytes(BODY)
    site = site_of_directory(tmp_path)
    assert split(said(site, request("/a/b.jpg", Connection="close")))[2] == BODY
    assert split(said(site, request("/a/../a/b.jpg", Connection="close")))[0][9:12] == b"404"


def test_the_module_serves_a_directory_until_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "b.jpg").write_bytes(BODY)
    command = [sys.executable, "-m", "oidl.demo", "--root", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()

        async def main() -> bytes:
            async with await connected(base_url) as client:
                await client.send_all(request("/b.jpg", Connection="close"))
                return b"".join([bytes(piece) async for piece in client])

        got = trio.run(main)
        process.terminate()
        assert process.wait() == 0
    assert split(got)[2] == BODY
