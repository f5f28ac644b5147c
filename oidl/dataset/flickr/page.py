"""The page of a photo, the last resort: it is for people, and its HTML has changed several times. Pure.

Read are the link with `rel="license"` (or the class `photo-license-url`), the address of the page (`rel="canonical"` or
`og:url`) and the name of the owner (the class `owner-name`). Tags are found by patterns that take a time linear in the
length of the page, because Python's own parser can be kept busy for minutes.
"""

import html
import re
from dataclasses import dataclass, field

from oidl.dataset.flickr.answers import (
    Author,
    PhotoAnswer,
    Reading,
    Unusable,
    compared,
    identity_flaw,
    page_of,
    read_status,
)
from oidl.model import CheckResult, PublishedPhoto, Verdict

_BY_STATUS = {
    401: (Verdict.PRIVATE, "its page is not public"),
    403: (Verdict.PRIVATE, "its page is not public"),
    404: (Verdict.GONE, "it has no page"),
    410: (Verdict.GONE, "it has no page any more"),
}

_TAG = re.compile(r"<(a|link|meta)\s([^<>]{1,2000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""(?<![\w:-])([a-zA-Z:-]{1,40}+)\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)')""")
_TEXT = re.compile(r"[^<]{0,500}")


def read_page(photo: PublishedPhoto, answer: PhotoAnswer) -> Reading:
    """What the page of `photo` says."""
    if by_status := read_status(answer, _BY_STATUS):
        return by_status
    found = _facts(answer.body.decode("utf-8", "replace"))
    page = page_of(found.address)
    if page is None:
        return Unusable("a page that is not the page of a photo", answer.status)
    if not found.license_urls:
        return Unusable("a page without a licence", answer.status)
    author = Author(frozenset({page.owner}), (found.owner,), f"https://www.flickr.com/photos/{page.owner}/")
    if flaw := identity_flaw(photo, page.photo_id, author):
        return CheckResult(Verdict.UNKNOWN, flaw, answer.status)
    if len(found.license_urls) > 1:
        return Unusable("a page with several licences", answer.status)
    return compared(photo, None, found.license_urls[0], author, answer.status)


@dataclass(slots=True)
class _Facts:
    """The licences that a page links to, its own address, and the name of the owner; "" if it has none."""

    license_urls: list[str] = field(default_factory=list)
    address: str = ""
    owner: str = ""


def _facts(text: str) -> _Facts:
    found = _Facts()
    for tag in _TAG.finditer(text):
        given = {each[1].lower(): html.unescape(each[2] or each[3] or "") for each in _ATTRIBUTE.finditer(tag[2])}
        kinds, classes = given.get("rel", "").lower().split(), given.get("class", "").split()
        url, name = given.get("href", ""), tag[1].lower()
        if name != "meta" and ("license" in kinds or "photo-license-url" in classes):
            if url and url not in found.license_urls:
                found.license_urls.append(url)
        elif name == "link" and "canonical" in kinds:
            found.address = url
        elif name == "meta" and given.get("property") == "og:url" and not found.address:
            found.address = given.get("content", "")
        elif name == "a" and "owner-name" in classes and not found.owner:
            text_after = _TEXT.match(text, tag.end())
            found.owner = html.unescape(text_after[0]).strip() if text_after else ""
    return found
