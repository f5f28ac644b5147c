"""Which source is tried first, and which one next."""

import pytest
from builders import job

from oidl.dataset.published import Mirror
from oidl.model import Blame, Failure, Reason, Source
from oidl.net.answer import Download
from oidl.node.sources import Sources, is_other_site

GONE = Failure(Reason.GONE, "HTTP 410", 410)
MIRRORS = {"cvdf": Mirror("http://mirror/{subset}/{image_id}.jpg", frozenset((403, 404)), 300_000, 3_000_000)}
ALL = Sources((Source.THUMBNAIL_300K, Source.ORIGINAL, Source("cvdf")), MIRRORS)


def test_sources_are_asked_in_order_and_each_once() -> None:
    attempt = ALL.first(job(1))
    downloads = []
    while attempt:
        downloads.append(attempt.download)
        attempt = ALL.next(attempt, GONE)
    assert [(download.source, download.url) for download in downloads] == [
        (Source.THUMBNAIL_300K, job(1).thumbnail_300k_url),
        (Source.ORIGINAL, job(1).original_url),
        (Source("cvdf"), f"http://mirror/train/{job(1).image_id}.jpg"),
    ]
    assert [download.size_bytes for download in downloads] == [None, job(1).original_size, None]


def test_the_failures_of_the_sources_before_are_carried_along() -> None:
    second = ALL.next(ALL.first(job(1)), GONE)
    assert second
    third = ALL.next(second, Failure(Reason.TIMEOUT))
    assert third
    assert [failure.reason for failure in third.failures] == [Reason.GONE, Reason.TIMEOUT]
    assert third.host == "mirror"


def test_a_thumbnail_that_there_is_none_of_is_passed_over() -> None:
    item = job(1, thumbnail_300k_url="")
    first = ALL.first(item)
    assert first.download.source == Source.ORIGINAL
    last = ALL.next(first, GONE)
    assert last
    assert last.download.source == Source("cvdf")
    assert ALL.next(last, GONE) is None
    assert Sources((Source.THUMBNAIL_300K,), {}).first(item).download.url == ""


def test_a_disk_that_is_full_is_no_reason_to_ask_another() -> None:
    assert ALL.next(ALL.first(job(1)), Failure(Reason.DISK)) is None


@pytest.mark.parametrize(("status", "is_absent"), [(403, True), (404, True), (410, False), (500, False), (None, False)])
def test_a_mirror_that_lacks_an_image_has_not_failed(status: int | None, is_absent: bool) -> None:
    failure = Failure(Reason.FORBIDDEN, f"HTTP {status}", status, url="http://mirror/1")
    told = ALL.attributed(Download("http://mirror/1", Source("cvdf"), None, 9), failure)
    assert told.blame is (Blame.MIRROR if is_absent else Blame.SERVER)
    assert told.reason is (Reason.NOT_FOUND if is_absent else Reason.FORBIDDEN)
    assert ALL.attributed(Download("http://mirror/1", Source.ORIGINAL, 9, 9), failure) == failure


def test_what_another_site_says_is_about_the_path_and_not_about_the_mirror() -> None:
    download = Download("http://mirror/1", Source("cvdf"), None, 9)
    page = Failure(Reason.NOT_FOUND, "HTTP 404", 404, url="http://login.hotel.example/")
    assert ALL.attributed(download, page).blame is Blame.PATH
    published = Failure(Reason.CORRUPT, url="http://login.hotel.example/", blame=Blame.IMAGE)
    assert ALL.attributed(download, published) == published


@pytest.mark.parametrize("source", [Source.ORIGINAL, Source.THUMBNAIL_300K, Source("cvdf")])
def test_nothing_longer_than_our_own_ceiling_is_read_whatever_the_list_says(source: Source) -> None:
    download = Sources((source,), MIRRORS, 1000).first(job(1, original_size=10**17)).download
    assert download.cap_bytes == 1000


def test_a_mirror_says_how_long_a_copy_can_be_and_what_absence_is() -> None:
    mirror = Mirror("http://mine/{image_id}", frozenset((410,)), 5, 700)
    mine = Sources((Source("mine"),), {"mine": mirror})
    download = mine.first(job(1)).download
    assert (download.url, download.cap_bytes) == (f"http://mine/{job(1).image_id}", 700)
    gone = Failure(Reason.GONE, "HTTP 410", 410, url=download.url)
    missing = Failure(Reason.NOT_FOUND, "HTTP 404", 404, url=download.url)
    assert mine.attributed(download, gone).blame is Blame.MIRROR
    assert mine.attributed(download, missing) == missing


@pytest.mark.parametrize(
    ("url", "other", "differs"),
    [
        ("https://c1.staticflickr.com/1.jpg", "https://live.staticflickr.com/1.jpg", False),
        ("http://c1.staticflickr.com/1.jpg", "https://c1.staticflickr.com/1.jpg", False),
        ("https://c1.staticflickr.com/1.jpg", "http://login.hotel.example/", True),
        ("http://10.0.0.1/1.jpg", "http://192.168.0.1/1.jpg", True),
        ("http://10.0.0.1/1.jpg", "http://10.0.0.1/login", False),
        ("http://a.١.example/1.jpg", "http://b.١.example/1.jpg", False),
        ("http://10.0.0.1:80/1.jpg", "http://10.0.0.1:8080/login", True),
    ],
)
def test_sister_hosts_are_one_site(url: str, other: str, differs: bool) -> None:
    assert is_other_site(url, other) is differs
    assert is_other_site(other, url) is differs
