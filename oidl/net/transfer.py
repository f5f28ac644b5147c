"""Fetches one image: its whole body, or why that failed.

Redirects are followed, and an interrupted body is resumed if the server supports it. One deadline covers all requests
of a transfer, because httpx's read timeout is per read, and a body that drips never reaches it. `answer` judges the
status and the headers of an answer.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import httpx
import trio

from oidl.model import Blame, Failure, Fetched, Reason, Source
from oidl.net.answer import Download, Interrupted, Redirect, refusal
from oidl.net.body import Body
from oidl.net.client import TRANSFER_ERRORS, Client, failure_of
from oidl.net.coding import undo
from oidl.net.connections import Connections
from oidl.net.headers import content_length
from oidl.net.permits import CANCELLED, Permits
from oidl.settings import NetworkSettings

MAX_REDIRECTS = 3
MAX_CONTINUATIONS = 3  # of one body that breaks off again and again
_DRAINED_BYTES = 64 * 1024  # a shorter error page is read to its end, to keep the connection
_DRAIN_S = 1.0  # the longest time for that


async def _uncounted(_: int) -> None:
    await trio.lowlevel.checkpoint()


@dataclass(frozen=True, slots=True)
class Downloader:
    """Fetches images with the permits and connections of one machine.

    `on_bytes` is called with the length of every piece that arrives, and may wait.
    """

    permits: Permits
    connections: Connections
    transfers: NetworkSettings
    on_bytes: Callable[[int], Awaitable[None]] = _uncounted

    async def fetch(
        self, download: Download, on_request: Callable[[str, Body], None] = lambda url, body: None
    ) -> Fetched | Failure | None:
        """The whole body of `download`, or why it could not be fetched; None if the run started draining first.

        Never raises for a fault of a server or a network. Follows three redirects, never from https to http.
        `on_request` is called for every request with its URL and the body, which grows while the answer
        arrives. A `Failure` names the URL that failed, which may be that of a redirect.
        """
        url = download.url
        is_public_only = False
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._fetch_from(url, is_public_only, download, on_request)
            if isinstance(answer, Failure):
                return _located(answer, download.source, url)
            if not isinstance(answer, Redirect):
                return answer
            url, is_public_only = answer.url, answer.is_from_public
        return _located(Failure(Reason.HTTP_ERROR, f"more than {MAX_REDIRECTS} redirects"), download.source, url)

    async def _fetch_from(
        self, url: str, is_public_only: bool, download: Download, on_request: Callable[[str, Body], None]
    ) -> Fetched | Failure | Redirect | None:
        """The answer of `url` itself, in as many requests as necessary.

        Each request waits for a permit like any other; that time does not count towards the deadline.
        """
        deadline_s = self.transfers.deadline_s(min(download.cap_bytes, download.size_bytes or download.cap_bytes))
        body = Body(deadline_s)
        interrupted: Failure | None = None
        for _ in range(MAX_CONTINUATIONS + 1):
            async with self.permits.request(url) as permit:
                if permit is not None:
                    async with self.connections.to(permit.host) as client:
                        started_at, answer = trio.current_time(), None
                        on_request(url, body)
                        with self.permits.unless_draining() as on_sent:
                            result = await self._ask(client, url, is_public_only, download, body, on_sent)
                            answer = self._bounded(result)
                        permit.failure = _failure_in(answer)
                        body.left_s = max(0.0, body.left_s - (trio.current_time() - started_at))
                else:
                    answer = None if self.permits.is_draining else self._not_asked(url)
            match answer:
                case None:  # the run drains, and no request was sent
                    return interrupted
                case Interrupted():
                    interrupted = answer.failure
                case Failure(reason=Reason.TOO_SLOW, detail=""):
                    return Failure(Reason.TOO_SLOW, f"not complete after {deadline_s:.0f} s")
                case Fetched():
                    return replace(answer, transfer_s=deadline_s - body.left_s)
                case _:
                    return answer
        return interrupted

    async def _ask(
        self,
        client: Client,
        url: str,
        is_public_only: bool,
        download: Download,
        body: Body,
        on_sent: Callable[[], None],
    ) -> Fetched | Failure | Redirect | Interrupted:
        """Makes one request for the missing rest of `body`, within the time that it has left."""
        size_before = body.size
        unwanted: Failure | None = None
        failure = Failure(Reason.TOO_SLOW)
        with trio.move_on_after(body.left_s):
            try:
                async with client.stream(
                    "GET", url, body.range_headers, is_public_only=is_public_only, on_sent=on_sent
                ) as response:
                    refused = refusal(response, url, download, body)
                    if refused:
                        await _drain(response)
                        return refused
                    size_before, most_bytes = body.size, download.most_bytes(body.coding)
                    async for piece in response.aiter_raw():
                        await self.on_bytes(len(piece))
                        body.add(piece)
                        if body.size > most_bytes:
                            unwanted = Failure(Reason.TOO_LARGE, f"longer than {download.cap_bytes} bytes")
                        elif body.is_page:
                            unwanted = body.doubt
                        if unwanted:
                            # Closing ends the iteration with an error; leaving it would leave generators behind.
                            await response.aclose()
                    if body.is_complete:
                        return unwanted or await _fetched(download, url, body)
                    failure = Failure(Reason.CONNECTION, f"the server sent {body.size} of {body.total} bytes")
            except TRANSFER_ERRORS as error:
                failure = failure_of(error)
        if not unwanted and body.size == download.size_bytes and not body.coding:
            return await _fetched(download, url, body)  # the body is complete, whatever failed afterwards
        is_interrupted = failure.reason in (Reason.CONNECTION, Reason.TIMEOUT) and body.size > size_before
        if unwanted or not is_interrupted or not body.range_headers:
            return unwanted or failure
        return Interrupted(failure)

    def _bounded(
        self, answer: Fetched | Failure | Redirect | Interrupted
    ) -> Fetched | Failure | Redirect | Interrupted:
        """`answer`, with a `Retry-After` no longer than the user allows."""
        if isinstance(answer, Failure) and answer.retry_after_s is not None:
            return replace(answer, retry_after_s=min(answer.retry_after_s, self.transfers.max_retry_after_s))
        return answer

    def _not_asked(self, url: str) -> Failure:
        backoff = self.permits.backoff(url)
        if backoff is None:  # it ended at this very moment
            return Failure(Reason.RATE_LIMITED, "its host was paused", retry_after_s=0.0, blame=Blame.NOT_ASKED)
        return Failure(backoff.reason, backoff.detail, retry_after_s=backoff.wait_s, blame=Blame.NOT_ASKED)


def _failure_in(answer: Fetched | Failure | Redirect | Interrupted | None) -> Failure | None:
    """The result of `answer` for its permit; an `answer` of None means that the request was not sent."""
    match answer:
        case None:
            return CANCELLED
        case Failure():
            return answer
        case Interrupted():
            return answer.failure
        case Fetched():
            return answer.doubt  # a host that asks for a pause may send the image with it
    return None


async def _fetched(download: Download, url: str, body: Body) -> Fetched | Failure:
    """`body` without its content coding."""
    sent = body.joined()
    stored = await undo(sent, body.coding, download.cap_bytes) if body.coding else sent
    if len(sent) == download.size_bytes and (isinstance(stored, Failure) or len(stored) != len(sent)):
        stored = sent  # the published file itself is compressed
    if isinstance(stored, Failure):
        return stored
    return Fetched(download.source, url, stored, body.server_md5, doubt=body.doubt)


async def _drain(response: httpx.Response) -> None:
    """Reads a short page to its end, if that is quick, to keep the connection."""
    length = content_length(response.headers.get("Content-Length"))
    if length is not None and length <= _DRAINED_BYTES:
        with trio.move_on_after(_DRAIN_S), suppress(*TRANSFER_ERRORS):
            async for _ in response.aiter_raw():
                pass


def _located(failure: Failure, source: Source, url: str) -> Failure:
    return replace(failure, source=source, url=url)
