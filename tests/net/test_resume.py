"""One big file with interruptions: every byte once, in order, from one version of the file.

The server is a real one on loopback that follows a script: one answer per
request. The clock jumps, so backing off takes no time.
"""

import errno
import gc
import hashlib
import json
import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing

from oidl.errors import DiskError, ExitCode, MetadataError
from oidl.net.client import tls_context
from oidl.net.part import PartFile, discard
from oidl.net.resume import MAX_TRIES, ContentChangedError, download
from oidl.settings import NetworkSettings

BODY = bytes(range(256)) * 4000  # about 1 MB: several pieces
TAG = 'ETag: "one"'
TLS = tls_context()


async def unheeded(count: int) -> None:
    pass


@dataclass(frozen=True)
class CannedResponse:
    """A status line and headers, and then as much of `body` as is sent before the connection closes.

    Given a `body`, the answer's length is that of all of it, so that a lower
    `sent` breaks off.
    """

    status: str
    headers: tuple[str, ...] = ()
    body: bytes = b""
    sent: int | None = None
    is_silent: bool = False
    has_length: bool = True


def whole(body: bytes = BODY, *headers: str, sent: int | None = None) -> CannedResponse:
    return CannedResponse("200 OK", headers or (TAG,), body, sent)


def rest(start: int, body: bytes = BODY, *headers: str, sent: int | None = None) -> CannedResponse:
    span = f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}"
    return CannedResponse("206 Partial Content", (span, *(headers or (TAG,))), body[start:], sent)


@dataclass
class Script:
    """A server that gives its answers one a connection, the last one for ever, and notes each request."""

    answers: list[CannedResponse]
    requests: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive_some()
            lines = head.decode().split("\r\n")
            answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
            self.paths.append(lines[0].split()[1])
            self.requests.append(dict(line.lower().split(": ", 1) for line in lines[1:] if line))
            self.times.append(trio.current_time())
            if answer.is_silent:
                await trio.sleep_forever()
            length = [f"Content-Length: {len(answer.body)}"] if answer.has_length else []
            headers = [f"HTTP/1.1 {answer.status}", *answer.headers, *length, "", ""]
            with suppress(trio.BrokenResourceError):  # the client may not want all of it
                await stream.send_all("\r\n".join(headers).encode() + answer.body[: answer.sent])


@dataclass
class Outcome:
    """What one download came to, as its consumer and its disk saw it."""

    script: Script
    delivered: bytes
    arrived: int
    error: Exception | None

    @property
    def ranges(self) -> list[str | None]:
        return [request.get("range") for request in self.script.requests]


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "file.tar.gz.part"


@pytest.fixture
def fetch(part: Path) -> Callable[..., Outcome]:
    """Downloads from a server that answers like this, and tells what came of it."""

    def run(*answers: CannedResponse, expected_bytes: int | None = len(BODY)) -> Outcome:
        script = Script(list(answers))
        delivered: list[bytes] = []
        arrived: list[int] = []

        async def arrive(count: int) -> None:
            arrived.append(count)

        async def deliver(data: bytes) -> None:
            await trio.lowlevel.checkpoint()
            delivered.append(data)

        async def main() -> Exception | None:
            async with trio.open_nursery() as nursery:
                listeners = await nursery.start(partial(trio.serve_tcp, script.serve, 0, host="127.0.0.1"))
                port = listeners[0].socket.getsockname()[1]
                error = None
                try:
                    await download(
                        f"http://127.0.0.1:{port}/file",
                        part,
                        deliver,
                        transfers=NetworkSettings(),
                        tls=TLS,
                        expected_bytes=expected_bytes,
                        on_bytes=arrive,
                    )
                except Exception as caught:
                    error = caught
                nursery.cancel_scope.cancel()
            return error

        error = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.05))
        return Outcome(script, b"".join(delivered), sum(arrived), error)

    return run


def leave_behind(part: Path, content: bytes, validator: str = '"one"') -> None:
    """Makes the part that a run which was killed would have left; the URL is not known yet, so it is any."""
    part.write_bytes(content)
    part.with_name(f"{part.name}.json").write_text(
        json.dumps({"url_sha256": hashlib.sha256(b"any").hexdigest(), "validator": validator})
    )


@pytest.fixture
def any_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port changes with every server; here a part counts as one of the same URL all the same."""
    load = PartFile.load
    monkeypatch.setattr(PartFile, "load", lambda path, url: load(path, "any"))


def test_a_file_in_one_go_is_delivered_and_on_disk(fetch: Callable[..., Outcome], part: Path) -> None:
    outcome = fetch(whole())
    assert outcome.error is None
    assert outcome.delivered == part.read_bytes() == BODY
    assert outcome.arrived == len(BODY)
    assert outcome.ranges == [None]


def test_a_broken_transfer_goes_on_where_it_broke(fetch: Callable[..., Outcome], part: Path) -> None:
    outcome = fetch(whole(sent=300_001), rest(300_001, sent=100_000), rest(400_001))
    assert outcome.error is None
    assert outcome.delivered == part.read_bytes() == BODY
    assert outcome.ranges == [None, "bytes=300001-", "bytes=400001-"]
    assert [request.get("if-range") for request in outcome.script.requests] == [None, '"one"', '"one"']


def test_a_file_without_a_known_length_may_break_too(fetch: Callable[..., Outcome]) -> None:
    outcome = fetch(whole(sent=300_000), rest(300_000), expected_bytes=None)
    assert outcome.error is None
    assert outcome.delivered == BODY


@pytest.mark.usefixtures("any_url")
def test_the_part_of_an_earlier_run_is_delivered_first_and_not_fetched_again(
    fetch: Callable[..., Outcome], part: Path
) -> None:
    leave_behind(part, BODY[:700_000])
    outcome = fetch(rest(700_000))
    assert outcome.error is None
    assert outcome.delivered == part.read_bytes() == BODY
    assert outcome.arrived == len(BODY) - 700_000


@pytest.mark.usefixtures("any_url")
def test_a_200_to_the_part_of_an_earlier_run_starts_over_before_anything_is_delivered(
    fetch: Callable[..., Outcome], part: Path
) -> None:
    leave_behind(part, b"of another file" * 10_000)
    outcome = fetch(whole(BODY, 'ETag: "two"'))
    assert outcome.error is None
    assert outcome.delivered == part.read_bytes() == BODY


@pytest.mark.usefixtures("any_url")
def test_a_complete_part_is_done_when_the_server_has_nothing_more(fetch: Callable[..., Outcome], part: Path) -> None:
    leave_behind(part, BODY)
    outcome = fetch(CannedResponse("416 Range Not Satisfiable", (f"Content-Range: bytes */{len(BODY)}",)))
    assert outcome.error is None
    assert outcome.delivered == BODY
    assert outcome.ranges == [f"bytes={len(BODY)}-"]


@pytest.mark.usefixtures("any_url")
def test_a_part_longer_than_the_servers_file_is_thrown_away(fetch: Callable[..., Outcome], part: Path) -> None:
    leave_behind(part, BODY + b"more")
    outcome = fetch(CannedResponse("416 Range Not Satisfiable", (f"Content-Range: bytes */{len(BODY)}",)), whole())
    assert outcome.error is None
    assert outcome.delivered == part.read_bytes() == BODY
    assert outcome.ranges == [f"bytes={len(BODY) + 4}-", None]


@pytest.mark.usefixtures("any_url")
@pytest.mark.parametrize(
    "answer", [rest(1000), rest(700_000, BODY, 'ETag: "two"'), CannedResponse("206 Partial Content")]
)
def test_another_range_or_another_file_than_was_asked_for_is_not_built_upon(
    fetch: Callable[..., Outcome], part: Path, answer: CannedResponse
) -> None:
    leave_behind(part, BODY[:700_000])
    outcome = fetch(answer, whole())
    assert outcome.error is None
    assert outcome.delivered == part.read_bytes() == BODY
    assert outcome.ranges == ["bytes=700000-", None]


def test_a_part_of_another_url_or_without_a_note_is_not_built_upon(fetch: Callable[..., Outcome], part: Path) -> None:
    leave_behind(part, BODY[:700_000])
    assert fetch(whole()).ranges == [None]
    discard(part)
    part.write_bytes(b"no note")
    outcome = fetch(whole())
    assert outcome.ranges == [None]
    assert outcome.delivered == part.read_bytes() == BODY


def test_a_server_without_ranges_passes_over_what_was_delivered(fetch: Callable[..., Outcome], part: Path) -> None:
    outcome = fetch(whole(sent=300_000), whole(sent=100_000), whole())
    assert outcome.error is None
    assert outcome.delivered == part.read_bytes() == BODY
    assert outcome.ranges == [None, "bytes=300000-", "bytes=300000-"]


@pytest.mark.parametrize("headers", [("X-No: validator",), ('ETag: W/"weak"',)])
def test_the_same_bytes_are_the_same_file_though_nothing_says_so(
    fetch: Callable[..., Outcome], headers: tuple[str, ...], part: Path
) -> None:
    outcome = fetch(*(whole(BODY, *headers, sent=sent) for sent in (300_000, 100_000, 700_000, None)))
    assert outcome.error is None
    assert outcome.delivered == part.read_bytes() == BODY
    assert outcome.ranges == [None] * 4


@pytest.mark.parametrize("headers", [("X-No: validator",), (TAG,)])
def test_a_file_that_always_breaks_off_is_said_to_and_is_not_asked_for_in_quick_succession(
    fetch: Callable[..., Outcome], headers: tuple[str, ...], part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda least, most: most)
    outcome = fetch(whole(BODY, *headers, sent=300_000))
    assert isinstance(outcome.error, MetadataError)
    assert "/file could not be fetched: it broke off after 300,000 of 1,024,000 bytes\n" in str(outcome.error)
    assert outcome.delivered == BODY[:300_000]
    waits = [round(later - before) for before, later in pairwise(outcome.script.times)]
    assert waits == [1, 2, 4, 8, 16]
    if headers == (TAG,):
        assert outcome.error.hint.startswith("run the same command again to resume; ")
        assert part.read_bytes() == BODY[:300_000]
    else:
        assert (
            outcome.error.hint
            == "run the same command again later; the server cannot resume, so it starts from the beginning"
        )
        assert list(part.parent.iterdir()) == []


def test_a_date_does_where_there_is_no_etag(fetch: Callable[..., Outcome]) -> None:
    headers = "Last-Modified: Mon, 01 Jan 2018 00:00:00 GMT", "Date: Mon, 01 Jan 2018 00:00:01 GMT"
    outcome = fetch(whole(BODY, *headers, sent=300_000), rest(300_000, BODY, *headers))
    assert outcome.error is None
    assert outcome.script.requests[1]["if-range"] == "mon, 01 jan 2018 00:00:00 gmt"
    assert outcome.delivered == BODY


@pytest.mark.parametrize(
    ("first", "second"),
    [(TAG, 'ETag: "two"'), ("X-No: validator", "X-No: validator")],
    ids=["another file", "no telling"],
)
def test_a_file_that_changed_after_bytes_were_delivered_is_told_and_forgotten(
    fetch: Callable[..., Outcome], part: Path, first: str, second: str
) -> None:
    outcome = fetch(whole(BODY, first, sent=300_000), whole(BODY[::-1], second))
    assert isinstance(outcome.error, ContentChangedError)
    assert outcome.delivered == BODY[:300_000]
    assert list(part.parent.iterdir()) == []


def test_a_file_that_has_become_shorter_is_another_one(fetch: Callable[..., Outcome], part: Path) -> None:
    outcome = fetch(whole(BODY, "X-No: validator", sent=300_000), whole(BODY[:200_000], "X-No: validator"))
    assert isinstance(outcome.error, MetadataError)
    outcome = fetch(
        whole(BODY, "X-No: validator", sent=300_000),
        whole(BODY[:200_000], "X-No: validator"),
        expected_bytes=None,
    )
    assert isinstance(outcome.error, ContentChangedError)
    assert list(part.parent.iterdir()) == []


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "410 Gone", "400 Bad Request"])
def test_a_refusal_is_final_at_once(fetch: Callable[..., Outcome], status: str) -> None:
    outcome = fetch(CannedResponse(status))
    assert isinstance(outcome.error, MetadataError)
    assert re.search(f"http://127.0.0.1:.*/file .* {status}", str(outcome.error))
    assert outcome.error.exit_code is ExitCode.METADATA
    assert len(outcome.script.requests) == 1


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"])
def test_trouble_that_may_pass_is_waited_out(fetch: Callable[..., Outcome], status: str) -> None:
    outcome = fetch(*[CannedResponse(status)] * (MAX_TRIES - 1), whole())
    assert outcome.error is None
    assert outcome.delivered == BODY


def test_tries_that_bring_nothing_come_to_an_end_and_the_part_stays(fetch: Callable[..., Outcome], part: Path) -> None:
    outcome = fetch(whole(sent=300_000), CannedResponse("503 Service Unavailable"))
    assert isinstance(outcome.error, MetadataError)
    assert "HTTP 503" in str(outcome.error)
    assert len(outcome.script.requests) == MAX_TRIES
    assert part.read_bytes() == BODY[:300_000]
    assert outcome.error.hint.startswith("run the same command again to resume; ")


def test_a_server_that_never_answers_is_given_up_sooner_and_nothing_is_said_to_be_kept(
    fetch: Callable[..., Outcome], part: Path
) -> None:
    outcome = fetch(CannedResponse("", is_silent=True))
    assert isinstance(outcome.error, MetadataError)
    assert len(outcome.script.requests) == 3
    assert outcome.error.hint == (
        "there was no answer; check the network and the address, then run the same command again"
    )
    assert not part.exists()


def test_where_nothing_arrives_nothing_is_said_to_be_kept(fetch: Callable[..., Outcome]) -> None:
    outcome = fetch(CannedResponse("503 Service Unavailable"))
    assert isinstance(outcome.error, MetadataError)
    assert outcome.error.hint == "nothing has arrived; run the same command again later"


def test_every_byte_gained_starts_the_count_of_tries_again(fetch: Callable[..., Outcome]) -> None:
    breaks = [rest(start, sent=1) for start in range(1, 2 * MAX_TRIES)]
    outcome = fetch(whole(sent=1), *breaks, rest(2 * MAX_TRIES))
    assert outcome.error is None
    assert outcome.delivered == BODY


def test_the_server_says_how_long_to_wait(fetch: Callable[..., Outcome]) -> None:
    outcome = fetch(CannedResponse("503 Service Unavailable", ("Retry-After: 100",)), whole())
    assert outcome.error is None
    assert outcome.script.times[1] - outcome.script.times[0] >= 100


def test_a_server_that_wants_hours_is_not_waited_for(fetch: Callable[..., Outcome]) -> None:
    outcome = fetch(CannedResponse("429 Too Many Requests", ("Retry-After: 7200",)))
    assert isinstance(outcome.error, MetadataError)
    assert len(outcome.script.requests) == 1


def test_a_server_that_falls_silent_is_asked_again(fetch: Callable[..., Outcome]) -> None:
    outcome = fetch(CannedResponse("", is_silent=True), whole())
    assert outcome.error is None
    assert outcome.script.times[1] - outcome.script.times[0] >= NetworkSettings().stall_timeout_s


def test_redirects_are_followed_three_times(fetch: Callable[..., Outcome]) -> None:
    steps = [CannedResponse("302 Found", (f"Location: /step{number}",)) for number in range(4)]
    outcome = fetch(*steps[:3], whole())
    assert outcome.error is None
    assert outcome.script.paths == ["/file", "/step0", "/step1", "/step2"]
    assert "redirects more than 3 times" in str(fetch(*steps).error)


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/file", "http://[", "file:///etc/passwd"])
def test_a_redirect_to_what_is_no_web_page_is_refused(fetch: Callable[..., Outcome], location: str) -> None:
    outcome = fetch(CannedResponse("302 Found", (f"Location: {location}",)))
    assert isinstance(outcome.error, MetadataError)
    assert len(outcome.script.requests) == 1


@pytest.mark.parametrize("answer", [whole(BODY + b"x"), whole(BODY[:-1])], ids=["longer", "shorter"])
def test_another_length_than_the_published_one_is_refused_unread(
    fetch: Callable[..., Outcome], part: Path, answer: CannedResponse
) -> None:
    outcome = fetch(answer)
    assert isinstance(outcome.error, MetadataError)
    assert f"expected {len(BODY)} bytes, got {len(answer.body)}" in str(outcome.error)
    assert outcome.delivered == b""
    assert list(part.parent.iterdir()) == []


def test_a_body_of_unknown_length_is_not_read_past_the_published_one(fetch: Callable[..., Outcome], part: Path) -> None:
    outcome = fetch(CannedResponse("200 OK", (TAG,), BODY + b"x", has_length=False))
    assert isinstance(outcome.error, MetadataError)
    assert f"expected {len(BODY)} bytes, got {len(BODY) + 1}" in str(outcome.error)
    assert list(part.parent.iterdir()) == []


def test_a_body_of_unknown_length_that_ends_too_soon_is_gone_on_with(fetch: Callable[..., Outcome]) -> None:
    outcome = fetch(CannedResponse("200 OK", (TAG,), BODY, 300_000, has_length=False), rest(300_000))
    assert outcome.error is None
    assert outcome.delivered == BODY


def test_a_full_disk_is_a_disk_error(
    fetch: Callable[..., Outcome], part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    outcome = fetch(whole())
    assert isinstance(outcome.error, DiskError)
    assert str(part) in str(outcome.error)
    assert "No space left on device" in str(outcome.error)


def test_whoever_leaves_a_body_before_its_end_leaves_nothing_behind(
    fetch: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DiskError("full")

    monkeypatch.setattr(PartFile, "append", fail)
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        outcome = fetch(whole())
        gc.collect()
    assert isinstance(outcome.error, DiskError)
    assert complaints == []


def test_a_url_that_nobody_can_fetch_is_refused_at_once(part: Path) -> None:
    async def main() -> None:
        async def deliver(data: bytes) -> None:
            raise AssertionError

        await download(
            "gopher://127.0.0.1/file",
            part,
            deliver,
            transfers=NetworkSettings(),
            tls=TLS,
            expected_bytes=None,
            on_bytes=unheeded,
        )

    with pytest.raises(MetadataError, match="gopher"):
        trio.run(main)
