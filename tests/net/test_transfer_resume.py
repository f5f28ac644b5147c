"""Bodies of images that break off: the rest is requested, and every failure keeps its reason."""

from typing import Any

import pytest
import trio
import trio.testing
from transfers import BODY, PATH, UNAVAILABLE, URL, one, run, transfer

from oidl.demo.site import CannedResponse, ServerFault, Site, redirect, status_answer
from oidl.model import Fetched, Reason, Source
from oidl.settings import NetworkSettings


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
            get.downloader.permits.drain.begin()
            await trio.sleep(60)
            assert [result.reason for result in results] == [Reason.TIMEOUT]
            assert len(get.site.log) == 1

    run(main)
