"""Judges an answer by its status line and headers, before its body. Pure, except for the clock.

The checks follow the contract's order: connection and status, redirect, content type, length. `node.integrity` judges
the bytes themselves. None of these checks is the last word on an answer that may still be the published file: if its
length is the published one, or is not known yet, the objection is kept as `Body.doubt`, and counts only if the bytes
are not the published ones.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from oidl.model import Blame, Failure, Reason, Source
from oidl.net.body import Body
from oidl.net.client import is_from_public
from oidl.net.coding import CODINGS
from oidl.net.headers import (
    content_coding,
    content_length,
    is_other_picture,
    is_placeholder,
    is_text,
    redirect_target,
    retry_after_s,
)
from oidl.net.ranges import is_whole

_REASONS = {
    404: Reason.NOT_FOUND,
    410: Reason.GONE,
    403: Reason.FORBIDDEN,
    407: Reason.CONNECTION,  # from a proxy: it says nothing about the image
    429: Reason.RATE_LIMITED,
}


@dataclass(frozen=True, slots=True)
class Download:
    """What to fetch: `size_bytes` is the published size, None if there is none; `cap_bytes` is the most to read."""

    url: str
    source: Source
    size_bytes: int | None
    cap_bytes: int

    def most_bytes(self, coding: str) -> int:
        """The most bytes of an answer to read; a content coding makes incompressible data a little longer."""
        return self.cap_bytes + (self.cap_bytes // 100 + 1000 if coding else 0)


@dataclass(frozen=True, slots=True)
class Redirect:
    """An answer that names another URL; if a public host sent it, private hosts are refused."""

    url: str
    is_from_public: bool


@dataclass(frozen=True, slots=True)
class Interrupted:
    """An answer that broke off with `failure`; a request for the rest may still complete the body."""

    failure: Failure


def refusal(
    response: httpx.Response, url: str, download: Download, body: Body
) -> Failure | Redirect | Interrupted | None:
    """Why the body of an answer from `url` must not be read; if None, `body` is ready for it."""
    status = response.status_code
    if body.range_headers and status == 206 and body.is_continued_by(response.headers):
        return None
    if body.range_headers and status in (206, 416):
        body.forget()
        return Interrupted(
            Failure(Reason.CONNECTION, "the server did not continue where the body broke off", http_status=status)
        )
    body.forget()
    if response.is_redirect and "Location" in response.headers:
        return _redirect(response, url)
    doubt = _doubt(response, url)
    coding = content_coding(response.headers)
    length = content_length(response.headers.get("Content-Length"))
    wrong = _wrong_length(response, download, coding, length, doubt)
    if wrong is None:
        body.begin(response.headers, doubt)
    return wrong


def _wrong_length(
    response: httpx.Response, download: Download, coding: str, length: int | None, doubt: Failure | None
) -> Failure | None:
    """Why a body of this `length` and content `coding` cannot be the published file; `doubt` if that is final."""
    status, size = response.status_code, download.size_bytes
    is_published_length = not coding and bool(size) and length == size
    if doubt and not is_published_length:
        may_be_it = doubt.reason is Reason.NOT_AN_IMAGE and size is not None and (length is None or bool(coding))
        if not may_be_it:
            return doubt
    if coding and coding not in CODINGS and length != size:
        detail = f"content coding {coding}, which was not asked for"
        return Failure(Reason.CONNECTION, detail, http_status=status)
    if length is not None and size is not None and length != size and not coding:
        is_image = length > 0 and response.headers.get("Content-Type", "").startswith("image/")
        blame = Blame.SERVER if is_image else Blame.PATH  # a page instead of the image says nothing about the photo
        detail = f"{length} bytes, published {size}"
        return Failure(Reason.SIZE_MISMATCH, detail, http_status=status, blame=blame)
    most = download.most_bytes(coding)
    if length is not None and length > most:
        return Failure(Reason.TOO_LARGE, f"{length} bytes, at most {most} allowed", http_status=status)
    return None


def _doubt(response: httpx.Response, url: str) -> Failure | None:
    """The objection to the body that follows from status and content type, if there is one."""
    status = response.status_code
    if status == 206 and not is_whole(response.headers):
        return Failure(Reason.CONNECTION, "HTTP 206: a part, which was not asked for", http_status=status)
    if status not in (200, 203, 206):
        wait_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
        reason = _REASONS.get(status, Reason.HTTP_ERROR)
        if status == 503 and wait_s is not None:
            reason = Reason.RATE_LIMITED
        detail = "the proxy requires a login (HTTP 407)" if status == 407 else f"HTTP {status}"
        return Failure(reason, detail, http_status=status, retry_after_s=wait_s)
    kind = response.headers.get("Content-Type", "")
    if is_text(kind):
        return Failure(Reason.NOT_AN_IMAGE, f"content type {kind}", http_status=status)
    if is_other_picture(kind, url):
        return Failure(Reason.NOT_AN_IMAGE, f"content type {kind}, like a placeholder", http_status=status)
    return None


def _redirect(response: httpx.Response, url: str) -> Failure | Redirect:
    status, location = response.status_code, response.headers["Location"]
    try:
        if is_placeholder(location):  # on any host
            return Failure(Reason.UNAVAILABLE, f"redirect to {location}", http_status=status)
        is_public = is_from_public(url, response)
        target = redirect_target(url, location, is_from_public=is_public)
        httpx.URL(target)
        return Redirect(target, is_public)
    except httpx.InvalidURL as error:
        return Failure(Reason.HTTP_ERROR, f"redirect to {location!r}: {error}", http_status=status)
    except ValueError as error:
        return Failure(Reason.HTTP_ERROR, str(error), http_status=status)
