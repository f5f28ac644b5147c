"""One image over the network: its whole body, or why it could not be had.

The checks that need no body are made here, in the contract's order: connection
and status, redirect, content type, length. What the bytes themselves say is
`pipeline.verify`'s. None of them is the last word on an answer that may be
the published file all the same: if its length is the published one, or cannot
be known yet, what speaks against it travels along as `Fetched.doubt`, and
counts only if the bytes are not the published ones. One deadline stands around the whole transfer, however many
requests it takes, as httpx's read timeout is per read and a body that drips
never trips it.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx
import trio

from oidl.model import Failure, Fetched, Reason, Source
from oidl.net.body import Body
from oidl.net.client import TRANSFER_ERRORS, Client, failure_of, is_from_public
from oidl.net.coding import CODINGS, undo
from oidl.net.headers import (
    content_coding,
    content_length,
    is_other_picture,
    is_placeholder,
    is_text,
    redirect_target,
    retry_after_s,
)
from oidl.net.hosts import Hosts
from oidl.net.ranges import is_whole
from oidl.settings import Transfers

MAX_REDIRECTS = 3
MAX_CONTINUATIONS = 3  # of one body that breaks off again and again
_DRAINED_BYTES = 64 * 1024  # an error page shorter than this is read to its end, which keeps the connection
_DRAIN_S = 1.0  # and given no longer than this

_REASONS = {
    404: Reason.NOT_FOUND,
    410: Reason.GONE,
    403: Reason.FORBIDDEN,
    407: Reason.CONNECTION,  # a proxy's word, which says nothing about the image
    429: Reason.RATE_LIMITED,
}


@dataclass(frozen=True, slots=True)
class Download:
    """What to fetch: `size_bytes` is the published size, or None where none is; `cap_bytes` the most to read."""

    url: str
    source: Source
    size_bytes: int | None
    cap_bytes: int


@dataclass(frozen=True, slots=True)
class _Redirect:
    url: str
    is_from_public: bool


@dataclass(frozen=True, slots=True)
class _Broken:
    """An answer that broke off for this reason, in a way that asking for the rest may mend."""

    failure: Failure


async def fetch(
    download: Download,
    hosts: Hosts,
    transfers: Transfers,
    on_bytes: Callable[[int], Awaitable[None]],
    on_request: Callable[[str, Body], None] = lambda url, body: None,
) -> Fetched | Failure | None:
    """The whole body of `download`, or why it could not be had; None if the run drained before it was asked for.

    Never raises for anything a server or a network can do. Redirects are
    followed three times, never from https to http. A body that breaks off is
    gone on with where the server can do that. `on_bytes` is told of every piece
    that arrives, and may wait; `on_request` of every request when it is made: its URL, and the body
    that grows while the answer arrives. The `Failure` names the URL that failed, which after a
    redirect is not the first one.
    """
    url = download.url
    is_public_only = False
    for _ in range(MAX_REDIRECTS + 1):
        answer = await _fetch_from(url, is_public_only, download, hosts, transfers, on_bytes, on_request)
        if isinstance(answer, Failure):
            return _located(answer, download.source, url)
        if not isinstance(answer, _Redirect):
            return answer
        url, is_public_only = answer.url, answer.is_from_public
    return _located(Failure(Reason.HTTP_ERROR, f"more than {MAX_REDIRECTS} redirects"), download.source, url)


async def _fetch_from(
    url: str,
    is_public_only: bool,
    download: Download,
    hosts: Hosts,
    transfers: Transfers,
    on_bytes: Callable[[int], Awaitable[None]],
    on_request: Callable[[str, Body], None],
) -> Fetched | Failure | _Redirect | None:
    """What `url` itself answers, in as many requests as it takes.

    Each is one as any other to its host: it waits for a connection, which does
    not count for the deadline.
    """
    deadline_s = transfers.deadline_s(min(download.cap_bytes, download.size_bytes or download.cap_bytes))
    body = Body(deadline_s)
    broken: Failure | None = None
    for _ in range(MAX_CONTINUATIONS + 1):
        async with hosts.connection(url) as lent:
            if lent is not None:
                began = trio.current_time()
                on_request(url, body)
                answered = await _ask(lent.client, url, is_public_only, download, body, on_bytes)
                answer = _bounded(answered, transfers)
                lent.failure = _failure(answer)
                body.left_s = max(0.0, body.left_s - (trio.current_time() - began))
            elif hosts.is_draining:
                return broken
            else:
                answer = _unasked(hosts, url)
        match answer:
            case _Broken():
                broken = answer.failure
            case Failure(reason=Reason.TOO_SLOW, detail=""):
                return Failure(Reason.TOO_SLOW, f"not complete after {deadline_s:.0f} s")
            case Fetched():
                return replace(answer, transfer_s=deadline_s - body.left_s)
            case _:
                return answer
    return broken


def _bounded(
    answer: Fetched | Failure | _Redirect | _Broken, transfers: Transfers
) -> Fetched | Failure | _Redirect | _Broken:
    """`answer`, asking for no longer a wait than a server can ask for."""
    if isinstance(answer, Failure) and answer.retry_after_s is not None:
        return replace(answer, retry_after_s=min(answer.retry_after_s, transfers.max_retry_after_s))
    return answer


def _unasked(hosts: Hosts, url: str) -> Failure:
    block = hosts.block(url)
    if block is None:  # it ended in this very moment
        return Failure(Reason.RATE_LIMITED, "its turn did not come", retry_after_s=0.0, was_asked=False)
    return Failure(block.reason, block.detail, retry_after_s=block.wait_s, was_asked=False)


def _failure(answer: Fetched | Failure | _Redirect | _Broken) -> Failure | None:
    match answer:
        case Failure():
            return answer
        case _Broken():
            return answer.failure
        case Fetched():
            return answer.doubt  # a host that asks for a pause may send the image with it
    return None


async def _ask(
    client: Client,
    url: str,
    is_public_only: bool,
    download: Download,
    body: Body,
    on_bytes: Callable[[int], Awaitable[None]],
) -> Fetched | Failure | _Redirect | _Broken:
    """One request for what is lacking of `body`, within the time that is left to it."""
    had = body.size
    unwanted: Failure | None = None
    failure = Failure(Reason.TOO_SLOW)
    with trio.move_on_after(body.left_s):
        try:
            async with client.stream("GET", url, body.range_headers, is_public_only=is_public_only) as response:
                refused = _refusal(response, url, download, body)
                if refused:
                    await _drain(response)
                    return refused
                had, cap_bytes = body.size, _cap_bytes(download, body.coding)
                async for piece in response.aiter_raw():
                    await on_bytes(len(piece))
                    body.add(piece)
                    if body.size > cap_bytes:
                        unwanted = Failure(Reason.TOO_LARGE, f"longer than {download.cap_bytes} bytes")
                    elif body.is_page:
                        unwanted = body.doubt
                    if unwanted:
                        # Closing ends the iteration by an error; leaving it would leave generators behind.
                        await response.aclose()
                if body.is_complete:
                    return unwanted or await _fetched(download, url, body)
                failure = Failure(Reason.CONNECTION, f"the server sent {body.size} of {body.total} bytes")
        except TRANSFER_ERRORS as error:
            failure = failure_of(error)
    if not unwanted and body.size == download.size_bytes and not body.coding:
        return await _fetched(download, url, body)  # all of it, whatever went wrong after
    is_broken_off = failure.reason in (Reason.CONNECTION, Reason.TIMEOUT) and body.size > had
    if unwanted or not is_broken_off or not body.range_headers:
        return unwanted or failure
    return _Broken(failure)


async def _fetched(download: Download, url: str, body: Body) -> Fetched | Failure:
    """`body` as it was before it was coded to travel."""
    came = body.joined()
    stored = await undo(came, body.coding, download.cap_bytes) if body.coding else came
    if len(came) == download.size_bytes and (isinstance(stored, Failure) or len(stored) != len(came)):
        stored = came  # it is the published file that is compressed
    if isinstance(stored, Failure):
        return stored
    return Fetched(download.source, url, stored, body.told_md5, doubt=body.doubt)


def _cap_bytes(download: Download, coding: str) -> int:
    """The most bytes of an answer to read; a coding makes what cannot be compressed a little longer."""
    return download.cap_bytes + (download.cap_bytes // 100 + 1000 if coding else 0)


def _refusal(
    response: httpx.Response, url: str, download: Download, body: Body
) -> Failure | _Redirect | _Broken | None:
    """Why what follows is not wanted, as far as the status line and the headers tell; if it is, `body` awaits it."""
    status = response.status_code
    if body.range_headers and status == 206 and body.goes_on(response.headers):
        return None
    if body.range_headers and status in (206, 416):
        body.forget()
        return _Broken(Failure(Reason.CONNECTION, "the server did not go on where it broke off", http_status=status))
    body.forget()
    if response.is_redirect and "Location" in response.headers:
        return _redirect(response, url)
    coding = content_coding(response.headers)
    length = content_length(response.headers.get("Content-Length"))
    size, cap = download.size_bytes, _cap_bytes(download, coding)
    is_published_length = not coding and bool(size) and length == size
    doubt = _doubt(response, url)
    if doubt and not is_published_length:
        may_be_it = doubt.reason is Reason.NOT_AN_IMAGE and size is not None and (length is None or bool(coding))
        if not may_be_it:
            return doubt
    if coding and coding not in CODINGS and length != size:
        detail = f"content coding {coding}, which was not asked for"
        return Failure(Reason.CONNECTION, detail, http_status=status)
    if length is not None and size is not None and length != size and not coding:
        is_image = length > 0 and response.headers.get("Content-Type", "").startswith("image/")
        detail = f"{length} bytes, published {size}"
        return Failure(Reason.SIZE_MISMATCH, detail, http_status=status, is_image=is_image)
    if length is not None and length > cap:
        return Failure(Reason.TOO_LARGE, f"{length} bytes, at most {cap} allowed", http_status=status)
    body.begin(response.headers, doubt)
    return None


def _doubt(response: httpx.Response, url: str) -> Failure | None:
    """What status and content type say against what follows."""
    status = response.status_code
    if status == 206 and not is_whole(response.headers):
        return Failure(Reason.CONNECTION, "HTTP 206: a part, which was not asked for", http_status=status)
    if status not in (200, 203, 206):
        wait_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
        reason = _REASONS.get(status, Reason.HTTP_ERROR)
        if status == 503 and wait_s is not None:
            reason = Reason.RATE_LIMITED
        detail = "the proxy asks for a login (HTTP 407)" if status == 407 else f"HTTP {status}"
        return Failure(reason, detail, http_status=status, retry_after_s=wait_s)
    kind = response.headers.get("Content-Type", "")
    if is_text(kind):
        return Failure(Reason.NOT_AN_IMAGE, f"content type {kind}", http_status=status)
    if is_other_picture(kind, url):
        return Failure(Reason.NOT_AN_IMAGE, f"content type {kind}, as placeholders have", http_status=status)
    return None


def _redirect(response: httpx.Response, url: str) -> Failure | _Redirect:
    status, location = response.status_code, response.headers["Location"]
    try:
        if is_placeholder(location):  # wherever it lies
            return Failure(Reason.UNAVAILABLE, f"redirect to {location}", http_status=status)
        is_public = is_from_public(url, response)
        target = redirect_target(url, location, is_from_public=is_public)
        httpx.URL(target)
        return _Redirect(target, is_public)
    except httpx.InvalidURL as error:
        return Failure(Reason.HTTP_ERROR, f"redirect to {location!r}: {error}", http_status=status)
    except ValueError as error:
        return Failure(Reason.HTTP_ERROR, str(error), http_status=status)


async def _drain(response: httpx.Response) -> None:
    """Reads a short page to its end, if that is quick; what is known already stays true if it is not."""
    length = content_length(response.headers.get("Content-Length"))
    if length is not None and length <= _DRAINED_BYTES:
        with trio.move_on_after(_DRAIN_S), suppress(*TRANSFER_ERRORS):
            async for _ in response.aiter_raw():
                pass


def _located(failure: Failure, source: Source, url: str) -> Failure:
    return replace(failure, source=source, url=url)
