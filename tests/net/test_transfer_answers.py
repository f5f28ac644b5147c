"""Answers with a status, a length or a type that settles the image: each has its own reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from transfers import BODY, PAGE, UNAVAILABLE, URL, one

from oidl.demo.site import CannedResponse, ServerFault, redirect, status_answer
from oidl.model import Failure, Fetched, Reason, Source


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (status_answer(404), Failure(Reason.NOT_FOUND, "HTTP 404", 404)),
        (status_answer(410), Failure(Reason.GONE, "HTTP 410", 410)),
        (status_answer(403), Failure(Reason.FORBIDDEN, "HTTP 403", 403)),
        (status_answer(429), Failure(Reason.RATE_LIMITED, "HTTP 429", 429)),
        (status_answer(429, retry_after="7"), Failure(Reason.RATE_LIMITED, "HTTP 429", 429, 7.0)),
        (status_answer(503, retry_after="7"), Failure(Reason.RATE_LIMITED, "HTTP 503", 503, 7.0)),
        (status_answer(503), Failure(Reason.HTTP_ERROR, "HTTP 503", 503)),
        (status_answer(500), Failure(Reason.HTTP_ERROR, "HTTP 500", 500)),
        (status_answer(500, retry_after="7"), Failure(Reason.HTTP_ERROR, "HTTP 500", 500, 7.0)),
        (status_answer(400), Failure(Reason.HTTP_ERROR, "HTTP 400", 400)),
        (status_answer(204), Failure(Reason.HTTP_ERROR, "HTTP 204", 204)),
    ],
    ids=lambda value: value.detail if isinstance(value, Failure) else "",
)
def test_a_status_names_its_reason_and_the_failure_its_url(answer: CannedResponse, expected: Failure) -> None:
    outcome = one(answer)
    assert outcome.result == Failure(
        expected.reason,
        expected.detail,
        expected.http_status,
        expected.retry_after_s,
        source=Source.ORIGINAL,
        url=URL,
    )
    assert outcome.arrived == []


def test_a_retry_after_may_be_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    failure = one(status_answer(503, retry_after=in_a_minute)).result
    assert failure.reason is Reason.RATE_LIMITED
    assert failure.retry_after_s == pytest.approx(60, abs=10)


@pytest.mark.parametrize("location", [UNAVAILABLE, "/photo_unavailable.png", "http://photos/a/photo_unavailable_l.gif"])
def test_a_redirect_to_the_placeholder_is_unavailable_and_not_followed(location: str) -> None:
    outcome = one(redirect(location))
    assert outcome.result.reason is Reason.UNAVAILABLE
    assert (outcome.result.http_status, outcome.result.url) == (302, URL)
    assert location in outcome.result.detail
    assert len(outcome.site.log) == 1


@pytest.mark.parametrize("length", [len(BODY) - 1, len(BODY) + 1, 10 * len(BODY), 0])
def test_a_length_that_is_not_the_published_one_is_refused_before_the_body(length: int) -> None:
    outcome = one(CannedResponse((BODY * 10)[:length]))
    assert outcome.result.reason is Reason.SIZE_MISMATCH
    assert outcome.result.detail == f"{length} bytes, published {len(BODY)}"
    assert outcome.arrived == []


def test_a_large_file_of_another_length_is_not_read_at_all() -> None:
    sent: list[str] = []

    def body() -> bytes:
        sent.append("all")
        return BODY * 1000

    outcome = one(CannedResponse(body(), behaviour=ServerFault.SLOW, bytes_per_s=1000))
    assert outcome.result.reason is Reason.SIZE_MISMATCH
    assert outcome.took_s < 1


def test_a_thumbnail_longer_than_the_cap_is_refused_by_its_length() -> None:
    outcome = one(CannedResponse(BODY), size_bytes=None, cap_bytes=len(BODY) - 1)
    assert outcome.result.reason is Reason.TOO_LARGE
    assert outcome.arrived == []


@pytest.mark.parametrize("behaviour", [ServerFault.CHUNKED, ServerFault.NO_LENGTH])
def test_a_body_that_streams_past_the_cap_is_too_large(behaviour: ServerFault) -> None:
    assert one(CannedResponse(BODY + b"x", behaviour=behaviour)).result.reason is Reason.TOO_LARGE


def test_an_endless_body_is_left_soon_after_the_cap() -> None:
    outcome = one(CannedResponse(BODY[:1000], behaviour=ServerFault.ENDLESS))
    assert outcome.result.reason is Reason.TOO_LARGE
    assert len(BODY) < sum(outcome.arrived) < 20 * len(BODY)
    assert outcome.site.connections.open == 0


@pytest.mark.parametrize(
    "content_type", ["text/html", "text/html; charset=utf-8", "TEXT/plain", "application/xml", "application/json"]
)
def test_a_page_is_no_image_whatever_its_length(content_type: str) -> None:
    for body in (PAGE, PAGE[:-1]):
        outcome = one(CannedResponse(body, content_type=content_type), size_bytes=len(PAGE), cap_bytes=len(PAGE))
        assert outcome.result.reason is Reason.NOT_AN_IMAGE
        assert outcome.result.http_status == 200


@pytest.mark.parametrize("behaviour", [ServerFault.NORMAL, ServerFault.CHUNKED, ServerFault.NO_LENGTH])
def test_bytes_that_are_said_to_be_text_and_may_be_the_published_ones_are_judged_by_themselves(
    behaviour: ServerFault,
) -> None:
    fetched = one(CannedResponse(BODY, content_type="text/plain", behaviour=behaviour)).result
    assert fetched.body == BODY
    assert fetched.doubt.reason is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("behaviour", [ServerFault.CHUNKED, ServerFault.NO_LENGTH, ServerFault.ENDLESS])
def test_of_a_page_whose_length_is_unknown_only_the_start_is_read(behaviour: ServerFault) -> None:
    page = CannedResponse(b"\n<!DOCTYPE html>" + BODY, content_type="text/html", behaviour=behaviour)
    outcome = one(page, size_bytes=20 * len(BODY), cap_bytes=20 * len(BODY))
    assert outcome.result.detail == "content type text/html"
    assert sum(outcome.arrived) < 2 * len(BODY)


def test_the_published_bytes_under_an_error_status_are_read() -> None:
    answer = replace(status_answer(503, retry_after="7"), body=BODY, content_type="image/jpeg")
    fetched = one(answer).result
    assert fetched.body == BODY
    assert (fetched.doubt.reason, fetched.doubt.retry_after_s) == (Reason.RATE_LIMITED, 7.0)


def test_a_png_for_a_jpeg_is_a_placeholder_unless_it_has_the_published_length() -> None:
    assert one(CannedResponse(BODY[:-1], content_type="image/png")).result.reason is Reason.NOT_AN_IMAGE
    assert one(CannedResponse(BODY, content_type="image/png")).result.body == BODY
    thumbnail = one(CannedResponse(BODY, content_type="image/png"), size_bytes=None, source=Source.THUMBNAIL_300K)
    assert thumbnail.result.reason is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/pjpeg", "application/octet-stream", ""])
def test_other_content_types_are_left_to_the_first_bytes_to_judge(content_type: str) -> None:
    assert one(CannedResponse(BODY, content_type=content_type)).result == Fetched(Source.ORIGINAL, URL, BODY)
