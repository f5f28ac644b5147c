"""Asks one service about one photo. The API key goes into URLs here, and every text that comes back is freed of it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote

from oidl.dataset.flickr.answers import KeyRefused, Passing, PhotoAnswer, Reading, Unusable, page_of
from oidl.dataset.flickr.api import read_history, read_info
from oidl.dataset.flickr.oembed import read_oembed
from oidl.dataset.flickr.page import read_page
from oidl.dataset.published import LicenseServices
from oidl.model import CheckResult, CheckSource, Failure, LicenseChange, PublishedPhoto, Reason, Verdict
from oidl.net.documents import Document, Documents

_ANSWER_BYTES = 256 * 1024
_PAGE_BYTES = 4 * 1024 * 1024

Asked = Reading | Failure | None
"""What came of asking; None if the run started draining first."""

_READERS: Mapping[CheckSource, Callable[[PublishedPhoto, PhotoAnswer], Reading]] = {
    CheckSource.OEMBED: read_oembed,
    CheckSource.API: read_info,
    CheckSource.HISTORY: read_info,
    CheckSource.PAGE: read_page,
}


class LicenseService:
    """The service `source` of `services`, asked through `documents`, with the API `key` if it needs one."""

    def __init__(
        self, documents: Documents, services: LicenseServices, source: CheckSource, key: str | None = None
    ) -> None:
        self._documents = documents
        self._services = services
        self.source = source
        self._key = key

    def __repr__(self) -> str:
        return f"<LicenseService: {self.source}>"  # without the key

    async def ask(self, photo: PublishedPhoto) -> Asked:
        """What the service says about `photo`. Never raises for a fault of a server or a network."""
        if page_of(photo.landing_url) is None:
            return CheckResult(Verdict.UNKNOWN, "its published page is not one of a photo on Flickr")
        found = await self._ask(photo)
        if self.source is CheckSource.HISTORY and isinstance(found, CheckResult) and found.license_id is not None:
            found = await self._with_history(photo, found)
        return without_key(found, self._key)

    async def _ask(self, photo: PublishedPhoto) -> Asked:
        templates = {CheckSource.OEMBED: self._services.oembed, CheckSource.PAGE: self._services.page}
        most = _PAGE_BYTES if self.source is CheckSource.PAGE else _ANSWER_BYTES
        answer = await self._get(templates.get(self.source, self._services.info), photo, most)
        return _READERS[self.source](photo, answer) if isinstance(answer, PhotoAnswer) else answer

    async def _with_history(self, photo: PublishedPhoto, now: CheckResult) -> Asked:
        answer = await self._get(self._services.history, photo, _ANSWER_BYTES)
        if not isinstance(answer, PhotoAnswer):
            return answer
        found = read_history(photo, answer, now, self._services.released)
        return replace(found, known=now) if isinstance(found, Unusable) else found

    async def _get(self, template: str, photo: PublishedPhoto, most: int) -> PhotoAnswer | Unusable | Failure | None:
        answer = await self._documents.ask(self._url(template, photo), most)
        if isinstance(answer, Document):
            return PhotoAnswer(answer.status, answer.body, answer.location)
        if isinstance(answer, Failure) and answer.reason is Reason.TOO_LARGE:
            return Unusable(answer.detail, answer.http_status)
        return answer

    def _url(self, template: str, photo: PublishedPhoto) -> str:
        page = page_of(photo.landing_url)
        assert page
        values = {
            "photo": page.photo_id,
            "owner": quote(page.owner, safe="@"),
            "page": quote(photo.landing_url, safe=""),
            "key": self._key or "",
        }
        for name, value in values.items():
            template = template.replace(f"{{{name}}}", value)
        return template


def without_key(found: Asked, key: str | None) -> Asked:
    """`found` with every text freed of `key`, which a server may send back, also of what is left of it at a cut."""
    if not key or found is None:
        return found

    def freed(text: str | None) -> str | None:
        return _freed(text, key) if text else text

    match found:
        case Failure():
            return replace(found, detail=freed(found.detail) or "", url=freed(found.url))
        case Passing() | KeyRefused():
            return replace(found, reason=freed(found.reason) or "")
        case Unusable():
            known = without_key(found.known, key)
            assert known is None or isinstance(known, CheckResult)
            return replace(found, reason=freed(found.reason) or "", known=known)
    changes = (
        LicenseChange(each.changed_at, freed(each.old_url) or "", freed(each.new_url) or "") for each in found.changes
    )
    return replace(
        found,
        reason=freed(found.reason) or "",
        license_url=freed(found.license_url),
        author_name=freed(found.author_name),
        author_url=freed(found.author_url),
        at_release=freed(found.at_release),
        changes=tuple(changes),
    )


def _freed(text: str, key: str) -> str:
    text = text.replace(key, "…")
    if text.endswith("…"):  # it may have been shortened within the key
        end = text[:-1]
        begun = next((length for length in range(len(key) - 1, 0, -1) if end.endswith(key[:length])), 0)
        text = f"{end[: len(end) - begun]}…"
    return text
