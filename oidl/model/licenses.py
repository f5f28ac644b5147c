"""Licences as Flickr has them, what a check found, and the words to choose images by. Pure.

A licence is known by its URL or Flickr's number, never by its name: names have changed ("Attribution License" is
"CC BY 2.0" now), and several licences share one.
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit


class Verdict(StrEnum):
    """What a check says about the photo of an image, compared with the published row."""

    SAME = "same"  # it still has the published licence
    CHANGED = "changed"  # it has another licence
    GONE = "gone"  # it does not exist any more
    PRIVATE = "private"  # it exists, but only for some people
    UNSHAREABLE = "unshareable"  # its owner does not allow that it is embedded, so the source does not say more
    UNKNOWN = "unknown"  # the answer does not say; `reason` says why


class LicenseClass(StrEnum):
    """What a licence allows, roughly: `nc` forbids commercial use, `nd` changes only, `reserved` everything."""

    FREE = "free"
    NC = "nc"
    ND = "nd"
    RESERVED = "reserved"


class LicenseFilter(StrEnum):
    """A word of `--license`: a verdict, a class of the licence that was found, or `unchecked`."""

    SAME = "same"
    CHANGED = "changed"
    GONE = "gone"
    PRIVATE = "private"
    UNSHAREABLE = "unshareable"
    UNKNOWN = "unknown"
    FREE = "free"
    NC = "nc"
    ND = "nd"
    RESERVED = "reserved"
    UNCHECKED = "unchecked"  # there is no check of the image


class CheckSource(StrEnum):
    """What answers a check."""

    OEMBED = "oembed"
    API = "api"
    HISTORY = "history"
    PAGE = "page"

    @property
    def needs_key(self) -> bool:
        """Whether it answers only to an API key."""
        return self in (CheckSource.API, CheckSource.HISTORY)


@dataclass(frozen=True, slots=True)
class License:
    """A licence that a photo on Flickr can have; `id` is Flickr's number."""

    id: int
    url: str
    license_class: LicenseClass


_CC = "https://creativecommons.org/licenses"
LICENSES = (
    License(
        0,
        "https://www.flickrhelp.com/hc/en-us/articles/10710266545556-Using-Flickr-images-shared-by-other-members",
        LicenseClass.RESERVED,
    ),
    License(1, f"{_CC}/by-nc-sa/2.0/", LicenseClass.NC),
    License(2, f"{_CC}/by-nc/2.0/", LicenseClass.NC),
    License(3, f"{_CC}/by-nc-nd/2.0/", LicenseClass.NC),
    License(4, f"{_CC}/by/2.0/", LicenseClass.FREE),
    License(5, f"{_CC}/by-sa/2.0/", LicenseClass.FREE),
    License(6, f"{_CC}/by-nd/2.0/", LicenseClass.ND),
    License(7, "https://www.flickr.com/commons/usage/", LicenseClass.FREE),
    License(8, "https://www.usa.gov/government-copyright", LicenseClass.FREE),
    License(9, "https://creativecommons.org/publicdomain/zero/1.0/", LicenseClass.FREE),
    License(10, "https://creativecommons.org/publicdomain/mark/1.0/", LicenseClass.FREE),
    License(11, f"{_CC}/by/4.0/", LicenseClass.FREE),
    License(12, f"{_CC}/by-sa/4.0/", LicenseClass.FREE),
    License(13, f"{_CC}/by-nd/4.0/", LicenseClass.ND),
    License(14, f"{_CC}/by-nc/4.0/", LicenseClass.NC),
    License(15, f"{_CC}/by-nc-sa/4.0/", LicenseClass.NC),
    License(16, f"{_CC}/by-nc-nd/4.0/", LicenseClass.NC),
)
"""The licences by Flickr's number, as its API listed them in June 2025."""

_BY_ID = {each.id: each for each in LICENSES}


def license_key(url: str) -> str:
    """`url` without its scheme, the case and `www.` of its host, and the last slash: licences are equal if this is."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return url.strip()
    path = parts.path.rstrip("/")
    for end in ("/deed.en", "/legalcode"):
        path = path.removesuffix(end)
    return f"{host}{path}" + (f"?{parts.query}" if parts.query else "")


_BY_KEY = {license_key(each.url): each for each in LICENSES}
_BY_KEY["usa.gov/copyright.shtml"] = _BY_ID[8]  # its URL before 2025


def license_of_id(number: int) -> License | None:
    """The licence with Flickr's `number`; None if there is none."""
    return _BY_ID.get(number)


def license_of_url(url: str) -> License | None:
    """The licence at `url`; None if it is none of Flickr's."""
    return _BY_KEY.get(license_key(url))


@dataclass(frozen=True, slots=True)
class PublishedPhoto:
    """What a check starts from: fields of the published row of an image."""

    image_id: str
    subset: str
    landing_url: str
    license: str
    author_profile_url: str
    author: str


@dataclass(frozen=True, slots=True)
class LicenseChange:
    """A change of a photo's licence at the time `changed_at`; the URLs are those of the licences."""

    changed_at: str
    old_url: str
    new_url: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found out.

    `reason` says why it found no licence, "" if it did. `license_url` and `license_id` are those of the licence now,
    None if the answer does not give them; `at_release` is the URL of the licence when the dataset was released, if the
    history says so, and `changes` is that history.
    """

    verdict: Verdict
    reason: str = ""
    http_status: int | None = None
    license_url: str | None = None
    license_id: int | None = None
    author_name: str | None = None
    author_url: str | None = None
    at_release: str | None = None
    changes: tuple[LicenseChange, ...] = ()

    @property
    def license_class(self) -> LicenseClass | None:
        """The class of the licence now; None if there is none, or an unknown one."""
        found = license_of_id(self.license_id) if self.license_id is not None else None
        return found.license_class if found else None
