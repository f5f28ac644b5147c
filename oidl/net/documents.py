"""Asks for small documents (JSON, XML, a page), where the status of an answer matters as much as its body.

Every request, also that of a redirect, has a permit of its own, so the pace holds. One deadline covers an answer, and
one limit its body. After a `Retry-After` nothing is asked before its end, not even by requests that wait already.
Redirects are followed within one host; where another one leads is for the caller to judge. What a server or a network
does wrong is a `Failure`.
"""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import trio

from oidl.model import Blame, Failure, Reason
from oidl.net.client import TRANSFER_ERRORS, Client, failure_of, is_from_public
from oidl.net.coding import CODINGS, undo
from oidl.net.headers import content_coding, redirect_target, retry_after_s
from oidl.net.known_hosts import host_of
from oidl.net.permits import CANCELLED, Permit, Permits
from oidl.settings import NetworkSettings

_MAX_REDIRECTS = 3
_PATIENCE_S = 2.0  # a longer pause is for the caller to wait for
_PAUSED = "the server asked for a pause"


@dataclass(frozen=True, slots=True)
class Document:
    """An answer: its status, its body, and the URL that it redirects to on another host, "" if it does not."""

    status: int
    body: bytes = b""
    location: str = ""


@dataclass(frozen=True, slots=True)
class _Moved:
    """An answer that names another URL of the same host."""

    url: str
    is_from_public: bool


class Documents:
    """Documents by `permits`; `new_client` makes a client, of which each request in flight has one."""

    def __init__(self, permits: Permits, transfers: NetworkSettings, new_client: Callable[[], Client]) -> None:
        self._permits = permits
        self._transfers = transfers
        self._new_client = new_client
        self._idle: list[Client] = []
        self._turn = trio.Lock()
        self._quiet_until = -math.inf

    async def ask(self, url: str, cap_bytes: int) -> Document | Failure | None:
        """The document at `url`, with a body of at most `cap_bytes`; None if the run started draining first.

        Never raises for a fault of a server or a network. "Too many requests" is a `Failure` with `RATE_LIMITED`, an
        error of the server one with `HTTP_ERROR`. A failure with `Blame.NOT_ASKED` was no request: its host is paused
        or unreachable, for `retry_after_s` at least.
        """
        is_public_only = False
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._request(url, cap_bytes, is_public_only=is_public_only)
            if not isinstance(answer, _Moved):
                return answer
            url, is_public_only = answer.url, answer.is_from_public
        return Failure(Reason.HTTP_ERROR, f"more than {_MAX_REDIRECTS} redirects")

    async def aclose(self) -> None:
        """Closes all connections."""
        with trio.CancelScope(shield=True):
            for client in self._idle:
                await client.aclose()
            self._idle.clear()

    async def _request(self, url: str, cap_bytes: int, *, is_public_only: bool) -> Document | Failure | _Moved | None:
        async with self._permit(url) as permit:
            if not isinstance(permit, Permit):
                return permit
            client = self._idle.pop() if self._idle else self._new_client()
            answer: Document | Failure | _Moved | None = None
            try:
                with self._permits.drain.unless_begun() as on_sent:
                    answer = await self._answer(client, url, cap_bytes, is_public_only, on_sent)
            finally:
                self._idle.append(client)
            permit.failure = CANCELLED if answer is None else answer if isinstance(answer, Failure) else None
            if isinstance(answer, Failure) and answer.retry_after_s is not None:
                self._quiet_until = max(self._quiet_until, trio.current_time() + answer.retry_after_s)
            return answer

    @asynccontextmanager
    async def _permit(self, url: str) -> AsyncIterator[Permit | Failure | None]:
        """A permit at a time when nothing asks for a pause; otherwise why there is none, None if the run drains."""
        while True:
            async with AsyncExitStack() as stack:
                async with self._turn:  # only one request waits for a permit, and looks at the pause when it has it
                    wait_s = self._quiet_until - trio.current_time()
                    if wait_s > _PATIENCE_S:
                        yield Failure(Reason.RATE_LIMITED, _PAUSED, retry_after_s=wait_s, blame=Blame.NOT_ASKED)
                        return
                    await trio.sleep(max(0.0, wait_s))
                    permit = await stack.enter_async_context(self._permits.request(url))
                    if permit is None:
                        yield None if self._permits.drain.has_begun else self._not_asked(url)
                        return
                if trio.current_time() < self._quiet_until:
                    permit.failure = CANCELLED
                    continue
                yield permit
                return

    async def _answer(
        self, client: Client, url: str, cap_bytes: int, is_public_only: bool, on_sent: Callable[[], None]
    ) -> Document | Failure | _Moved:
        answer: Document | Failure | _Moved = Failure(Reason.TOO_SLOW, "no whole answer in time")
        with trio.move_on_after(self._transfers.deadline_s(cap_bytes)):
            try:
                async with client.stream("GET", url, is_public_only=is_public_only, on_sent=on_sent) as response:
                    answer = await self._read(response, url, cap_bytes)
            except TRANSFER_ERRORS as error:
                answer = failure_of(error)
        return answer

    async def _read(self, response: httpx.Response, url: str, cap_bytes: int) -> Document | Failure | _Moved:
        status = response.status_code
        wait_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
        if wait_s is not None:
            wait_s = min(wait_s, self._transfers.max_retry_after_s)
        if response.has_redirect_location:
            await self._body(response, cap_bytes)
            return _redirected(response, url)
        body = await self._body(response, cap_bytes)
        if status == 429 or (status == 503 and wait_s is not None):
            return Failure(Reason.RATE_LIMITED, f"HTTP {status}", http_status=status, retry_after_s=wait_s)
        if status in (408, 425) or status >= 500:
            return Failure(Reason.HTTP_ERROR, f"HTTP {status}", http_status=status, retry_after_s=wait_s)
        if status == 200:
            return body if isinstance(body, Failure) else Document(status, body)
        return Document(status, b"" if isinstance(body, Failure) else body)  # the status says it all

    async def _body(self, response: httpx.Response, cap_bytes: int) -> bytes | Failure:
        """The whole body, or why it could not be had."""
        body = bytearray()
        failure: Failure | None = None
        try:
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > cap_bytes:
                    failure = Failure(Reason.TOO_LARGE, f"longer than {cap_bytes} bytes", http_status=200)
                    await response.aclose()  # it ends the iteration; leaving it would leave generators behind
        except TRANSFER_ERRORS as error:
            failure = failure or failure_of(error)
        coding = content_coding(response.headers)
        if failure or not coding:
            return failure or bytes(body)
        if coding not in CODINGS:
            return Failure(Reason.CONNECTION, "a content coding that was not asked for")
        return await undo(bytes(body), coding, cap_bytes)

    def _not_asked(self, url: str) -> Failure:
        backoff = self._permits.backoff(url)
        if backoff is None:  # it ended at this very moment
            return Failure(Reason.RATE_LIMITED, "its host was paused", retry_after_s=0.0, blame=Blame.NOT_ASKED)
        return Failure(backoff.reason, backoff.detail, retry_after_s=backoff.wait_s, blame=Blame.NOT_ASKED)


@asynccontextmanager
async def open_documents(
    permits: Permits, transfers: NetworkSettings, new_client: Callable[[], Client]
) -> AsyncIterator[Documents]:
    """`Documents` whose connections are closed at the end."""
    documents = Documents(permits, transfers, new_client)
    try:
        yield documents
    finally:
        await documents.aclose()


def _redirected(response: httpx.Response, url: str) -> Document | _Moved:
    """The next URL to ask if it is on the same host, otherwise where the answer leads to."""
    location, is_public = response.headers["Location"], is_from_public(url, response)
    try:
        target = redirect_target(url, location, is_from_public=is_public)
        httpx.URL(target)
    except (ValueError, httpx.InvalidURL):
        return Document(response.status_code, location=location)
    is_here = host_of(target) == host_of(url)
    return _Moved(target, is_public) if is_here else Document(response.status_code, location=target)
