"""Flickr's API, which needs a key: what a photo is now, and the history of its licence. Pure.

Both methods answer in XML: `<rsp stat="ok">` around the contents, or `<rsp stat="fail"><err code="1" msg="…"/></rsp>`.
"""

from dataclasses import replace
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from oidl.dataset.flickr.answers import (
    Author,
    KeyRefused,
    Passing,
    PhotoAnswer,
    Reading,
    Unusable,
    clipped,
    compared,
    identity_flaw,
    licence_at,
    number_of,
    page_of,
    read_xml,
    redirected,
    shown,
)
from oidl.model import CheckResult, LicenseChange, PublishedPhoto, Verdict, license_of_id, license_of_url

_NOT_FOUND, _NOT_ALLOWED = ("1",), ("2", "99")
_BAD_KEY = ("100",)
_BUSY = ("0", "105", "106", "201")
_MOST_CHANGES = 100


def read_info(photo: PublishedPhoto, answer: PhotoAnswer) -> Reading:
    """What an answer of `flickr.photos.getInfo` says about `photo`."""
    root = _contents(answer)
    if not isinstance(root, Element):
        return root
    found = root.find("photo")
    owner = found.find("owner") if found is not None else None
    if found is None or owner is None:
        return Unusable("XML without a photo and its owner", answer.status)
    number = number_of(found.get("license"))
    if number is None:
        return Unusable("XML without the number of a licence", answer.status)
    aliases = [owner.get("nsid"), owner.get("path_alias")]
    pages = [page_of(url.text or "") for url in found.iterfind("urls/url") if url.get("type") == "photopage"]
    owners = frozenset(alias for alias in aliases if alias) | {page.owner for page in pages if page}
    home = owner.get("path_alias") or owner.get("nsid")
    author = Author(
        owners,
        (owner.get("realname") or "", owner.get("username") or ""),
        f"https://www.flickr.com/photos/{home}/" if home else None,
    )
    if flaw := identity_flaw(photo, found.get("id"), author):
        return CheckResult(Verdict.UNKNOWN, flaw, answer.status)
    return compared(photo, number, None, author, answer.status)


def read_history(photo: PublishedPhoto, answer: PhotoAnswer, now: CheckResult, released: str) -> Reading:
    """`now`, the result of `read_info`, with what `flickr.photos.licenses.getLicenseHistory` says about the past.

    `released` is when the dataset was, as text like `2016-09-30`. A history that does not end in the licence that the
    photo has now is unusable.
    """
    root = _contents(answer)
    if not isinstance(root, Element):
        return root
    entries = root.findall("license_history")
    if not entries or len(entries) > _MOST_CHANGES:
        return Unusable("XML without a history of licences", answer.status)
    changes: dict[str, LicenseChange] = {}
    for entry in sorted(entries, key=_second):
        old, new = entry.get("old_license_url") or "", entry.get("new_license_url") or ""
        if not old or _second(entry) < 0:
            return Unusable("a history of licences without URLs or times", answer.status)
        if new:  # without changes, there is one entry with the licence since the upload
            at = datetime.fromtimestamp(_second(entry), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            old = changes[at].old_url if at in changes else clipped(old)
            changes[at] = LicenseChange(at, old, clipped(new))
    first = clipped(entries[0].get("old_license_url") or "")
    ordered = tuple(changes.values())
    last = license_of_url(ordered[-1].new_url if ordered else first)
    known = license_of_id(now.license_id) if now.license_id is not None else None
    if last != known:
        return Unusable("a history of licences that ends in another one", answer.status)
    first = ordered[0].old_url if ordered else first
    return replace(now, at_release=licence_at(ordered, first, released), changes=ordered)


def _contents(answer: PhotoAnswer) -> Element | CheckResult | Unusable | Passing | KeyRefused:
    if answer.location:
        return redirected(answer)
    if answer.status != 200:
        return Unusable(f"HTTP {answer.status}", answer.status)
    root = read_xml(answer.body)
    if isinstance(root, str):
        return Unusable(root, answer.status)
    if root.tag != "rsp":
        return Unusable("XML of another kind", answer.status)
    if root.get("stat") == "ok":
        return root
    error = root.find("err")
    code = error.get("code") if error is not None else None
    message = shown((error.get("msg") if error is not None else None) or "no message")
    if code in _NOT_FOUND:
        return CheckResult(Verdict.GONE, message, answer.status)
    if code in _NOT_ALLOWED:
        return CheckResult(Verdict.PRIVATE, message, answer.status)
    if code in _BAD_KEY:
        return KeyRefused(message)
    if code in _BUSY:
        return Passing(f"Flickr's error {code}: {message}")
    return Unusable(f"Flickr's error {shown(code or '')}: {message}", answer.status)


def _second(entry: Element) -> int:
    """When a change was, in seconds since 1970; -1 if it does not say."""
    text = entry.get("date_change") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1
