"""An answer about a photo, and the steps that all services have in common: JSON or XML, identity, comparison."""

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from oidl.model import (
    CheckResult,
    License,
    LicenseChange,
    PublishedPhoto,
    Verdict,
    license_key,
    license_of_id,
    license_of_url,
)
from oidl.text import URL_CHARACTERS, printable, shortened

_SHOWN = 120  # characters of a server's text in a reason
_NAME_CHARACTERS = 200
_LOGIN = ("login", "signin")
_ACCOUNTS = re.compile(r"(?:.+\.)?(?:flickr|yahoo)\.com")  # hosts that know who may see a photo


@dataclass(frozen=True, slots=True)
class PhotoAnswer:
    """An answer to one question: its status, its body, and where it redirects to, "" if it does not."""

    status: int
    body: bytes = b""
    location: str = ""


@dataclass(frozen=True, slots=True)
class Unusable:
    """An answer that says nothing about the photo, and may come from something in between: a portal, a proxy.

    `known` is what another answer about the photo said.
    """

    reason: str
    http_status: int | None = None
    known: CheckResult | None = None


@dataclass(frozen=True, slots=True)
class Passing:
    """The service says that it cannot answer now."""

    reason: str


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """The service does not accept the API key."""

    reason: str


Reading = CheckResult | Unusable | Passing | KeyRefused


@dataclass(frozen=True, slots=True)
class Page:
    """The place of a photo in its URL: its number, and its owner: an alias, or a number like `12345678@N00`."""

    owner: str
    photo_id: str


@dataclass(frozen=True, slots=True)
class Author:
    """Who an answer says that a photo is by: `owners` are aliases and numbers, `names` what the author is called."""

    owners: frozenset[str]
    names: tuple[str, ...] = ()
    url: str | None = None


def page_of(url: str) -> Page | None:
    """The photo whose page is at `url`; None if that is no page of a photo."""
    parts = _path(url)
    if len(parts) < 3 or parts[0] != "photos" or not (parts[2].isascii() and parts[2].isdigit()):
        return None
    return Page(parts[1], parts[2])


def owner_of(url: str) -> str | None:
    """The owner in the URL of a profile, of a photo or of all photos of a person; None if there is none."""
    parts = _path(url)
    return parts[1] if len(parts) > 1 and parts[0] in ("people", "photos") else None


def is_login(location: str) -> bool:
    """Whether a redirect to `location` leads to a login page of Flickr; those of other hosts are the network's."""
    try:
        parts = urlsplit(location.lower())
        if not _ACCOUNTS.fullmatch(parts.hostname or ""):
            return False
        places = (parts.hostname or "").partition(".")[0], parts.path.strip("/").partition("/")[0]
        return places[0] == "identity" or any(word in place for place in places for word in _LOGIN)
    except ValueError:
        return False


def redirected(answer: PhotoAnswer) -> CheckResult | Unusable:
    """What an answer that redirects elsewhere says."""
    if is_login(answer.location):
        return CheckResult(Verdict.PRIVATE, "a redirect to a login page", answer.status)
    return Unusable(f"a redirect to {shown(answer.location)}", answer.status)


def read_status(answer: PhotoAnswer, verdicts: Mapping[int, tuple[Verdict, str]]) -> CheckResult | Unusable | None:
    """What an answer says by its redirect or its status, of which some are `verdicts`; None if its body says it."""
    if answer.location:
        return redirected(answer)
    if answer.status in verdicts:
        verdict, reason = verdicts[answer.status]
        return CheckResult(verdict, reason, answer.status)
    return None if answer.status == 200 else Unusable(f"HTTP {answer.status}", answer.status)


def read_json(body: bytes) -> dict[str, Any] | str:
    """The JSON object in `body`; if it is none, what it is instead, as text."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "HTML or XML instead of JSON"
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # also a number of 5,000 digits, which Python refuses to read
        return "not JSON" if body.strip() else "an empty answer"
    return found if isinstance(found, dict) else "JSON, but no object"


def read_xml(body: bytes) -> ElementTree.Element | str:
    """The root of the XML in `body`; if it is none, what it is instead. Entities of its own are refused unread."""
    try:
        text = body.decode("utf-8-sig").strip()
        if re.search("<!(doctype|entity)|<html", text, re.IGNORECASE):
            return "HTML instead of XML"
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return "not XML" if body.strip() else "an empty answer"


def identity_flaw(photo: PublishedPhoto, photo_id: str | None, author: Author) -> str:
    """Why an answer about `photo_id` by `author` is not about `photo`; "" if it is.

    An owner has a number and may have an alias, and lists have either: if one side has only numbers and the other only
    aliases, the names decide.
    """
    page = page_of(photo.landing_url)
    if page is None or photo_id != page.photo_id:
        return f"the answer is about photo {shown(photo_id or '')!r}, not {page.photo_id if page else ''!r}"
    published = {owner.lower() for owner in (page.owner, owner_of(photo.author_profile_url)) if owner}
    found = {owner.lower() for owner in author.owners}
    if published & found:
        return ""
    kinds = [{"@n" in owner for owner in owners} for owners in (published, found)]
    if kinds in ([{True}, {False}], [{False}, {True}]) and _name(photo.author) in map(_name, author.names):
        return ""
    owners = shown(", ".join(sorted(found)) or "no one")
    return f"the answer is about a photo of {owners}, published as {', '.join(sorted(published))}"


def compared(photo: PublishedPhoto, number: int | None, url: str | None, author: Author, status: int) -> CheckResult:
    """The result for a photo whose licence now has this `number` of Flickr's and this `url`; None is not given."""
    by_number = license_of_id(number) if number is not None else None
    by_url = license_of_url(url) if url else None
    name = next((each for each in author.names if each), None)
    known = {
        "http_status": status,
        "author_name": name and clipped(html.unescape(name)),
        "author_url": author.url and printable(author.url)[:URL_CHARACTERS],
    }
    if by_number and by_url and by_number != by_url:
        reason = f"licence {by_number.id} does not go with {shown(url or '')}"
        return CheckResult(Verdict.UNKNOWN, reason, **known)  # type: ignore[arg-type]
    found = by_number or by_url
    if found is None and number is None:
        reason = f"an unknown licence, {shown(url)}" if url else "the answer has no licence"
        return CheckResult(Verdict.UNKNOWN, reason, **known)  # type: ignore[arg-type]
    verdict = Verdict.SAME if _is_same(photo, found, url) else Verdict.CHANGED
    return CheckResult(
        verdict,
        license_url=found.url if found else (url or None) and clipped(url or ""),
        license_id=found.id if found else number,
        **known,  # type: ignore[arg-type]
    )


def licence_at(changes: Iterable[LicenseChange], first_url: str, moment: str) -> str:
    """The URL of the licence at `moment`, by the `changes` in their order; before all of them it was `first_url`."""
    url = first_url
    for change in changes:
        if change.changed_at > moment:
            break
        url = change.new_url
    return url


def shown(text: str) -> str:
    """A server's text for a reason: printable and not too long."""
    return shortened(printable(text), _SHOWN)


def clipped(text: str) -> str:
    """A server's text for a column."""
    return shortened(printable(text), _NAME_CHARACTERS)


def text_of(value: object) -> str:
    """`value` if it is text, otherwise ""."""
    return value if isinstance(value, str) else ""


def number_of(value: object) -> int | None:
    """A whole number, or text that is one, like Flickr's `"5"` and `0`; otherwise None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 10_000 else None
    is_number = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4
    return int(value) if is_number and isinstance(value, str) else None


def _is_same(photo: PublishedPhoto, found: License | None, url: str | None) -> bool:
    published = license_of_url(photo.license)
    if published or found:
        return published == found
    return bool(url) and license_key(photo.license) == license_key(url or "")


def _name(text: str) -> str:
    return " ".join(html.unescape(text).split()).casefold()


def _path(url: str) -> list[str]:
    try:
        return [part for part in urlsplit(url).path.split("/") if part]
    except ValueError:
        return []
