"""One request for the body of an image, or for the missing rest of one, over one connection.

A worker makes these requests, in this process or in a child; `transfer` decides which ones are made, and over which
connection. Only the worker has the bytes; everyone else has what `ArrivingBody` says.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Protocol

import httpx
import trio

from oidl.model import Failure, Fetched, Job, Reason
from oidl.net.answer import Download, Interrupted, Redirect, refusal
from oidl.net.body import Body
from oidl.net.client import TRANSFER_ERRORS, Client, failure_of
from oidl.net.coding import undo
from oidl.net.drain import Drain
from oidl.net.headers import content_length

_DRAINED_BYTES = 64 * 1024  # a shorter error page is read to its end, to keep the connection
_DRAIN_S = 1.0  # the longest time for that

Answer = Fetched | Failure | Redirect | Interrupted


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask for; with `is_public_only`, for a redirect by a public server, no private address is asked.

    A worker in another process begins to process a whole body of `job` at once, if it has one.
    """

    url: str
    download: Download
    is_public_only: bool = False
    job: Job | None = None


class ArrivingBody(Protocol):
    """A body that grows while it arrives.

    All further requests for it together have `left_s` seconds. `size` is how many bytes there are so far, `total` its
    length, None if the server did not say. `worker` is the number of the worker that has the bytes: only its
    connections can add some.
    """

    left_s: float

    @property
    def size(self) -> int:
        """The bytes so far."""
        ...

    @property
    def total(self) -> int | None:
        """The length of the whole."""
        ...

    @property
    def worker(self) -> int:
        """The number of the worker that has the bytes."""
        ...

    def abandon(self) -> None:
        """No further request will be made for it; a body that is not whole is dropped."""
        ...


class Connection(Protocol):
    """A connection of one of the node's workers."""

    @property
    def worker(self) -> int:
        """The number of the worker that it belongs to."""
        ...

    @property
    def is_reserved(self) -> bool:
        """Whether it is only for requests that name its worker."""
        ...

    @property
    def load(self) -> int:
        """The number of bodies that its worker has to work on."""
        ...

    def new_body(self, left_s: float) -> ArrivingBody:
        """A body without bytes, for the first request."""
        ...

    async def ask(self, request: Request, body: ArrivingBody) -> Answer | None:
        """Makes one request for the missing rest of `body`, within the time that it has left.

        Returns None if the run started draining before the request was sent. Never raises for a fault of a server or a
        network.
        """
        ...

    async def aclose(self) -> None:
        """Closes the connection."""
        ...


async def _uncounted(_: int) -> None:
    await trio.lowlevel.checkpoint()


class DirectConnection:
    """A `Connection` of this process, by `client`.

    Requests that are not sent are given up at the `drain`. `on_bytes` is called with the length of every piece that
    arrives, and may wait.
    """

    worker: ClassVar[int] = 0
    load: ClassVar[int] = 0
    is_reserved: ClassVar[bool] = False

    def __init__(self, client: Client, drain: Drain, on_bytes: Callable[[int], Awaitable[None]] = _uncounted) -> None:
        self._client = client
        self._drain = drain
        self._on_bytes = on_bytes

    def new_body(self, left_s: float) -> Body:
        """As in `Connection`."""
        return Body(left_s)

    async def aclose(self) -> None:
        """As in `Connection`."""
        await self._client.aclose()

    async def ask(self, request: Request, body: ArrivingBody) -> Answer | None:
        """As in `Connection`; `body` is one of `new_body`."""
        assert isinstance(body, Body)
        answer = None
        with self._drain.unless_begun() as on_sent:
            answer = await self._ask(request, body, on_sent)
        return answer

    async def _ask(self, request: Request, body: Body, on_sent: Callable[[], None]) -> Answer:
        download, url = request.download, request.url
        size_before = body.size
        unwanted: Failure | None = None
        failure = Failure(Reason.TOO_SLOW)
        with trio.move_on_after(body.left_s):
            try:
                async with self._client.stream(
                    "GET", url, body.range_headers, is_public_only=request.is_public_only, on_sent=on_sent
                ) as response:
                    refused = refusal(response, url, download, body)
                    if refused:
                        await _drain(response)
                        return refused
                    size_before, most_bytes = body.size, download.most_bytes(body.coding)
                    async for piece in response.aiter_raw():
                        await self._on_bytes(len(piece))
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
