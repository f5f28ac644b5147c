"""Fetches one image: its whole body, or why that failed.

Redirects are followed, and an interrupted body is resumed if the server supports it. One deadline covers all requests
of a transfer, because httpx's read timeout is per read, and a body that drips never reaches it. `answer` judges the
status and the headers of an answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import trio

from oidl.model import Blame, Failure, Fetched, Job, Reason, Source
from oidl.net.answer import Download, Interrupted, Redirect
from oidl.net.connections import Connections
from oidl.net.permits import CANCELLED, Permits
from oidl.net.request import Answer, ArrivingBody, Request
from oidl.settings import NetworkSettings

MAX_REDIRECTS = 3
MAX_CONTINUATIONS = 3  # of one body that breaks off again and again

OnRequest = Callable[[str, ArrivingBody], None]


def _unheard(url: str, body: ArrivingBody) -> None:
    """For callers that need no message about requests."""


@dataclass(frozen=True, slots=True)
class Downloader:
    """Fetches images with the permits and connections of one machine."""

    permits: Permits
    connections: Connections
    transfers: NetworkSettings

    async def fetch(
        self,
        download: Download,
        on_request: OnRequest = _unheard,
        worker: int | None = None,
        job: Job | None = None,
    ) -> Fetched | Failure | None:
        """The whole body of `download`, or why it could not be fetched; None if the run started draining first.

        Never raises for a fault of a server or a network. Follows three redirects, never from https to http.
        `on_request` is called for every request with its URL and the body, which grows while the answer
        arrives. A `Failure` names the URL that failed, which may be that of a redirect. The worker with the number
        `worker` makes the requests; None means any worker. `job` is that of `Request`.
        """
        request = Request(download.url, download, job=job)
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._fetch_from(request, on_request, worker)
            if isinstance(answer, Failure):
                return _located(answer, download.source, request.url)
            if not isinstance(answer, Redirect):
                return answer
            request = Request(answer.url, download, answer.is_from_public, job)
        return _located(
            Failure(Reason.HTTP_ERROR, f"more than {MAX_REDIRECTS} redirects"), download.source, request.url
        )

    async def _fetch_from(
        self, request: Request, on_request: OnRequest, worker: int | None
    ) -> Fetched | Failure | Redirect | None:
        """The answer of one URL, in as many requests as necessary.

        Each request waits for a permit like any other; that time does not count towards the deadline.
        """
        download = request.download
        deadline_s = self.transfers.deadline_s(min(download.cap_bytes, download.size_bytes or download.cap_bytes))
        body: ArrivingBody | None = None
        interrupted: Failure | None = None
        answer: Answer | None
        try:
            for _ in range(MAX_CONTINUATIONS + 1):
                async with self.permits.request(request.url) as permit:
                    if permit is None:
                        answer = None if self.permits.drain.has_begun else self._not_asked(request.url)
                    else:
                        async with self.connections.to(permit.host, body.worker if body else worker) as connection:
                            body = body or connection.new_body(deadline_s)
                            started_at = trio.current_time()
                            on_request(request.url, body)
                            answer = self._bounded(await connection.ask(request, body))
                            permit.failure = _failure_in(answer)
                            body.left_s = max(0.0, body.left_s - (trio.current_time() - started_at))
                match answer:
                    case None:  # the run drains, and no request was sent
                        return interrupted
                    case Interrupted():
                        interrupted = answer.failure
                    case Failure(reason=Reason.TOO_SLOW, detail=""):
                        return Failure(Reason.TOO_SLOW, f"not complete after {deadline_s:.0f} s")
                    case Fetched() if body:
                        return replace(answer, transfer_s=deadline_s - body.left_s)
                    case _:
                        return answer
            return interrupted
        finally:
            if body:
                body.abandon()

    def _bounded(self, answer: Answer | None) -> Answer | None:
        """`answer`, with a `Retry-After` no longer than the user allows."""
        if isinstance(answer, Failure) and answer.retry_after_s is not None:
            return replace(answer, retry_after_s=min(answer.retry_after_s, self.transfers.max_retry_after_s))
        return answer

    def _not_asked(self, url: str) -> Failure:
        backoff = self.permits.backoff(url)
        if backoff is None:  # it ended at this very moment
            return Failure(Reason.RATE_LIMITED, "its host was paused", retry_after_s=0.0, blame=Blame.NOT_ASKED)
        return Failure(backoff.reason, backoff.detail, retry_after_s=backoff.wait_s, blame=Blame.NOT_ASKED)


def _failure_in(answer: Answer | None) -> Failure | None:
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


def _located(failure: Failure, source: Source, url: str) -> Failure:
    return replace(failure, source=source, url=url)
