"""Which source is asked, and which after it."""

import pytest
from conftest import work

from oidl.model import Failure, Fetched, Reason, Source
from oidl.net.transfer import Download
from oidl.pipeline.sources import Sources, explained, is_other_site

GONE = Failure(Reason.GONE, "HTTP 410", 410)
MIRRORS = {"cvdf": "http://mirror/{subset}/{image_id}.jpg"}
ALL = Sources((Source.THUMBNAIL_300K, Source.ORIGINAL, Source.CVDF), MIRRORS)


def test_sources_are_asked_in_order_and_each_once() -> None:
    item, asked = work(1), []
    while item:
        asked.append(ALL.download(item))
        item = ALL.after(item, GONE)
    assert [(download.source, download.url) for download in asked] == [
        (Source.THUMBNAIL_300K, work(1).thumbnail_300k_url),
        (Source.ORIGINAL, work(1).original_url),
        (Source.CVDF, f"http://mirror/train/{work(1).image_id}.jpg"),
    ]
    assert [download.size_bytes for download in asked] == [None, work(1).original_size, None]


def test_what_each_came_to_travels_along() -> None:
    second = ALL.after(work(1), GONE)
    assert second
    third = ALL.after(second, Failure(Reason.TIMEOUT))
    assert third
    assert [failure.reason for failure in third.tried] == [Reason.GONE, Reason.TIMEOUT]


def test_a_thumbnail_that_there_is_none_of_is_passed_over() -> None:
    item = work(1, thumbnail_300k_url="")
    assert ALL.download(item).source is Source.ORIGINAL
    (last,) = [following for following in [ALL.after(item, GONE)] if following]
    assert ALL.download(last).source is Source.CVDF
    assert ALL.after(last, GONE) is None
    assert Sources((Source.THUMBNAIL_300K,), {}).download(item).url == ""


def test_a_disk_that_is_full_is_no_reason_to_ask_another() -> None:
    assert ALL.after(work(1), Failure(Reason.DISK)) is None


@pytest.mark.parametrize(("status", "is_absent"), [(403, True), (404, True), (410, False), (500, False), (None, False)])
def test_what_a_mirror_has_not_got_is_not_found_there(status: int | None, is_absent: bool) -> None:
    failure = Failure(Reason.FORBIDDEN, f"HTTP {status}", status)
    told = explained(Download("u", Source.CVDF, None, 9), failure)
    assert isinstance(told, Failure)
    assert told.is_not_mirrored is is_absent
    assert told.reason is (Reason.NOT_FOUND if is_absent else Reason.FORBIDDEN)
    assert explained(Download("u", Source.ORIGINAL, 9, 9), failure) == failure


def test_a_body_is_a_body() -> None:
    fetched = Fetched(Source.CVDF, "u", b"x")
    assert explained(Download("u", Source.CVDF, None, 9), fetched) is fetched


@pytest.mark.parametrize("source", [Source.ORIGINAL, Source.THUMBNAIL_300K, Source.CVDF])
def test_nothing_longer_than_our_own_ceiling_is_read_whatever_the_list_says(source: Source) -> None:
    download = Sources((source,), MIRRORS, 1000).download(work(1, original_size=10**17))
    assert download.cap_bytes == 1000


@pytest.mark.parametrize(
    ("url", "other", "differs"),
    [
        ("https://c1.staticflickr.com/1.jpg", "https://live.staticflickr.com/1.jpg", False),
        ("http://c1.staticflickr.com/1.jpg", "https://c1.staticflickr.com/1.jpg", False),
        ("https://c1.staticflickr.com/1.jpg", "http://login.hotel.example/", True),
        ("http://10.0.0.1/1.jpg", "http://192.168.0.1/1.jpg", True),
        ("http://10.0.0.1/1.jpg", "http://10.0.0.1/login", False),
        ("http://10.0.0.1:80/1.jpg", "http://10.0.0.1:8080/login", True),
    ],
)
def test_sister_hosts_are_one_site(url: str, other: str, differs: bool) -> None:
    assert is_other_site(url, other) is differs
    assert is_other_site(other, url) is differs
