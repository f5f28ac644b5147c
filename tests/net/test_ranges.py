"""How to request the rest of a body, and which answers contain that rest."""

import pytest

from oidl.net.ranges import Span, content_range, rest_headers, strong_validator, total_of_416

DATE = "Mon, 01 Jan 2018 00:00:00 GMT"
A_SECOND_LATER = "Mon, 01 Jan 2018 00:00:01 GMT"


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({}, ""),
        ({"ETag": '"one"'}, '"one"'),
        ({"ETag": '"one"', "Last-Modified": DATE, "Date": A_SECOND_LATER}, '"one"'),
        ({"ETag": 'W/"one"'}, ""),
        ({"ETag": 'W/"one"', "Last-Modified": DATE, "Date": A_SECOND_LATER}, ""),
        ({"ETag": "unquoted"}, ""),
        ({"Last-Modified": DATE, "Date": A_SECOND_LATER}, DATE),
        ({"Last-Modified": DATE, "Date": DATE}, ""),
        ({"Last-Modified": A_SECOND_LATER, "Date": DATE}, ""),
        ({"Last-Modified": DATE}, ""),
        ({"Last-Modified": "lately", "Date": DATE}, ""),
        ({"Last-Modified": DATE, "Date": "Mon, 01 Jan 2018 00:00:01 -0000"}, DATE),
        ({"Last-Modified": "Mon, 99999999999 Jan 2020 00:00:00 GMT", "Date": DATE}, ""),
        ({"Last-Modified": DATE, "Date": "Mon, 01 Jan 2018 00:00:01 +99999999"}, ""),
        ({"ETag": '"\xff\xfe"'}, ""),
        ({"ETag": '"' + "x" * 300 + '"'}, ""),
        ({"ETag": '"a" "b"'}, ""),
    ],
)
def test_a_validator_is_strong_or_none(headers: dict[str, str], validator: str) -> None:
    assert strong_validator(headers) == validator


def test_the_rest_is_asked_for_only_where_there_is_a_beginning_and_a_validator() -> None:
    assert rest_headers(7, '"one"') == {"Range": "bytes=7-", "If-Range": '"one"'}
    assert rest_headers(0, '"one"') == rest_headers(7, "") == rest_headers(7, '"ä"') == {}


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("bytes 7-9/10", Span(7, 10, 10)),
        ("bytes 7-8/10", Span(7, 9, 10)),
        ("bytes 7-9/*", Span(7, 10, None)),
        ("bytes 7-10/10", None),
        ("bytes 7-6/10", None),
        ("bytes */10", None),
        ("bytes=7-9/10", None),
        ("lines 7-9/10", None),
        ("bytes " + "1" * 5000 + "-2/3", None),
        ("bytes ٧-9/10", None),
        ("", None),
    ],
)
def test_a_content_range_is_read_or_refused(value: str, span: Span | None) -> None:
    assert content_range({"Content-Range": value}) == span


def test_a_416_may_tell_how_long_the_file_is() -> None:
    assert total_of_416({"Content-Range": "bytes */10"}) == 10
    assert total_of_416({"Content-Range": "bytes 7-9/10"}) is None
    assert total_of_416({"Content-Range": "bytes */" + "1" * 5000}) is None
    assert total_of_416({}) is None
