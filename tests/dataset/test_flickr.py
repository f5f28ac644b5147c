"""Answers of Flickr, of recorded shapes and of bad ones, and the verdicts that they give."""

import json
from dataclasses import replace

import pytest
from flickr import RESERVED_URL, error, history, info, oembed, page, photo

from oidl.dataset.flickr.answers import KeyRefused, Passing, PhotoAnswer, Reading, Unusable, is_login, page_of
from oidl.dataset.flickr.api import read_history, read_info
from oidl.dataset.flickr.oembed import read_oembed
from oidl.dataset.flickr.page import read_page
from oidl.model import CheckResult, LicenseClass

PORTAL = b"<!DOCTYPE html><html><body>Please log in to the hotel's network</body></html>"
RELEASED = "2016-09-30"
BY_URL = "https://creativecommons.org/licenses/by/2.0/"
NC_URL = "https://creativecommons.org/licenses/by-nc/2.0/"


def verdict(reading: Reading) -> str:
    return reading.verdict if isinstance(reading, CheckResult) else type(reading).__name__


@pytest.mark.parametrize(
    ("answer", "expected", "number", "kind"),
    [
        (PhotoAnswer(200, oembed()), "same", 4, "free"),
        (PhotoAnswer(200, oembed(now=4, license_url=None)), "same", 4, "free"),
        (PhotoAnswer(200, oembed(now=4).replace(b'"4"', b"4")), "same", 4, "free"),
        (PhotoAnswer(200, oembed(license_id=None, license_url=BY_URL[:-1])), "same", 4, "free"),
        (PhotoAnswer(200, oembed(now=11)), "changed", 11, "free"),
        (PhotoAnswer(200, oembed(now=5)), "changed", 5, "free"),
        (PhotoAnswer(200, oembed(now=0)), "changed", 0, "reserved"),
        (PhotoAnswer(200, oembed(now=2)), "changed", 2, "nc"),
        (PhotoAnswer(200, oembed(now=3)), "changed", 3, "nc"),
        (PhotoAnswer(200, oembed(now=6)), "changed", 6, "nd"),
        (PhotoAnswer(200, oembed(now=99, license_url="https://example.org/new")), "changed", 99, None),
        (PhotoAnswer(200, oembed(now=4, license_url=NC_URL)), "unknown", None, None),
        (PhotoAnswer(200, oembed(now=0, license_url=BY_URL)), "unknown", None, None),
        (PhotoAnswer(200, oembed(license_id=None, license_url="https://example.org/mine")), "unknown", None, None),
        (PhotoAnswer(200, oembed(license_id=None, license_url=None)), "unknown", None, None),
        (PhotoAnswer(200, oembed(number=8)), "unknown", None, None),
        (PhotoAnswer(200, oembed(owner="other")), "unknown", None, None),
        (PhotoAnswer(404), "gone", None, None),
        (PhotoAnswer(410), "gone", None, None),
        (PhotoAnswer(401), "unshareable", None, None),
        (PhotoAnswer(403), "private", None, None),
        (PhotoAnswer(302, location="https://identity.flickr.com/sign-in?next=x"), "private", None, None),
        (PhotoAnswer(302, location="https://www.flickr.com/signin/?acf=x"), "private", None, None),
        (PhotoAnswer(302, location="https://login.yahoo.com/"), "private", None, None),
        (PhotoAnswer(302, location="https://portal.example/"), "Unusable", None, None),
        (PhotoAnswer(302, location="https://login.hotel.example/"), "Unusable", None, None),
        (PhotoAnswer(302, location="https://flickr.com.example/login"), "Unusable", None, None),
        (PhotoAnswer(200, PORTAL), "Unusable", None, None),
        (PhotoAnswer(200, b""), "Unusable", None, None),
        (PhotoAnswer(200, b"[1, 2]"), "Unusable", None, None),
        (PhotoAnswer(200, b'{"ok": true}'), "Unusable", None, None),
        (PhotoAnswer(200, b'{"a":' * 100_000), "Unusable", None, None),
        (PhotoAnswer(200, b"9" * 10_000), "Unusable", None, None),
        (PhotoAnswer(200, b"\xff\xfe\x00{"), "Unusable", None, None),
        (PhotoAnswer(200, oembed()[:-20]), "Unusable", None, None),
        (PhotoAnswer(200, oembed(license_id=[4])), "Unusable", None, None),
        (PhotoAnswer(200, oembed(license_url={"a": 1})), "Unusable", None, None),
        (PhotoAnswer(200, oembed(license_id=True)), "Unusable", None, None),
        (PhotoAnswer(200, oembed(web_page=7)), "Unusable", None, None),
        (PhotoAnswer(200, oembed(author_url=None, author_name=["x"])), "same", 4, "free"),
        (PhotoAnswer(204), "Unusable", None, None),
        (PhotoAnswer(418), "Unusable", None, None),
    ],
)  # fmt: skip
def test_oembed(answer: PhotoAnswer, expected: str, number: int | None, kind: LicenseClass | None) -> None:
    found = read_oembed(photo(), answer)
    assert verdict(found) == expected
    if isinstance(found, CheckResult):
        assert (found.license_id, found.license_class) == (number, kind)
        assert bool(found.reason) == (expected not in ("same", "changed"))
    elif isinstance(found, Unusable):
        assert found.reason


def test_the_author_is_the_one_of_now() -> None:
    answer = PhotoAnswer(200, oembed(author_name="New &amp; \x1b[31mName", now=2))
    found = read_oembed(photo(), answer)
    assert isinstance(found, CheckResult)
    assert found.author_name == "New & \N{REPLACEMENT CHARACTER}[31mName"
    assert found.author_url == "https://www.flickr.com/photos/someone/"
    assert found.license_url == "https://creativecommons.org/licenses/by-nc/2.0/"


@pytest.mark.parametrize(
    ("published", "owner", "name", "expected"),
    [
        ("someone", "SomeOne", "Other", "same"),  # an alias has no case
        ("12345678@N00", "12345678@N00", "Other", "same"),
        ("12345678@N00", "alias", "Some One", "same"),  # the owner has taken an alias since; the name is the same
        ("12345678@N00", "alias", "some  one", "same"),
        ("12345678@N00", "alias", "Other", "unknown"),
        ("alias", "other", "Some One", "unknown"),  # two aliases are two people, whatever their names are
        ("12345678@N00", "87654321@N00", "Some One", "unknown"),
    ],
)
def test_an_answer_counts_only_if_it_is_by_the_published_owner(
    published: str, owner: str, name: str, expected: str
) -> None:
    asked = photo(
        landing_url=f"https://www.flickr.com/photos/{published}/7",
        author_profile_url=f"https://www.flickr.com/people/{published}/",
    )
    assert verdict(read_oembed(asked, PhotoAnswer(200, oembed(owner=owner, author_name=name)))) == expected


def test_the_profile_counts_too() -> None:
    asked = photo(
        landing_url="http://www.flickr.com/photos/74105777@N00/7",
        author_profile_url="https://www.flickr.com/people/adactio/",
    )
    assert verdict(read_oembed(asked, PhotoAnswer(200, oembed(owner="adactio", author_name="Other")))) == "same"


@pytest.mark.parametrize(
    ("body", "expected", "number"),
    [
        (info(), "same", 4),
        (info(owner=""), "same", 4),  # the number of the owner is not known, but the name is
        (info(license_id=0), "changed", 0),
        (info(license_id=12), "changed", 12),
        (info(license_id="many"), "Unusable", None),
        (info(number=8), "unknown", None),
        (info(owner="other"), "unknown", None),
        (error(1), "gone", None),
        (error(2, "Permission denied"), "private", None),
        (error(100, "Invalid API Key"), "KeyRefused", None),
        (error(105, "Service currently unavailable"), "Passing", None),
        (error(0, "Sorry, the Flickr API service is not currently available."), "Passing", None),
        (error(201, "Sorry, the Flickr API service is not currently available."), "Passing", None),
        (error(112, "Method not found"), "Unusable", None),
        (PORTAL, "Unusable", None),
        (b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "b">]><rsp stat="ok">&a;</rsp>', "Unusable", None),
        (info().decode().encode("utf-16"), "Unusable", None),
        (b'<rsp stat="ok"/>', "Unusable", None),
        (b"<other/>", "Unusable", None),
        (b'<rsp stat="fail"/>', "Unusable", None),
        (b"", "Unusable", None),
        (oembed(), "Unusable", None),
    ],
)
def test_the_api(body: bytes, expected: str, number: int | None) -> None:
    found = read_info(photo(), PhotoAnswer(200, body))
    assert verdict(found) == expected
    if isinstance(found, CheckResult):
        assert found.license_id == number
    else:
        assert isinstance(found, Unusable | Passing | KeyRefused)
        assert found.reason


BY, NC, RESERVED, BY_SA = 4, 2, 0, 5


@pytest.mark.parametrize(
    ("entries", "now", "at_release", "changes"),
    [
        ([(1_253_741_816, BY, None)], BY, BY, 0),  # never changed
        ([(1_253_741_816, RESERVED, BY)], BY, BY, 1),  # free since 2009
        ([(1_744_598_090, BY, NC)], NC, BY, 1),  # free when the list was made, changed in 2025
        ([(1_744_598_090, RESERVED, BY)], BY, RESERVED, 1),  # was never free when the list was made
        ([(1_300_000_000, RESERVED, BY), (1_744_905_505, BY, RESERVED)], RESERVED, BY, 2),
        ([(1_744_905_505, BY, RESERVED), (1_300_000_000, RESERVED, BY)], RESERVED, BY, 2),  # in any order
        ([(1_300_000_000, RESERVED, NC), (1_300_000_000, NC, BY)], BY, BY, 1),  # twice in a second
    ],
)
def test_a_history_says_what_the_licence_was_at_the_release(
    entries: list[tuple[int, int, int | None]], now: int, at_release: int, changes: int
) -> None:
    current = read_info(photo(), PhotoAnswer(200, info(license_id=now)))
    assert isinstance(current, CheckResult)
    found = read_history(photo(), PhotoAnswer(200, history(*entries)), current, RELEASED)
    assert isinstance(found, CheckResult)
    url = RESERVED_URL if at_release == RESERVED else BY_URL
    assert (found.at_release, len(found.changes)) == (url, changes)
    assert replace(found, at_release=None, changes=()) == current


@pytest.mark.parametrize(
    "body",
    [
        history(),
        history((1_744_598_090, BY, NC)),  # but the photo is CC BY now
        history((1_744_598_090, BY, None)).replace(b"1744598090", b"yesterday"),
        b'<rsp stat="ok"><license_history date_change="1" old_license_url="" new_license_url=""/></rsp>',
        PORTAL,
    ],
)
def test_a_history_that_does_not_fit_is_unusable(body: bytes) -> None:
    current = read_info(photo(), PhotoAnswer(200, info()))
    assert isinstance(current, CheckResult)
    assert verdict(read_history(photo(), PhotoAnswer(200, body), current, RELEASED)) == "Unusable"


@pytest.mark.parametrize(
    ("answer", "expected", "number"),
    [
        (PhotoAnswer(200, page()), "same", 4),
        (PhotoAnswer(200, page(license_url="https://creativecommons.org/licenses/by-nc-nd/2.0/")), "changed", 3),
        (PhotoAnswer(200, page(license_url=RESERVED_URL)), "changed", 0),
        (PhotoAnswer(200, page(license_url="https://www.flickr.com/help/general/#147")), "unknown", None),
        (PhotoAnswer(200, page(number=8)), "unknown", None),
        (PhotoAnswer(200, page(owner="other")), "unknown", None),
        (PhotoAnswer(200, page() + page(license_url=RESERVED_URL)), "Unusable", None),
        (PhotoAnswer(200, PORTAL), "Unusable", None),
        (PhotoAnswer(200, page().replace(b"license", b"nothing")), "Unusable", None),
        (PhotoAnswer(404), "gone", None),
        (PhotoAnswer(403), "private", None),
        (PhotoAnswer(302, location="https://identity.flickr.com/login?x"), "private", None),
        (PhotoAnswer(200, b"<![x<!--<a "), "Unusable", None),
    ],
)
def test_a_page(answer: PhotoAnswer, expected: str, number: int | None) -> None:
    found = read_page(photo(), answer)
    assert verdict(found) == expected
    if isinstance(found, CheckResult):
        assert found.license_id == number


def test_a_hostile_page_is_read_in_a_moment() -> None:
    for piece in ("<a ", '<a href="', "<a " + "a" * 1_990 + ">", "<a " + 'a="' * 600 + ">"):
        assert verdict(read_page(photo(), PhotoAnswer(200, (piece * (1_000_000 // len(piece))).encode()))) == "Unusable"


def test_a_licence_that_was_published_otherwise_is_compared_too() -> None:
    mine = photo(license="https://example.org/mine/")
    assert verdict(read_oembed(mine, PhotoAnswer(200, oembed()))) == "changed"
    cc0 = photo(license="https://creativecommons.org/publicdomain/zero/1.0/")
    assert verdict(read_oembed(cc0, PhotoAnswer(200, oembed(now=9)))) == "same"


def test_only_pages_of_photos_are_photos() -> None:
    assert page_of("https://www.flickr.com/photos/Some/0012/in/pool-1/") is not None
    for url in ("", "https://www.flickr.com/photos/some/", "https://www.flickr.com/people/some/7", "https://[", "7"):
        assert page_of(url) is None
    assert not is_login("https://www.flickr.com/photos/loginname/7/")


def test_a_name_in_a_reason_is_short_and_printable() -> None:
    found = read_oembed(photo(), PhotoAnswer(200, oembed(owner="o" * 5_000)))
    assert isinstance(found, CheckResult)
    assert len(found.reason) < 400
    assert json.dumps(found.reason)
