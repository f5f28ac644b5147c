"""Response headers, friendly and hostile."""

from datetime import UTC, datetime

import pytest

from oidl.net.headers import (
    content_length,
    is_other_picture,
    is_placeholder,
    is_text,
    redirect_target,
    retry_after_s,
    server_md5,
)

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        ("0", 0.0),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 12:01:00 -0000", 60.0),
        ("soon", None),
        ("٥", None),
        ("5²", None),
        ("Thu, ٠١ Jan 2026 12:01:00 GMT", None),
        ("Thu, 0_1 Jan 2026 12:01:00 GMT", None),
        ("-5", None),
        ("1e9", None),
        ("Mon, 99999999999 Jan 2020 00:00:00 GMT", None),
        ("Thu, 01 Jan 2026 12:01:00 +99999999", None),
        ("Thu, 01 Jan 2026 12:01:00 GMT" + " " * 5000, None),
        ("9" * 5000, 365 * 86_400.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


def test_a_length_that_is_no_number_is_no_length() -> None:
    assert [content_length(value) for value in (None, "", "12", "-1", "1e3", "twelve", "٣", "9" * 5000)] == [
        None,
        None,
        12,
        None,
        None,
        None,
        None,
        None,
    ]


def test_pages_are_told_from_pictures() -> None:
    assert all(
        map(is_text, ("text/html; charset=utf-8", "application/xhtml+xml", "application/xml", "application/json"))
    )
    assert not any(map(is_text, ("image/jpeg", "application/octet-stream", "binary/octet-stream", "")))


def test_a_picture_of_another_format_than_the_url_says_is_told() -> None:
    assert is_other_picture("image/png", "https://x/a_o.jpg")
    assert is_other_picture("image/gif", "https://x/a_z.jpg?zz=1")
    assert not is_other_picture("image/JPEG", "https://x/a_o.jpg")
    assert not is_other_picture("image/png", "https://x/a_o.png")
    assert not is_other_picture("application/octet-stream", "https://x/a_o.jpg")
    assert not is_other_picture("image/png", "https://x/a")


def test_flickrs_placeholder_is_known_by_its_path() -> None:
    assert is_placeholder("https://s.yimg.com/pw/images/en-us/photo_unavailable.png")
    assert not is_placeholder("https://x/a.jpg?next=photo_unavailable")


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("http://a/1/2.jpg", "3.jpg", "http://a/1/3.jpg"),
        ("http://a/1/2.jpg", "http://b/3.jpg", "http://b/3.jpg"),
        ("http://a/1/2.jpg", "https://b/3.jpg", "https://b/3.jpg"),
        ("https://a/1/2.jpg", "https://b/3.jpg", "https://b/3.jpg"),
        ("https://a/1/2.jpg", "//b/3.jpg", "https://b/3.jpg"),
        ("https://me:secret@a/1/2.jpg", "/3.jpg", "https://me:secret@a/3.jpg"),
        ("https://me:secret@a/1/2.jpg", "//b/3.jpg", "https://b/3.jpg"),
    ],
)
def test_a_redirect_leads_anywhere_on_the_web(url: str, location: str, target: str) -> None:
    assert redirect_target(url, location) == target


@pytest.mark.parametrize(
    "location",
    [
        "http://a/2.jpg", "ftp://a/2.jpg", "file:///etc/passwd", "http://[",
        "https://a:0/2.jpg", "https://a:65536/2.jpg", f"https://a:{'9' * 4000}/2.jpg",
    ],
)  # fmt: skip
def test_a_redirect_never_leads_from_https_to_less(location: str) -> None:
    with pytest.raises(ValueError, match="redirect to"):
        redirect_target("https://a/1.jpg", location)


_MD5 = "5d41402abc4b2a76b9719d911017c592"
_BASE64 = "XUFAKrxLKna5cZ2REBfFkg=="


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, None),
        ({"x-goog-hash": f"crc32c=mnG7TA==, md5={_BASE64}"}, (_MD5, "x-goog-hash")),
        ({"x-goog-hash": "crc32c=mnG7TA==", "ETag": f'"{_MD5}"'}, None),
        ({"x-goog-hash": f"md5={_BASE64}", "x-goog-stored-content-encoding": "gzip", "ETag": f'"{_MD5}"'}, None),
        ({"x-goog-stored-content-encoding": "identity", "ETag": f'"{_MD5}"'}, None),
        ({"ETag": f'"{_MD5.upper()}"'}, (_MD5, "etag")),
        ({"ETag": f'"{_MD5}-12"'}, None),
        ({"ETag": f'W/"{_MD5}"'}, None),
        ({"ETag": f'"{_MD5}"', "x-amz-server-side-encryption": "AES256"}, (_MD5, "etag")),
        ({"ETag": f'"{_MD5}"', "x-amz-server-side-encryption": "aws:kms"}, None),
        ({"ETag": f'"{_MD5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"}, None),
    ],
)
def test_the_md5_that_a_server_tells_of_its_file(headers: dict[str, str], told: tuple[str, str] | None) -> None:
    assert server_md5(headers) == told
