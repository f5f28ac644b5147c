"""The retry policy, reason by reason."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from oidl.model import AttemptCounts, Blame, Failure, Reason, RetryDecision, Source, Status
from oidl.pipeline.retry import RULES, UNCOUNTED, decide, decide_all
from oidl.settings import Retries

NOW = datetime(2026, 1, 1, tzinfo=UTC)

PERMANENT_AT_ONCE = [
    Failure(Reason.UNAVAILABLE),
    Failure(Reason.NOT_FOUND),
    Failure(Reason.GONE),
    Failure(Reason.RESIZE_FAILED),
    Failure(Reason.CORRUPT, blame=Blame.IMAGE),
]
MAYBE_THE_PATH = [
    Failure(Reason.FORBIDDEN, http_status=403),
    Failure(Reason.NOT_AN_IMAGE),
    Failure(Reason.TOO_LARGE),
    Failure(Reason.SIZE_MISMATCH, blame=Blame.PATH),  # an empty body, or one of no type
    *(Failure(Reason.HTTP_ERROR, http_status=status) for status in (302, 400, 401, 418, 451)),
    Failure(Reason.HTTP_ERROR, "more than 3 redirects"),
    Failure(Reason.NOT_FOUND, http_status=404, blame=Blame.PATH),
    Failure(Reason.GONE, http_status=410, blame=Blame.PATH),
    Failure(Reason.MD5_MISMATCH, blame=Blame.PATH),
]
CONFIRM_AFTER_S = 45.0
PASSING = [
    Failure(Reason.CORRUPT),
    Failure(Reason.RATE_LIMITED),
    Failure(Reason.TIMEOUT),
    Failure(Reason.TOO_SLOW),
    Failure(Reason.CONNECTION),
    Failure(Reason.DNS),
    Failure(Reason.TLS),
    Failure(Reason.DISK),
    *(Failure(Reason.HTTP_ERROR, http_status=status) for status in (408, 425, 429, 500, 502, 503, 504, 599)),
]


def verdict(failure: Failure, in_run: int = 0, for_reason: int = 0) -> RetryDecision:
    return decide(failure, AttemptCounts(in_run, for_reason), NOW, random.Random(1), CONFIRM_AFTER_S)


def test_every_reason_has_a_rule() -> None:
    assert set(RULES) == set(Reason)


@pytest.mark.parametrize("failure", PERMANENT_AT_ONCE, ids=str)
def test_what_will_not_change_is_given_up_at_once(failure: Failure) -> None:
    assert verdict(failure) == RetryDecision(Status.FAILED)


@pytest.mark.parametrize("failure", PASSING, ids=str)
def test_what_may_pass_is_tried_again_for_ever(failure: Failure) -> None:
    assert verdict(failure, in_run=99, for_reason=99).status is Status.RETRY


@pytest.mark.parametrize(
    ("reason", "tries"), [(Reason.INTERNAL_ERROR, 3), (Reason.SIZE_MISMATCH, 2), (Reason.MD5_MISMATCH, 2)]
)
def test_some_get_a_second_or_third_chance(reason: Reason, tries: int) -> None:
    failure = Failure(reason)
    verdicts = [verdict(failure, in_run=before, for_reason=before) for before in range(tries)]
    assert [each.status for each in verdicts] == [Status.RETRY] * (tries - 1) + [Status.FAILED]
    assert all(each.next_attempt_at <= NOW + timedelta(seconds=4) for each in verdicts if each.next_attempt_at)


@pytest.mark.parametrize("failure", MAYBE_THE_PATH, ids=str)
@pytest.mark.parametrize("seed", range(20))
def test_what_may_be_about_the_path_needs_three_tries_that_outlast_two_minutes(failure: Failure, seed: int) -> None:
    now, rng = NOW, random.Random(seed)
    for before in range(2):
        again = decide(failure, AttemptCounts(before, before), now, rng, CONFIRM_AFTER_S)
        assert again.status is Status.RETRY
        assert again.next_attempt_at
        now = again.next_attempt_at
    assert timedelta(minutes=2) < now - NOW < timedelta(seconds=Retries().max_wait_s)
    assert decide(failure, AttemptCounts(2, 2), now, rng, CONFIRM_AFTER_S) == RetryDecision(Status.FAILED)


def test_a_photo_that_is_gone_by_its_own_host_s_word_is_not_asked_for_again_but_one_elsewhere_is() -> None:
    assert verdict(Failure(Reason.GONE)).status is Status.FAILED
    assert verdict(Failure(Reason.GONE, blame=Blame.PATH)).status is Status.RETRY


@pytest.mark.parametrize("reason", [each for each in Reason if each is not Reason.LICENSE])  # no try ends with that
@pytest.mark.parametrize("blame", Blame)
@pytest.mark.parametrize("http_status", [None, 200, 302, 403, 404, 500])
def test_no_verdict_that_may_be_about_the_path_is_final_at_the_first_try(
    reason: Reason, blame: Blame, http_status: int | None
) -> None:
    failure = Failure(reason, http_status=http_status, blame=blame)
    if verdict(failure).status is Status.FAILED:
        about_the_photo = (Reason.UNAVAILABLE, Reason.NOT_FOUND, Reason.GONE, Reason.RESIZE_FAILED, Reason.CORRUPT)
        assert reason in about_the_photo
        assert blame is not Blame.PATH or reason is Reason.UNAVAILABLE


def test_other_failures_in_between_do_not_use_up_those_chances() -> None:
    assert verdict(Failure(Reason.FORBIDDEN), in_run=14, for_reason=1).status is Status.RETRY


def test_delays_are_drawn_from_nothing_to_a_bound_that_doubles_to_five_minutes() -> None:
    for before, bound_s in ((0, 1), (1, 2), (5, 32), (8, 256), (9, 300), (1000, 300)):
        delays = [
            (due - NOW).total_seconds()
            for seed in range(300)
            if (
                due := decide(
                    Failure(Reason.TIMEOUT), AttemptCounts(before, before), NOW, random.Random(seed), CONFIRM_AFTER_S
                ).next_attempt_at
            )
        ]
        assert 0 <= min(delays) < 0.1 * bound_s
        assert 0.9 * bound_s < max(delays) <= bound_s


def test_a_retry_after_is_never_cut_short() -> None:
    failure = Failure(Reason.RATE_LIMITED, retry_after_s=3600)
    assert verdict(Failure(Reason.FORBIDDEN, retry_after_s=3600)).next_attempt_at == NOW + timedelta(hours=1)
    assert verdict(failure).next_attempt_at == NOW + timedelta(hours=1)
    assert verdict(Failure(Reason.HTTP_ERROR, http_status=500, retry_after_s=60)).next_attempt_at == NOW + timedelta(
        minutes=1
    )


def test_what_says_nothing_about_the_image_does_not_count_against_it() -> None:
    assert set(UNCOUNTED) == {Reason.RATE_LIMITED, Reason.DISK}
    assert not verdict(Failure(Reason.RATE_LIMITED)).counts
    assert verdict(Failure(Reason.TIMEOUT)).counts
    assert verdict(Failure(Reason.DISK)) == RetryDecision(Status.RETRY, NOW, counts=False)


NONE_BEFORE = AttemptCounts(0, 0)
GONE = Failure(Reason.GONE, "HTTP 410", 410, source=Source.ORIGINAL)
ABSENT = Failure(Reason.NOT_FOUND, "not on the mirror", 404, source=Source("cvdf"), blame=Blame.MIRROR)
SLOW = Failure(Reason.TIMEOUT, "no byte", source=Source("cvdf"))


def verdict_of_all(*failures: Failure) -> tuple[RetryDecision, Failure]:
    return decide_all([(failure, NONE_BEFORE) for failure in failures], NOW, random.Random(1), CONFIRM_AFTER_S)


def test_an_image_failed_for_good_only_if_it_did_so_everywhere() -> None:
    assert verdict_of_all(GONE, ABSENT)[0] == RetryDecision(Status.FAILED)
    assert verdict_of_all(GONE, SLOW)[0].status is Status.RETRY
    assert verdict_of_all(SLOW, GONE)[0].status is Status.RETRY


def test_the_first_source_names_the_reason_unless_it_is_a_mirror_that_has_it_not() -> None:
    for failures, told, detail in (
        ((GONE, ABSENT), GONE, "HTTP 410; cvdf: not on the mirror"),
        ((ABSENT, GONE), GONE, "HTTP 410; cvdf: not on the mirror"),
        ((SLOW, GONE), SLOW, "no byte; original: HTTP 410"),
        ((ABSENT,), ABSENT, "not on the mirror"),
    ):
        failure = verdict_of_all(*failures)[1]
        assert (failure.reason, failure.source, failure.detail) == (told.reason, told.source, detail)


def test_all_are_asked_again_when_the_most_patient_may_be() -> None:
    pause = Failure(Reason.RATE_LIMITED, retry_after_s=100.0, source=Source("cvdf"))
    held, _ = verdict_of_all(Failure(Reason.TIMEOUT, source=Source.ORIGINAL), pause)
    assert held.next_attempt_at == NOW + timedelta(seconds=100)
    assert not held.counts
