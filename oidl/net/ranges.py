"""Range requests: how to ask for the rest of a body, and what an answer contains. Pure.

See RFC 9110: `If-Range` in 13.1.5, strong validators in 8.8.1 and 8.8.2.2,
ranges in 14. The rule: without a validator that distinguishes one version of a file
from the next, oidl never asks for the rest, because the halves might be of two files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from oidl.net.headers import content_length, http_date

_SPAN = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_NOTHING = re.compile(r"bytes \*/([0-9]{1,18})")
# As in RFC 9110, 8.8.3, but ASCII only, because it is sent back in a header; and with blanks, which some servers send.
_TAG = re.compile('"[\x20\x21\x23-\x7e]{0,254}"')


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes in a 206: from `start` up to but not including `stop`, of `total` (None if not given)."""

    start: int
    stop: int
    total: int | None


def strong_validator(headers: Mapping[str, str]) -> str:
    """The value for `If-Range`: a strong ETag, or a date that is as good; "" for neither.

    A date is used only if there is no ETag at all, and if the answer was made at least
    a second after it: a file that changes twice in one second has the same date twice.
    """
    tag = headers.get("ETag")
    if tag is not None:
        return tag if _TAG.fullmatch(tag) else ""
    modified = headers.get("Last-Modified", "")
    sent_at, modified_at = http_date(headers.get("Date")), http_date(modified)
    if sent_at is None or modified_at is None or not modified.isascii():
        return ""
    return modified if (sent_at - modified_at).total_seconds() >= 1 else ""


def rest_headers(start: int, validator: str) -> dict[str, str]:
    """The headers that ask for the bytes from `start` on, if it is still the same file; empty for `start` 0."""
    if not start or not validator or not validator.isascii():
        return {}
    return {"Range": f"bytes={start}-", "If-Range": validator}


def content_range(headers: Mapping[str, str]) -> Span | None:
    """The bytes that a 206 says it contains; None if it does not say, or makes no sense."""
    numbers = _SPAN.fullmatch(headers.get("Content-Range", ""))
    if numbers is None:
        return None
    start, stop, total = int(numbers[1]), int(numbers[2]) + 1, content_length(numbers[3])
    if not start < stop or (total is not None and stop > total):
        return None
    return Span(start, stop, total)


def is_whole(headers: Mapping[str, str]) -> bool:
    """Whether an unrequested 206 contains the whole file."""
    span = content_range(headers)
    return span is not None and span.start == 0 and span.total in (None, span.stop)


def total_of_416(headers: Mapping[str, str]) -> int | None:
    """The length of the file in a 416, for which no bytes were left; None if not given."""
    number = _NOTHING.fullmatch(headers.get("Content-Range", ""))
    return int(number[1]) if number else None
