"""One big file over the network, going on where an earlier try, or an earlier run, broke off.

What arrives is written to a `.part` file (`net.part`) and delivered to a
consumer, in the file's order, each byte once.

Whether a part is gone on with is the server's to say, so nothing of it is
delivered before the answer is there: with If-Range, 206 means "the same file,
here is the rest" and 200 "another file, or no ranges here". A 200 after
bytes were delivered is compared with them as far as they go, and is delivered from there on: whatever the server says
of it, the two together are this answer. If they differ, `ContentChangedError` tells the caller
to start the consumer again. Files are written in a thread.
"""

import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import httpx
import trio

from oidl.errors import MetadataError
from oidl.model import Failure, Reason
from oidl.net.client import TRANSFER_ERRORS, Client, failure_of, is_from_public, new_client
from oidl.net.headers import content_length, redirect_target, retry_after_s, server_md5
from oidl.net.part import Part, discard
from oidl.net.ranges import content_range, rest_headers, strong_validator, total_of_416
from oidl.settings import NetworkSettings
from oidl.text import printable, without_passwords, without_secrets

MAX_TRIES = 6  # in a row that brought nothing; a try that brings bytes starts the count again
MAX_REDIRECTS = 3
MAX_BACKOFF_S = 60.0
MAX_RETRY_AFTER_S = 120.0
_MAX_UNANSWERED = 3  # tries in a row, where there never was an answer: is there a network?
_BATCH = 256 * 1024

_PASSING = {408, 425, 429}  # and 5xx


class ContentChangedError(Exception):
    """The server has another file now than the one whose beginning was delivered; the part is gone."""


async def download(
    url: str,
    part: Path,
    deliver: Callable[[bytes], Awaitable[None]],
    *,
    transfers: NetworkSettings,
    tls: ssl.SSLContext,
    expected_bytes: int | None,
    on_bytes: Callable[[int], Awaitable[None]],
    on_md5: Callable[[str, str], None] = lambda md5, header: None,
) -> int:
    """The length of the file at `url`, all of which is in `part` and was delivered.

    `on_bytes` is told of bytes that come over the network, not of those that
    were there, `on_md5` of what the server says the whole file's MD5 is, and the header
    that says so, before any byte is delivered. Raises `MetadataError` if the file cannot be had (the part stays,
    for the next run) or has another length than expected (it goes),
    `DiskError`, and `ContentChangedError`.
    """
    limiter = trio.CapacityLimiter(1)
    found = await trio.to_thread.run_sync(Part.found, part, url, limiter=limiter)
    transfer = _Transfer(url, found, deliver, expected_bytes, on_bytes, on_md5, limiter)
    fruitless = 0
    async with new_client(transfers, tls) as client:
        while True:
            had = found.size
            failure = await transfer.attempt(client)
            if failure is None:
                return found.size
            fruitless = 1 if found.size > had else fruitless + 1
            most = MAX_TRIES if transfer.was_answered else _MAX_UNANSWERED
            if fruitless >= most or (failure.retry_after_s or 0) > MAX_RETRY_AFTER_S:
                if not found.validator:  # a later run could not tell what it is of
                    await trio.to_thread.run_sync(discard, part, limiter=limiter)
                raise MetadataError(
                    f"{without_secrets(url)} could not be fetched: {failure.detail}",
                    hint=_what_to_do(found, was_answered=transfer.was_answered),
                )
            backoff_s = random.uniform(0, min(MAX_BACKOFF_S, 2.0 ** (fruitless - 1)))
            await trio.sleep(max(backoff_s, failure.retry_after_s or 0))


def _what_to_do(part: Part, *, was_answered: bool) -> str:
    if part.size and part.validator:
        return "what has arrived is kept; run the same command again to go on from there"
    if part.size:
        return "the server offers no way to go on from there; run the same command again later"
    check = "nothing has arrived; " if was_answered else "there was no answer; check the network and the address, then "
    return f"{check}run the same command again{' later' if was_answered else ''}"


@dataclass(slots=True)
class _Transfer:
    """All that changes while one file is fetched.

    `has_begun` once the consumer was given the part as it was, `was_answered` once there was any answer.
    """

    url: str
    part: Part
    deliver: Callable[[bytes], Awaitable[None]]
    expected_bytes: int | None
    on_bytes: Callable[[int], Awaitable[None]]
    on_md5: Callable[[str, str], None]
    limiter: trio.CapacityLimiter
    has_begun: bool = False
    was_answered: bool = False

    async def attempt(self, client: Client) -> Failure | None:
        """None once the file is complete, or why this try ended sooner."""
        url = self.url
        is_public = False
        try:
            for _ in range(MAX_REDIRECTS + 1):
                async with client.stream("GET", url, self._range(), is_public_only=is_public) as response:
                    self.was_answered = True
                    if not response.has_redirect_location:
                        return await self._answered(response)
                    is_public = is_from_public(url, response)
                    url = self._redirected(url, response.headers["Location"], is_public)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise MetadataError(f"{without_secrets(url)} cannot be fetched: {error}") from error
        except TRANSFER_ERRORS as error:
            return failure_of(error)
        raise MetadataError(f"{without_secrets(self.url)} redirects more than {MAX_REDIRECTS} times")

    def _range(self) -> dict[str, str]:
        return rest_headers(self.part.size, self.part.validator)

    def _redirected(self, url: str, location: str, is_from_public: bool) -> str:
        try:
            return redirect_target(url, location, is_from_public=is_from_public)
        except ValueError as error:
            why = without_passwords(printable(str(error)))
            raise MetadataError(f"{without_secrets(self.url)} could not be fetched: {why}") from error

    async def _answered(self, response: httpx.Response) -> Failure | None:
        status = response.status_code
        if status == 200:
            return await self._whole(response)
        if status == 206 and self._range():
            return await self._rest(response)
        if status == 416 and self._range():
            return await self._nothing_left(response)
        if status in _PASSING or status >= 500:
            wait_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
            return Failure(Reason.HTTP_ERROR, f"HTTP {status}", http_status=status, retry_after_s=wait_s)
        answered = f"{status} {printable(response.reason_phrase)}".rstrip()
        raise MetadataError(
            f"{without_secrets(self.url)} could not be fetched: the server answered {answered}",
            hint="the catalogue may name an address that is no longer there, or one that needs a permission",
        )

    async def _whole(self, response: httpx.Response) -> Failure | None:
        validator = strong_validator(response.headers)
        if not (self.has_begun and self.part.size):
            await self._in_thread(lambda: self.part.restart(validator))
        elif validator and self.part.validator and validator != self.part.validator:
            await self._changed()
        return await self._body(response, content_length(response.headers.get("Content-Length")), 0)

    async def _rest(self, response: httpx.Response) -> Failure | None:
        span = content_range(response.headers)
        is_other = strong_validator(response.headers) not in (
            "",
            self.part.validator,
        )  # a server that overlooks If-Range
        if span is None or span.start != self.part.size or is_other:
            return await self._start_over("the server sent another range than it was asked for")
        return await self._body(response, span.total, self.part.size)

    async def _nothing_left(self, response: httpx.Response) -> Failure | None:
        total = total_of_416(response.headers)
        if (self.expected_bytes if total is None else total) != self.part.size:
            return await self._start_over("the server's file is shorter than what has arrived")
        if told := server_md5({"ETag": self.part.validator}):
            self.on_md5(*told)
        await self._begin()
        return None

    async def _body(self, response: httpx.Response, total: int | None, start: int) -> Failure | None:
        """Takes in the body, which is the file from `start` on.

        Bytes that arrived before a break are kept, so the next try goes on from there.
        """
        await self._check_length(total)
        if told := server_md5(response.headers):
            self.on_md5(*told)
        await self._begin()
        failure = None
        batch = bytearray()
        async with _unwound(response.aiter_raw()) as pieces:
            try:
                async for piece in pieces:
                    await self.on_bytes(len(piece))
                    batch += piece
                    if len(batch) >= _BATCH:
                        start += await self._keep(batch, start)
            except TRANSFER_ERRORS as error:
                failure = failure_of(error)
        start += await self._keep(batch, start)
        total = total or self.expected_bytes
        if failure is None and start >= (total or 0):
            if start < self.part.size:  # the file has become shorter
                await self._changed()
            return None
        what = "no byte in time" if failure and failure.reason is Reason.TIMEOUT else "it broke off"
        where = f"after {start:,} of {total:,} bytes" if total else f"after {start:,} bytes"
        return Failure(failure.reason if failure else Reason.CONNECTION, f"{what} {where}")

    async def _begin(self) -> None:
        """Gives the consumer, before anything new, what an earlier run has left."""
        offset = self.part.size if self.has_begun else 0
        self.has_begun = True
        while offset < self.part.size:
            data = await trio.to_thread.run_sync(self.part.read, offset, limiter=self.limiter)
            await self.deliver(data)
            offset += len(data)

    async def _keep(self, batch: bytearray, start: int) -> int:
        """Keeps and delivers what is new in `batch`, which begins at `start`, and empties it; returns its length."""
        count = len(batch)
        if start < self.part.size:
            had = await trio.to_thread.run_sync(self.part.read, start, count, limiter=self.limiter)
            if not batch.startswith(had):
                await self._changed()
            del batch[: len(had)]
        data = bytes(batch)
        batch.clear()
        if data:
            if self.expected_bytes is not None and self.part.size + len(data) > self.expected_bytes:
                await self._check_length(self.part.size + len(data))
            await self._in_thread(lambda: self.part.append(data))
            await self.deliver(data)
        return count

    async def _check_length(self, total: int | None) -> None:
        if total is not None and self.expected_bytes is not None and total != self.expected_bytes:
            await self._in_thread(lambda: discard(self.part.path))
            raise MetadataError(
                f"{without_secrets(self.url)} is not the published file: "
                f"expected {self.expected_bytes} bytes, got {total}",
                hint="nothing of it was kept; is the address in the catalogue the right one?",
            )

    async def _start_over(self, why: str) -> Failure:
        if self.has_begun:
            await self._changed()
        await self._in_thread(lambda: self.part.restart(""))
        return Failure(Reason.CONNECTION, why)

    async def _changed(self) -> NoReturn:
        await self._in_thread(lambda: discard(self.part.path))
        raise ContentChangedError

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await trio.to_thread.run_sync(work, limiter=self.limiter)


@asynccontextmanager
async def _unwound(pieces: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """The pieces of a body; whoever leaves before their end leaves no generator half run.

    httpx nests five of them, and closing the outermost abandons the others to
    the garbage collector, of which Trio complains. A cancellation of the
    innermost goes through them all.
    """
    try:
        yield pieces
    finally:
        with trio.CancelScope() as scope, suppress(*TRANSFER_ERRORS):
            scope.cancel()
            async for _ in pieces:
                pass
