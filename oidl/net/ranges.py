"""A body in two answers: with what the rest of it is asked for, and what an answer says it is. Pure.

As in RFC 9110: `If-Range` in 13.1.5, strong validators in 8.8.1 and 8.8.2.2,
ranges in 14. The rule: without a validator that tells one version of a file
from the next no rest is asked for, as the two halves might be of two files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from oidl.net.headers import content_length, http_date

_SPAN = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_NOTHING = re.compile(r"bytes \*/([0-9]{1,18})")
# As in RFC 9110, 8.8.3, but ASCII only, as it goes back in a header; and with blanks, which some servers send.
_TAG = re.compile('"[\x20\x21\x23-\x7e]{0,254}"')


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes that a 206 brings: from `start` up to and without `stop`, of `total` (None where it is not told)."""

    start: int
    stop: int
    total: int | None


def strong_validator(headers: Mapping[str, str]) -> str:
    """What `If-Range` may be asked with: a strong ETag, or a date that is as good; "" for neither.

    A date does only where there is no ETag at all, and where the answer was
    made a second or more after it: a file that changed twice in one second has
    the same date twice.
    """
    tag = headers.get("ETag")
    if tag is not None:
        return tag if _TAG.fullmatch(tag) else ""
    modified = headers.get("Last-Modified", "")
    made_at, modified_at = http_date(headers.get("Date")), http_date(modified)
    if made_at is None or modified_at is None or not modified.isascii():
        return ""
    return modified if (made_at - modified_at).total_seconds() >= 1 else ""


def rest_headers(start: int, validator: str) -> dict[str, str]:
    """The headers that ask for what comes from byte `start` on, if it is still the same file; none at the beginning."""
    if not start or not validator or not validator.isascii():
        return {}
    return {"Range": f"bytes={start}-", "If-Range": validator}


def content_range(headers: Mapping[str, str]) -> Span | None:
    """What a 206 says it brings; None where it does not say, or makes no sense."""
    found = _SPAN.fullmatch(headers.get("Content-Range", ""))
    if found is None:
        return None
    start, stop, total = int(found[1]), int(found[2]) + 1, content_length(found[3])
    if not start < stop or (total is not None and stop > total):
        return None
    return Span(start, stop, total)


def is_whole(headers: Mapping[str, str]) -> bool:
    """Whether a 206 that was not asked for brings all of the file."""
    span = content_range(headers)
    return span is not None and span.start == 0 and span.total in (None, span.stop)


def total_of_416(headers: Mapping[str, str]) -> int | None:
    """How long a file is of which nothing is left from the byte asked for on; None where that is not told."""
    found = _NOTHING.fullmatch(headers.get("Content-Range", ""))
    return int(found[1]) if found else None
