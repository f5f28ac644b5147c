"""Small documents: their status, their limits, the permits of their redirects."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, ServerFault, Site, redirect, status_answer
from oidl.model import Blame, Failure, Reason
from oidl.net.client import new_client, tls_context
from oidl.net.documents import Document, Documents, open_documents
from oidl.net.permits import Permits
from oidl.settings import NetworkSettings

TLS = tls_context()
QUICK = NetworkSettings(4, 4, connect_timeout_s=1, stall_timeout_s=0.5, min_bytes_per_s=100_000)
BODY = b'{"a": "document"}'


@asynccontextmanager
async def documents(site: Site, transfers: NetworkSettings = QUICK) -> AsyncIterator[tuple[Documents, str]]:
    """Documents of `site`, and its base URL."""
    async with trio.open_nursery() as nursery:
        base_url = await nursery.start(serve, site)
        async with open_documents(Permits(transfers), transfers, lambda: new_client(transfers, TLS)) as found:
            yield found, base_url
        nursery.cancel_scope.cancel()


def ask(answer: CannedResponse, cap_bytes: int = 1000, **others: CannedResponse) -> Any:
    """What is got for `/a` that gives `answer`; the others have other names."""
    site = Site({"/a": answer} | {f"/{name}": each for name, each in others.items()})

    async def run() -> Any:
        async with documents(site) as (found, base_url):
            return await found.ask(f"{base_url}/a?api_key=secret", cap_bytes)

    return trio.run(run)


def of(behaviour: ServerFault, **changes: Any) -> CannedResponse:
    return CannedResponse(BODY, content_type="application/json", behaviour=behaviour, **changes)


@pytest.mark.parametrize("behaviour", [ServerFault.NORMAL, ServerFault.CHUNKED, ServerFault.NO_LENGTH])
def test_a_whole_answer(behaviour: ServerFault) -> None:
    assert ask(of(behaviour)) == Document(200, BODY)


@pytest.mark.parametrize(
    ("answer", "reason", "retry_after_s"),
    [
        (of(ServerFault.CUT), Reason.CONNECTION, None),
        (of(ServerFault.RESET), Reason.CONNECTION, None),
        (of(ServerFault.GARBAGE), Reason.CONNECTION, None),
        (of(ServerFault.STALL), Reason.TIMEOUT, None),
        (of(ServerFault.ENDLESS), Reason.TOO_LARGE, None),
        (CannedResponse(b"x" * 1001), Reason.TOO_LARGE, None),
        (status_answer(500), Reason.HTTP_ERROR, None),
        (status_answer(502), Reason.HTTP_ERROR, None),
        (status_answer(503), Reason.HTTP_ERROR, None),
        (status_answer(503, retry_after="9"), Reason.RATE_LIMITED, 9.0),
        (status_answer(429), Reason.RATE_LIMITED, None),
        (status_answer(429, retry_after="7"), Reason.RATE_LIMITED, 7.0),
        (status_answer(429, retry_after="999999"), Reason.RATE_LIMITED, 3600.0),  # as long as is allowed
    ],
)
def test_trouble_is_a_value(answer: CannedResponse, reason: Reason, retry_after_s: float | None) -> None:
    found = ask(answer)
    assert isinstance(found, Failure)
    assert (found.reason, found.retry_after_s) == (reason, retry_after_s)


@pytest.mark.parametrize("status", [204, 400, 401, 403, 404, 410])
def test_other_statuses_are_answers(status: int) -> None:
    assert ask(CannedResponse(b"", status)) == Document(status)
    assert ask(CannedResponse(b"x" * 1001, status, behaviour=ServerFault.ENDLESS)) == Document(status)


def test_a_slow_answer_has_a_deadline() -> None:
    found = ask(of(ServerFault.SLOW, bytes_per_s=8.0))
    assert isinstance(found, Failure)
    assert found.reason is Reason.TOO_SLOW


def test_redirects_are_followed_on_one_host_only() -> None:
    assert ask(redirect("/b"), b=of(ServerFault.NORMAL)) == Document(200, BODY)
    assert ask(redirect("https://identity.flickr.com/login")) == Document(
        302, location="https://identity.flickr.com/login"
    )
    assert ask(redirect("http://[")) == Document(302, location="http://[")
    found = ask(redirect("/b"), b=redirect("/a"))
    assert found == Failure(Reason.HTTP_ERROR, "more than 3 redirects")


def test_each_redirect_has_a_permit() -> None:
    site = Site({"/a": redirect("/b"), "/b": redirect("/c"), "/c": of(ServerFault.NORMAL)})
    transfers = NetworkSettings(4, 4, max_rps=20.0, burst_s=0.0)

    async def run() -> float:
        async with documents(site, transfers) as (found, base_url):
            began = trio.current_time()
            assert await found.ask(f"{base_url}/a", 1000) == Document(200, BODY)
            return trio.current_time() - began

    assert trio.run(run) >= 0.1


def test_a_paused_host_is_not_asked() -> None:
    site = Site({"/a": status_answer(429, retry_after="60")})

    async def run() -> list[Any]:
        async with documents(site) as (found, base_url):
            return [await found.ask(f"{base_url}/a", 1000) for _ in range(40)]

    answers = trio.run(run)
    assert sum(site.requests.values()) < 40
    assert answers[-1].blame is Blame.NOT_ASKED
    assert answers[-1].retry_after_s > 50
