"""One image over the network: its whole body, or why it could not be had.

The checks that need no body are made here, in the contract's order: connection
and status, redirect, content type, length. What the bytes themselves say is
`pipeline.verify`'s. One deadline stands around the whole transfer, as httpx's
read timeout is per read and a body that drips never trips it.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

import httpx
import trio

from oidl.model import Failure, Fetched, Reason, Source
from oidl.net.client import failure_of
from oidl.net.headers import content_length, is_other_picture, is_placeholder, is_text, retry_after_s
from oidl.net.hosts import Hosts
from oidl.settings import Transfers

MAX_REDIRECTS = 3
_DRAINED_BYTES = 64 * 1024  # an error page shorter than this is read to its end, which keeps the connection
_DRAIN_S = 1.0  # and given no longer than this

_REASONS = {404: Reason.NOT_FOUND, 410: Reason.GONE, 403: Reason.FORBIDDEN, 429: Reason.RATE_LIMITED}


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


async def fetch(
    download: Download, hosts: Hosts, transfers: Transfers, on_bytes: Callable[[int], Awaitable[None]]
) -> Fetched | Failure | None:
    """The whole body of `download`, or why it could not be had; None if the run drained before it was asked for.

    Never raises for anything a server or a network can do. Redirects are
    followed three times, never from https to http. `on_bytes` is told and may wait after every
    piece that arrives. The `Failure` names the URL that failed, which after a
    redirect is not the first one.
    """
    url = download.url
    for _ in range(MAX_REDIRECTS + 1):
        async with hosts.connection(url) as lent:
            if lent is not None:
                answer = await _ask(lent.client, url, download, transfers, on_bytes)
                lent.failure = answer if isinstance(answer, Failure) else None
            elif hosts.is_draining:
                return None
            else:
                answer = _unasked(hosts, url)
        match answer:
            case _Redirect():
                url = answer.url
            case Failure():
                return _located(answer, download.source, url)
            case Fetched():
                return answer
    return _located(Failure(Reason.HTTP_ERROR, f"more than {MAX_REDIRECTS} redirects"), download.source, url)


def _unasked(hosts: Hosts, url: str) -> Failure:
    block = hosts.block(url)
    if block is None:  # it ended in this very moment
        return Failure(Reason.RATE_LIMITED, "its turn did not come", retry_after_s=0.0, was_asked=False)
    return Failure(block.reason, block.detail, retry_after_s=block.wait_s, was_asked=False)


async def _ask(
    client: httpx.AsyncClient,
    url: str,
    download: Download,
    transfers: Transfers,
    on_bytes: Callable[[int], Awaitable[None]],
) -> Fetched | Failure | _Redirect:
    expected = download.cap_bytes if download.size_bytes is None else download.size_bytes
    deadline_s = transfers.deadline_s(expected)
    too_large: Failure | None = None
    with trio.move_on_after(deadline_s):
        try:
            async with client.stream("GET", url) as response:
                refused = _refusal(response, url, download)
                if refused:
                    await _drain(response)
                    return refused
                pieces: list[bytes] = []
                size = 0
                async for piece in response.aiter_raw():
                    await on_bytes(len(piece))
                    size += len(piece)
                    if size > download.cap_bytes:
                        too_large = Failure(Reason.TOO_LARGE, f"longer than {download.cap_bytes} bytes")
                        # Closing ends the iteration by an error; leaving it would leave generators behind.
                        await response.aclose()
                    else:
                        pieces.append(piece)
                return too_large or Fetched(download.source, url, b"".join(pieces))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return too_large or failure_of(error)
    return Failure(Reason.TOO_SLOW, f"not complete after {deadline_s:.0f} s")


def _refusal(response: httpx.Response, url: str, download: Download) -> Failure | _Redirect | None:
    """Why the body is not wanted, as far as the status line and the headers tell."""
    status = response.status_code
    if response.is_redirect and "Location" in response.headers:
        return _redirect(response, url)
    if status != 200:
        wait_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
        reason = _REASONS.get(status, Reason.HTTP_ERROR)
        if status == 503 and wait_s is not None:
            reason = Reason.RATE_LIMITED
        return Failure(reason, f"HTTP {status}", http_status=status, retry_after_s=wait_s)
    kind = response.headers.get("Content-Type", "")
    length = content_length(response.headers.get("Content-Length"))
    if is_text(kind):
        return Failure(Reason.NOT_AN_IMAGE, f"content type {kind}", http_status=status)
    if is_other_picture(kind, url) and (download.size_bytes is None or length != download.size_bytes):
        return Failure(Reason.NOT_AN_IMAGE, f"content type {kind}, as placeholders have", http_status=status)
    if length is not None and download.size_bytes is not None and length != download.size_bytes:
        detail = f"{length} bytes, published {download.size_bytes}"
        return Failure(Reason.SIZE_MISMATCH, detail, http_status=status)
    if length is not None and length > download.cap_bytes:
        return Failure(Reason.TOO_LARGE, f"{length} bytes, at most {download.cap_bytes} expected", http_status=status)
    return None


def _redirect(response: httpx.Response, url: str) -> Failure | _Redirect:
    status = response.status_code
    location = response.headers["Location"]
    try:
        location = urljoin(url, location)
        old, new = urlsplit(url).scheme, urlsplit(location).scheme
    except ValueError:
        return Failure(Reason.HTTP_ERROR, f"redirect to {location!r}, which is no URL", http_status=status)
    if is_placeholder(location):
        return Failure(Reason.UNAVAILABLE, f"redirect to {location}", http_status=status)
    if new not in ("http", "https") or (old == "https" and new == "http"):
        return Failure(Reason.HTTP_ERROR, f"redirect to {location}, which is not followed", http_status=status)
    return _Redirect(location)


async def _drain(response: httpx.Response) -> None:
    """Reads a short page to its end, if that is quick; what is known already stays true if it is not."""
    length = content_length(response.headers.get("Content-Length"))
    if length is not None and length <= _DRAINED_BYTES:
        with trio.move_on_after(_DRAIN_S), suppress(httpx.HTTPError, OSError):
            async for _ in response.aiter_raw():
                pass


def _located(failure: Failure, source: Source, url: str) -> Failure:
    return replace(failure, source=source, url=url)
