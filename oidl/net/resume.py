"""Downloads one big file, and resumes where an earlier try, or an earlier run, broke off.

The bytes that arrive are written to a `.part` file (`net.part`) and delivered to a
consumer, in the file's order, each byte once.

The server decides whether a part can be resumed, so nothing of it is
delivered before the answer arrives: with If-Range, 206 means "the same file,
here is the rest" and 200 means "another file, or no ranges here". If a 200 comes after
bytes were delivered, its beginning is compared with them and only the rest is delivered: whatever its headers say,
the delivered bytes and the rest are then this file. If the bytes differ, `ContentChangedError` makes the caller
start the consumer again. Files are written in a thread.
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
from oidl.net.part import PartFile, discard
from oidl.net.ranges import content_range, rest_headers, strong_validator, total_of_416
from oidl.settings import NetworkSettings
from oidl.text import printable, without_passwords, without_secrets

MAX_TRIES = 6  # in a row without any bytes; a try that brings bytes restarts the count
MAX_REDIRECTS = 3
MAX_BACKOFF_S = 60.0
MAX_RETRY_AFTER_S = 120.0
_MAX_UNANSWERED = 3  # tries in a row if there never was an answer: there may be no network
_BATCH = 256 * 1024

_PASSING = {408, 425, 429}  # and 5xx


class ContentChangedError(Exception):
    """The server's file is no longer the one whose beginning was delivered; the part has been removed."""


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
    """Downloads the file at `url` to `part`, delivers all of it, and returns its length in bytes.

    `on_bytes` is called with the number of bytes that come over the network, without those of an
    earlier run; `on_md5` with the server's MD5 of the whole file and the header
    that states it, before any byte is delivered. Raises `MetadataError` if the file cannot be fetched (the part stays
    for the next run) or does not have the expected length (the part is removed),
    `DiskError`, and `ContentChangedError`.
    """
    limiter = trio.CapacityLimiter(1)
    file = await trio.to_thread.run_sync(PartFile.load, part, url, limiter=limiter)
    transfer = _Transfer(url, file, deliver, expected_bytes, on_bytes, on_md5, limiter)
    fruitless = 0
    async with new_client(transfers, tls) as client:
        while True:
            size_before = file.size
            failure = await transfer.attempt(client)
            if failure is None:
                return file.size
            fruitless = 1 if file.size > size_before else fruitless + 1
            most = MAX_TRIES if transfer.was_answered else _MAX_UNANSWERED
            if fruitless >= most or (failure.retry_after_s or 0) > MAX_RETRY_AFTER_S:
                if not file.validator:  # a later run could not tell which file the part belongs to
                    await trio.to_thread.run_sync(discard, part, limiter=limiter)
                raise MetadataError(
                    f"{without_secrets(url)} could not be fetched: {failure.detail}",
                    hint=_what_to_do(file, was_answered=transfer.was_answered),
                )
            backoff_s = random.uniform(0, min(MAX_BACKOFF_S, 2.0 ** (fruitless - 1)))
            await trio.sleep(max(backoff_s, failure.retry_after_s or 0))


def _what_to_do(part: PartFile, *, was_answered: bool) -> str:
    if part.size and part.validator:
        return "run the same command again to resume; the bytes that have arrived are kept"
    if part.size:
        return "run the same command again later; the server cannot resume, so it starts from the beginning"
    check = "nothing has arrived; " if was_answered else "there was no answer; check the network and the address, then "
    return f"{check}run the same command again{' later' if was_answered else ''}"


@dataclass(slots=True)
class _Transfer:
    """All that changes while one file is fetched.

    `has_begun` when the consumer has received the part of an earlier run, `was_answered` after the first answer.
    """

    url: str
    part: PartFile
    deliver: Callable[[bytes], Awaitable[None]]
    expected_bytes: int | None
    on_bytes: Callable[[int], Awaitable[None]]
    on_md5: Callable[[str, str], None]
    limiter: trio.CapacityLimiter
    has_begun: bool = False
    was_answered: bool = False

    async def attempt(self, client: Client) -> Failure | None:
        """Makes one try; returns None if the file is complete, otherwise why the try ended early."""
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
        answer = f"{status} {printable(response.reason_phrase)}".rstrip()
        raise MetadataError(
            f"{without_secrets(self.url)} could not be fetched: the server answered {answer}",
            hint="check the address in the catalogue; the file may have moved, or may require permission",
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
            return await self._start_over("the server sent a range that was not requested")
        return await self._body(response, span.total, self.part.size)

    async def _nothing_left(self, response: httpx.Response) -> Failure | None:
        total = total_of_416(response.headers)
        if (self.expected_bytes if total is None else total) != self.part.size:
            return await self._start_over("the server's file is shorter than the part that has arrived")
        if md5 := server_md5({"ETag": self.part.validator}):
            self.on_md5(*md5)
        await self._begin()
        return None

    async def _body(self, response: httpx.Response, total: int | None, start: int) -> Failure | None:
        """Reads the body, which is the file from `start` on.

        Bytes that arrived before a break are kept, so the next try resumes there.
        """
        await self._check_length(total)
        if md5 := server_md5(response.headers):
            self.on_md5(*md5)
        await self._begin()
        failure = None
        batch = bytearray()
        async with _aclosing(response.aiter_raw()) as pieces:
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
        """Delivers the part of an earlier run to the consumer, before anything new."""
        offset = self.part.size if self.has_begun else 0
        self.has_begun = True
        while offset < self.part.size:
            data = await trio.to_thread.run_sync(self.part.read, offset, limiter=self.limiter)
            await self.deliver(data)
            offset += len(data)

    async def _keep(self, batch: bytearray, start: int) -> int:
        """Saves and delivers the new bytes of `batch`, which begins at `start`, and empties it; returns its length."""
        count = len(batch)
        if start < self.part.size:
            earlier = await trio.to_thread.run_sync(self.part.read, start, count, limiter=self.limiter)
            if not batch.startswith(earlier):
                await self._changed()
            del batch[: len(earlier)]
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
                hint="check the address in the catalogue; the bytes that arrived were removed",
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
async def _aclosing(pieces: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """The pieces of a body; leaving the block before their end leaves no generator unfinished.

    httpx nests five generators, and closing the outermost one leaves the others to
    the garbage collector, about which Trio complains. Cancelling the
    innermost one unwinds them all.
    """
    try:
        yield pieces
    finally:
        with trio.CancelScope() as scope, suppress(*TRANSFER_ERRORS):
            scope.cancel()
            async for _ in pieces:
                pass
