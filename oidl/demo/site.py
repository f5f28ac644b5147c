"""The answers of a server, and the requests it received: values and counts, no network.

A `CannedResponse` is one answer to a path, a `Site` the answers to all paths. A
`ServerFault` says how a body fails to arrive whole; `server` knows how to break HTTP so.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

TOO_MANY = b"<h1>429 Too Many Requests</h1> You have sent too many requests in a given amount of time."
"""The answer of Flickr: HTML, and without a Retry-After."""


class ServerFault(StrEnum):
    """How the server sends an answer."""

    NORMAL = "normal"  # whole, with its Content-Length; understands Range, If-Range and HEAD
    CHUNKED = "chunked"  # whole, in chunks and without a length
    NO_LENGTH = "no-length"  # whole, without a length; ends when the connection does
    SLOW = "slow"  # whole, at `bytes_per_s`
    DRIP = "drip"  # a byte now and then, which no timeout between two reads ever notices
    CUT = "cut"  # stops short of its Content-Length, then closes
    RESET = "reset"  # stops short, then resets the connection
    STALL = "stall"  # stops short and sends nothing more, until the client leaves
    ENDLESS = "endless"  # chunks of the body over and over
    GARBAGE = "garbage"  # not HTTP at all


@dataclass(frozen=True, slots=True)
class CannedResponse:
    """The answer to requests for a path.

    A callable `body` is called in a thread for every request; a `Path` is read from
    disk piece by piece. The first requests get the answers in `first`, one each.
    `stops_at` is the share of the body that CUT, RESET and STALL still send. If such
    an answer is `resumable`, it understands Range and If-Range, so a client can
    request the rest.
    """

    body: bytes | Path | Callable[[], bytes] = b""
    status: int = 200
    content_type: str = "image/jpeg"
    headers: Mapping[str, str] = field(default_factory=dict)
    behaviour: ServerFault = ServerFault.NORMAL
    bytes_per_s: float = 4.0
    stops_at: float = 0.5
    resumable: bool = False
    first: tuple["CannedResponse", ...] = ()


def status_answer(status: int, **headers: str) -> CannedResponse:
    """A short error page; `headers` are in Python spelling (`retry_after="1"`)."""
    page = f"<html><body><h1>{status}</h1></body></html>".encode()
    return CannedResponse(
        page, status, "text/html", {name.replace("_", "-").title(): headers[name] for name in headers}
    )


def redirect(location: str, status: int = 302) -> CannedResponse:
    """Redirects the client to `location`."""
    return CannedResponse(b"", status, "text/html", {"Location": location})


@dataclass(slots=True)
class Connections:
    """The number of open connections, and their peak, in total and by server host."""

    open: int = 0
    peak: int = 0
    opened: int = 0
    open_at: Counter[str] = field(default_factory=Counter)
    peak_at: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def counting(self, host: str) -> Iterator[None]:
        """Counts one connection to `host` while it is open."""
        self.opened += 1
        self.open += 1
        self.open_at[host] += 1
        self.peak = max(self.peak, self.open)
        self.peak_at[host] = max(self.peak_at.get(host, 0), self.open_at[host])
        try:
            yield
        finally:
            self.open -= 1
            self.open_at[host] -= 1


class Site:
    """Paths and their answers, and a log of the requests.

    `answers` may change while a server runs. Requests beyond `max_rps` within one second
    get a 429, with a Retry-After if `retry_after_s` is given; they do not use up any of
    `CannedResponse.first`. `log` has the path and status of every answer, 0 if it was not HTTP.
    """

    def __init__(
        self,
        answers: Mapping[str, CannedResponse] | None = None,
        *,
        max_rps: float | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        self.answers = dict(answers or {})
        self.max_rps = max_rps
        self.retry_after_s = retry_after_s
        self.requests: Counter[str] = Counter()
        self.log: list[tuple[str, int]] = []
        self.connections = Connections()
        self._counts: Counter[str] = Counter()
        self._recent: deque[float] = deque()

    def answer(self, path: str, now: float) -> CannedResponse:
        """The answer to a request for `path` at the time `now` (seconds on any clock); counts the request."""
        self.requests[path] += 1
        if self._is_too_fast(now):
            headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
            return CannedResponse(TOO_MANY, 429, "text/html", headers)
        answer = self.answers.get(path)
        if answer is None:
            return status_answer(404)
        number = self._counts[path]
        self._counts[path] += 1
        return answer.first[number] if number < len(answer.first) else answer

    def _is_too_fast(self, now: float) -> bool:
        if self.max_rps is None:
            return False
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()
        if len(self._recent) >= self.max_rps:
            return True
        self._recent.append(now)
        return False


_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".html": "text/html",
    ".csv": "text/csv",
    ".txt": "text/plain",
    ".json": "application/json",
    ".gz": "application/gzip",
    ".zip": "application/zip",
}


def content_type(file: Path) -> str:
    """The content type of `file`, by its name."""
    return _TYPES.get(file.suffix, "application/octet-stream")


def site_of_directory(directory: Path) -> Site:
    """A site with every file that is now under `directory`, at its relative path."""
    return Site(
        {
            f"/{path.relative_to(directory).as_posix()}": CannedResponse(path, content_type=content_type(path))
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }
    )
