"""Reads response headers without trusting them. Pure.

The rule: an unreadable header says nothing. No value raises an error here, whatever it contains.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

from oidl.text import URL_CHARACTERS

_LONGEST_PAUSE_S = 365 * 86_400.0  # some servers ask for more than dates can express

_NUMBER = re.compile("[0-9]{1,18}")  # no file is longer than that
_DIGITS = re.compile("[0-9]+")  # `isdecimal` and `int` also take those of other scripts
_DATE_CHARACTERS = 64  # the longest form of a date, with a few extra blanks

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
    """Seconds to wait according to a `Retry-After` header: a number of seconds or an HTTP date (RFC 9110, 10.2.3).

    None if there is no such header or it is unreadable; never negative, at most a year.
    """
    if not value:
        return None
    if _DIGITS.fullmatch(value.strip()):
        return min(float(value[:_DATE_CHARACTERS]), _LONGEST_PAUSE_S)
    until = http_date(value)
    return None if until is None else min(max(0.0, (until - now).total_seconds()), _LONGEST_PAUSE_S)


def http_date(value: str | None) -> datetime | None:
    """The time of an HTTP date, in UTC; None if `value` is not one."""
    if not value or len(value) > _DATE_CHARACTERS or not value.isascii() or "_" in value:
        return None
    try:
        time = parsedate_to_datetime(value)
        # "-0000" means an unknown zone. HTTP dates are GMT.
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except Exception:  # ValueError, and OverflowError, TypeError or IndexError for some dates that no calendar has
        return None


def server_md5(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The server's MD5 of its whole file (lower-case hex) and the header that states it; None if none does.

    Google's storage states it in `x-goog-hash`, for the stored file. An S3 ETag of 32 hex digits is the MD5 of an
    object that was uploaded in one part and not encrypted with a customer's key (S3 API, "Object").
    """
    if headers.get("x-goog-stored-content-encoding", "identity") == "identity":
        md5 = _GOOG_MD5.search(headers.get("x-goog-hash", ""))
        if md5:
            return base64.b64decode(md5[1]).hex(), "x-goog-hash"
    md5 = _MD5_ETAG.fullmatch(headers.get("ETag", ""))
    if md5 is None or headers.get("x-amz-server-side-encryption", "AES256") != "AES256":
        return None
    is_something_else = any(
        headers.get(name) is not None  # "in" makes httpx build a dictionary of all headers
        for name in ("x-amz-server-side-encryption-customer-algorithm", "x-goog-hash", "x-goog-stored-content-encoding")
    )
    return None if is_something_else else (md5[1].lower(), "etag")


def content_length(value: str | None) -> int | None:
    """The body's length in bytes, or None if it is not given or cannot be the length of a file."""
    return int(value) if value and _NUMBER.fullmatch(value) else None


def content_coding(headers: Mapping[str, str]) -> str:
    """The content coding of the body, in lower case; "" if it has none."""
    coding = headers.get("Content-Encoding", "").strip().lower()
    return {"identity": "", "x-gzip": "gzip"}.get(coding, coding)


def is_text(content_type: str) -> bool:
    """Whether a Content-Type announces a page, not an image."""
    kind = _kind(content_type)
    return kind.startswith("text/") or kind.endswith(("/xml", "+xml", "/json", "+json"))


def is_other_picture(content_type: str, url: str) -> bool:
    """Whether a Content-Type names another image format than the suffix of the URL.

    Placeholders are like this: a PNG that says "unavailable", served for a `.jpg`.
    """
    kind = _kind(content_type)
    expected = _SUFFIX_TYPES.get(urlsplit(url).path.rpartition(".")[2].lower())
    return expected is not None and kind.startswith("image/") and kind not in (expected, "image/jpg", "image/pjpeg")


def is_placeholder(location: str) -> bool:
    """Whether a redirect leads to Flickr's image that says that the photo is gone."""
    return "photo_unavailable" in location.partition("?")[0]


def is_private_host(host: str) -> bool:
    """Whether `host` is this machine, or an address outside the public internet (loopback, private, link-local).

    For other names this is known only when they are resolved.
    """
    host = host.strip("[]").rstrip(".").partition("%")[0].lower()
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global


def redirect_target(url: str, location: str, *, is_from_public: bool = False) -> str:
    """The URL that a redirect from `url` leads to.

    Raises `ValueError`, with a message, if the redirect must not be followed: from https to http, to another scheme, to
    a URL that is too long to store, or, if a public server sent it (`is_from_public`), to a private address:
    servers outside must not make oidl ask for files behind the user's firewall.

    A user and password in `url` are not sent to another host.
    """
    try:
        target = urljoin(url, location)
        old, new, host = urlsplit(url).scheme, urlsplit(target).scheme, urlsplit(target).hostname or ""
        if urlsplit(target).port == 0:  # reading the port raises for text and for numbers that are too large
            raise ValueError("port 0")
    except ValueError as error:
        raise ValueError(f"redirect to {location!r}, which is not a URL") from error
    if new not in ("http", "https") or (old == "https" and new == "http"):
        raise ValueError(f"redirect to {target}, which is not followed")
    if len(target) > URL_CHARACTERS:
        raise ValueError(f"redirect to a URL of {len(target)} characters, which is not followed")
    if is_from_public and is_private_host(host):
        raise ValueError(f"redirect to {target}, a private address, which is not followed")
    return target


def _kind(content_type: str) -> str:
    return re.split(r"[;,\s]", content_type.strip(), maxsplit=1)[0].lower()  # the first, if several are given
