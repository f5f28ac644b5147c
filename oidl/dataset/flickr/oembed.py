"""Flickr's oEmbed: what anyone may know about a photo, without a key. Pure.

`license_id` is text like `"5"`, or the number 0 for all rights reserved, for which there is no `license_url`.
"""

from oidl.dataset.flickr.answers import (
    Author,
    PhotoAnswer,
    Reading,
    Unusable,
    compared,
    identity_flaw,
    number_of,
    owner_of,
    page_of,
    read_json,
    read_status,
    text_of,
)
from oidl.model import CheckResult, PublishedPhoto, Verdict

_BY_STATUS = {
    401: (Verdict.UNSHAREABLE, "its owner does not allow that it is embedded"),
    403: (Verdict.PRIVATE, "it is not public"),
    404: (Verdict.GONE, "there is no such photo"),
    410: (Verdict.GONE, "there is no such photo any more"),
}


def read_oembed(photo: PublishedPhoto, answer: PhotoAnswer) -> Reading:
    """What an answer of oEmbed says about `photo`."""
    if by_status := read_status(answer, _BY_STATUS):
        return by_status
    found = read_json(answer.body)
    if isinstance(found, str):
        return Unusable(found, answer.status)
    web_page, author_url = text_of(found.get("web_page")), text_of(found.get("author_url"))
    page = page_of(web_page)
    if page is None:
        return Unusable("JSON without the page of a photo", answer.status)
    number, url = found.get("license_id"), found.get("license_url")
    if (number is not None and number_of(number) is None) or not isinstance(url, str | None):
        return Unusable("JSON with a licence of the wrong type", answer.status)
    author = Author(
        frozenset(filter(None, (page.owner, owner_of(author_url)))),
        (text_of(found.get("author_name")),),
        author_url or None,
    )
    if flaw := identity_flaw(photo, page.photo_id, author):
        return CheckResult(Verdict.UNKNOWN, flaw, answer.status)
    return compared(photo, number_of(number), url, author, answer.status)
