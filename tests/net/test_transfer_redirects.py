"""Redirects: at most three, never from https to http, and to URLs that exist."""

import ssl
from typing import Any

import pytest
import trio
import trio.testing
from downloads import open_downloader
from transfers import (
    BODY,
    PATH,
    TLS,
    TRANSFERS,
    URL,
    Transfer,
    authority,
    loopback,
    one,
)

from oidl.demo.site import CannedResponse, Site, redirect, status_answer
from oidl.model import Failure, Fetched, Reason, Source
from oidl.net.client import new_client


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
