"""One image over the network: fetched whole, with connections used again, pauses kept, and nothing left after a cancel.

The demo's server answers over streams in memory, below the real HTTP client,
so stalls, drips and pauses take no time.
"""

from typing import Any

import pytest
import trio
import trio.testing
from transfers import BODY, PATH, UNAVAILABLE, URL, Transfer, one, run, transfer

from oidl.demo.site import CannedResponse, ServerFault, Site, redirect, status_answer
from oidl.model import Failure, Fetched, Reason, Source
from oidl.settings import NetworkSettings


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
            get.downloader.permits.drain.begin()
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
