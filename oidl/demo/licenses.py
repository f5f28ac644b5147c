"""What a demo's Flickr says about licences: an oEmbed, an API and a page for each photo, with about the fates of life.

The fate of a photo follows from its number alone, so a demo that is served again says the same. Answers have the fields
of recorded ones, and are made when they are asked for.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from html import escape, unescape
from urllib.parse import urlsplit

from oidl.dataset.flickr.answers import page_of
from oidl.demo.site import TOO_MANY, CannedResponse, ServerFault, redirect, status_answer
from oidl.model import Image, License, Verdict, license_of_id, license_of_url

RELEASED = "2016-09-30"

_OEMBED, _INFO, _HISTORY = "/services/oembed", "/services/rest/info", "/services/rest/history"
_UPLOADED, _CHANGED = 1_262_304_000, 1_514_764_800  # the first days of 2010 and 2018
_JSON, _XML = "application/json", "text/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class LicenseFate:
    """What became of a photo: its share of all, the verdict that a check must reach, and the number of its licence now.

    A number of None is the published licence, if the verdict is about a licence. `answer` replaces what all services
    say, `first` what they say at first.
    """

    name: str
    share: float
    verdict: Verdict
    now: int | None = None
    answer: CannedResponse | None = None
    first: tuple[CannedResponse, ...] = ()
    is_other_owner: bool = False
    is_unshareable: bool = False


_PORTAL = CannedResponse(b"<!DOCTYPE html><html><body>Welcome!</body></html>", content_type="text/html")
_LOGIN = redirect("https://identity.flickr.com/sign-in?next=photo")
_BUSY = CannedResponse(TOO_MANY, 429, "text/html", {"Retry-After": "1"})
_CUT = CannedResponse(b'{"type": "photo", ' * 50, content_type=_JSON, behaviour=ServerFault.CUT)

SAME = LicenseFate("same", 1.0, Verdict.SAME)
FATES: tuple[LicenseFate, ...] = (
    SAME,  # all photos that the others leave
    LicenseFate("now BY 4.0", 0.01, Verdict.CHANGED, 11),
    LicenseFate("now BY-ND", 0.01, Verdict.CHANGED, 6),
    LicenseFate("now BY-NC", 0.02, Verdict.CHANGED, 2),
    LicenseFate("now reserved", 0.03, Verdict.CHANGED, 0),
    LicenseFate("gone", 0.12, Verdict.GONE, answer=status_answer(404)),
    LicenseFate("private", 0.02, Verdict.PRIVATE, answer=_LOGIN),
    LicenseFate("unshareable", 0.02, Verdict.UNSHAREABLE, is_unshareable=True),
    LicenseFate("of another owner", 0.01, Verdict.UNKNOWN, is_other_owner=True),
    LicenseFate("busy once", 0.02, Verdict.SAME, first=(_BUSY,)),
    LicenseFate("broken once", 0.02, Verdict.SAME, first=(status_answer(500),)),
    LicenseFate("cut once", 0.01, Verdict.SAME, first=(_CUT,)),
)
"""The fates of photos in a demo; each occurs if there are enough photos."""

TROUBLE: tuple[LicenseFate, ...] = (
    SAME,
    LicenseFate("busy once", 0.05, Verdict.SAME, first=(_BUSY,)),
    LicenseFate("broken twice", 0.05, Verdict.SAME, first=(status_answer(500), status_answer(502))),
    LicenseFate("cut once", 0.05, Verdict.SAME, first=(_CUT,)),
    LicenseFate("a portal", 0.03, Verdict.UNKNOWN, answer=_PORTAL),
    LicenseFate(
        "slow", 0.02, Verdict.SAME, first=(CannedResponse(b"{" * 100, content_type=_JSON, behaviour=ServerFault.STALL),)
    ),
)
"""Trouble with every fifth photo."""


def license_fate(image: Image, fates: tuple[LicenseFate, ...] = FATES) -> LicenseFate:
    """What became of the photo of `image`."""
    page = page_of(image.original_landing_url)
    place = (int(page.photo_id) * 2_654_435_761 % 2**32) / 2**32 if page else 1.0  # spread evenly (Knuth, 6.4)
    for fate in fates[1:]:
        if place < fate.share:
            return fate
        place -= fate.share
    return fates[0]


def license_answers(image: Image, fates: tuple[LicenseFate, ...] = FATES) -> dict[str, CannedResponse]:
    """The answers about the photo of `image`, by path."""
    page, fate = page_of(image.original_landing_url), license_fate(image, fates)
    assert page
    photo = _Photo(image, page.photo_id, f"of-{page.photo_id}" if fate.is_other_owner else page.owner, fate)
    path = urlsplit(image.original_landing_url).path.rstrip("/")
    answers = {
        f"{_OEMBED}/{page.photo_id}": _answer(fate, photo.oembed, _JSON),
        f"{_INFO}/{page.photo_id}": _answer(fate, photo.info, _XML),
        f"{_HISTORY}/{page.photo_id}": CannedResponse(photo.history, content_type=_XML),
        f"{path}/": _answer(fate, photo.page, "text/html"),
    }
    if fate.is_unshareable:
        answers[f"{_OEMBED}/{page.photo_id}"] = status_answer(401)
    return answers


def catalogue_table(base_url: str) -> Iterator[str]:
    """The lines of a catalogue that lead to these answers under `base_url`."""
    yield from (
        "",
        "[licenses]",
        f'oembed = "{base_url}{_OEMBED}/{{photo}}?format=json&url={{page}}"',
        f'info = "{base_url}{_INFO}/{{photo}}?api_key={{key}}"',
        f'history = "{base_url}{_HISTORY}/{{photo}}?api_key={{key}}"',
        f'page = "{base_url}/photos/{{owner}}/{{photo}}/"',
        f'released = "{RELEASED}"',
    )


def _answer(fate: LicenseFate, body: Callable[[], bytes], content_type: str) -> CannedResponse:
    if fate.answer and content_type == _XML:  # the API has words of its own
        code, message = (1, "Photo not found") if fate.verdict is Verdict.GONE else (2, "Permission denied")
        is_page = fate.answer.status == 200
        return fate.answer if is_page else CannedResponse(partial(_error, code, message), content_type=_XML)
    return fate.answer or CannedResponse(body, content_type=content_type, first=fate.first)


def _error(code: int, message: str) -> bytes:
    return _xml(f'<rsp stat="fail">\n\t<err code="{code}" msg="{message}" />\n</rsp>\n')


def _xml(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8" ?>\n{text}'.encode()


@dataclass(frozen=True, slots=True)
class _Photo:
    """A photo as each service describes it."""

    image: Image
    number: str
    owner: str
    fate: LicenseFate

    @property
    def _published(self) -> License:
        found = license_of_url(self.image.license)
        assert found
        return found

    @property
    def _license(self) -> License:
        now = license_of_id(self.fate.now) if self.fate.now is not None else None
        return now or self._published

    @property
    def _author(self) -> str:
        return unescape(self.image.author)

    def oembed(self) -> bytes:
        """An answer of oEmbed."""
        now = self._license
        facts: dict[str, object] = {
            "type": "photo",
            "title": unescape(self.image.title),
            "author_name": self._author,
            "author_url": f"https://www.flickr.com/photos/{self.owner}/",
            "web_page": f"https://www.flickr.com/photos/{self.owner}/{self.number}/",
            "license_id": str(now.id) if now.id else 0,
            "version": "1.0",
            "cache_age": 3600,
            "provider_name": "Flickr",
        }
        return json.dumps(facts | ({"license_url": now.url} if now.id else {})).encode()

    def info(self) -> bytes:
        """An answer of `flickr.photos.getInfo`."""
        author = escape(self._author)
        return _xml(
            f'<rsp stat="ok">\n<photo id="{self.number}" license="{self._license.id}" media="photo">\n'
            f'\t<owner nsid="{self.owner}" username="{author}" realname="" path_alias="" />\n'
            f"\t<title>{escape(unescape(self.image.title))}</title>\n"
            f'\t<urls><url type="photopage">https://www.flickr.com/photos/{self.owner}/{self.number}/</url></urls>\n'
            "</photo>\n</rsp>\n"
        )

    def history(self) -> bytes:
        """An answer of `flickr.photos.licenses.getLicenseHistory`."""
        before, now = self._published, self._license
        is_changed = before != now
        return _xml(
            f'<rsp stat="ok">\n<license_history date_change="{_CHANGED if is_changed else _UPLOADED}" '
            f'old_license="" old_license_url="{before.url}" new_license="" '
            f'new_license_url="{now.url if is_changed else ""}" />\n</rsp>\n'
        )

    def page(self) -> bytes:
        """The page of the photo, for people."""
        address = f"https://www.flickr.com/photos/{self.owner}/{self.number}/"
        return (
            f"<!DOCTYPE html>\n<html><head><title>{escape(unescape(self.image.title))}</title>\n"
            f'<link rel="canonical" href="{address}">\n</head><body>\n'
            f'<a href="/photos/{self.owner}/" class="owner-name truncate">{escape(self._author)}</a>\n'
            f'<a href="{self._license.url}" class="photo-license-url" rel="license cc:license">Rights</a>\n'
            "</body></html>\n"
        ).encode()
