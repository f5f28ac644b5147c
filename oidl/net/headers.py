"""What response headers say, read without trusting them. Pure.

The rule: a header that cannot be read says nothing. No value raises an error here, whatever is in it.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

from oidl.text import URL_CHARACTERS

_LONGEST_PAUSE_S = 365 * 86_400.0  # no date can be told for what some servers would ask

_NUMBER = re.compile("[0-9]{1,18}")  # more digits than any file has bytes say nothing
_DATE_CHARACTERS = 64  # of the longest form of a date, a blank here and there included

_GOOG_MD5 = re.compile(r"\bmd5=([A-Za-z0-9+/]{21}[AQgw]==)")
_MD5_ETAG = re.compile('"([0-9A-Fa-f]{32})"')
_SUFFIX_TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "tif": "image/tiff",
    "tiff": "image/tiff",
}


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header: a number of seconds or an HTTP date (RFC 9110, 10.2.3).

    None where there is no such header or it says nothing that can be read; never negative, at most a year.
    """
    if not value:
        return None
    if value.strip().isdecimal():
        return min(float(value[:_DATE_CHARACTERS]), _LONGEST_PAUSE_S)
    until = http_date(value)
    return None if until is None else min(max(0.0, (until - now).total_seconds()), _LONGEST_PAUSE_S)


def http_date(value: str | None) -> datetime | None:
    """The time that an HTTP date names, in UTC; None if it is not one."""
    if not value or len(value) > _DATE_CHARACTERS:
        return None
    try:
        time = parsedate_to_datetime(value)
        # "-0000" has no zone: the sender does not say. HTTP dates are GMT.
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except Exception:  # ValueError, and OverflowError, TypeError or IndexError for some dates that no calendar has
        return None


def server_md5(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The MD5 (lower-case hex) that a server says its whole file has, and the header that says so; None if none does.

    Google's storage says it in `x-goog-hash`, of the file as stored. An S3 ETag of 32 hex digits is the MD5 of an
    object that was put there in one part, and not encrypted with a key of somebody's own (S3 API, "Object").
    """
    if headers.get("x-goog-stored-content-encoding", "identity") == "identity":
        found = _GOOG_MD5.search(headers.get("x-goog-hash", ""))
        if found:
            return base64.b64decode(found[1]).hex(), "x-goog-hash"
    found = _MD5_ETAG.fullmatch(headers.get("ETag", ""))
    if found is None or headers.get("x-amz-server-side-encryption", "AES256") != "AES256":
        return None
    is_of_other = any(
        headers.get(name) is not None  # "in" has httpx make a dictionary of them all
        for name in ("x-amz-server-side-encryption-customer-algorithm", "x-goog-hash", "x-goog-stored-content-encoding")
    )
    return None if is_of_other else (found[1].lower(), "etag")


def content_length(value: str | None) -> int | None:
    """The body's length in bytes, or None if it is not given or is no number that a file's length can be."""
    return int(value) if value and _NUMBER.fullmatch(value) else None


def content_coding(headers: Mapping[str, str]) -> str:
    """How the body was coded to travel, in lower case; "" if it was not."""
    coding = headers.get("Content-Encoding", "").strip().lower()
    return {"identity": "", "x-gzip": "gzip"}.get(coding, coding)


def is_text(content_type: str) -> bool:
    """Whether a Content-Type says that this is a page and no picture."""
    kind = _kind(content_type)
    return kind.startswith("text/") or kind.endswith(("/xml", "+xml", "/json", "+json"))


def is_other_picture(content_type: str, url: str) -> bool:
    """Whether a Content-Type names another image format than the URL's own suffix does.

    So it is with placeholders: a PNG that says "unavailable", served for a `.jpg`.
    """
    kind = _kind(content_type)
    expected = _SUFFIX_TYPES.get(urlsplit(url).path.rpartition(".")[2].lower())
    return expected is not None and kind.startswith("image/") and kind not in (expected, "image/jpg", "image/pjpeg")


def is_placeholder(location: str) -> bool:
    """Whether a redirect leads to Flickr's picture that says the photo is gone."""
    return "photo_unavailable" in location.partition("?")[0]


def is_private_host(host: str) -> bool:
    """Whether `host` is this machine, or an address that is not of the public internet (loopback, private, link-local).

    Of any other name that is known once it is resolved.
    """
    host = host.strip("[]").rstrip(".").partition("%")[0].lower()
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global


def redirect_target(url: str, location: str, *, is_from_public: bool = False) -> str:
    """Where a redirect from `url` leads.

    Raises `ValueError`, in words, if it must not be followed: from https to http, away from the web, by a URL that is
    too long to be kept, or, if the server that sent it is a public one (`is_from_public`), to a private address:
    what lies behind the user's firewall is not for servers outside to ask for.

    What `url` has of a user and a password stays with its host.
    """
    try:
        target = urljoin(url, location)
        old, new, host = urlsplit(url).scheme, urlsplit(target).scheme, urlsplit(target).hostname or ""
        if urlsplit(target).port == 0:  # reading it refuses what is no number, or too large
            raise ValueError("port 0")
    except ValueError as error:
        raise ValueError(f"redirect to {location!r}, which is no URL") from error
    if new not in ("http", "https") or (old == "https" and new == "http"):
        raise ValueError(f"redirect to {target}, which is not followed")
    if len(target) > URL_CHARACTERS:
        raise ValueError(f"redirect to a URL of {len(target)} characters, which is not followed")
    if is_from_public and is_private_host(host):
        raise ValueError(f"redirect to {target}, a private address, which is not followed")
    return target


def _kind(content_type: str) -> str:
    return re.split(r"[;,\s]", content_type.strip(), maxsplit=1)[0].lower()  # the first, where several are given
