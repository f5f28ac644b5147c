"""What follows from an answer about a licence, and what is left of an API key in it."""

import random

import pytest

from oidl.dataset.flickr.answers import KeyRefused, Unusable
from oidl.model import Blame, CheckResult, Failure, Reason, Verdict
from oidl.pipeline.license_ask import without_key
from oidl.pipeline.license_retry import AskAgain, CheckTries, decide_check
from oidl.text import shortened

KEY = "0123456789abcdefSECRET"


@pytest.mark.parametrize(("asked_for_s", "waits_s"), [(None, 1.0), (0.0, 1.0), (0.2, 1.0), (30.0, 30.0)])
def test_a_server_that_is_busy_is_never_asked_again_at_once(asked_for_s: float | None, waits_s: float) -> None:
    busy = Failure(Reason.RATE_LIMITED, "HTTP 429", http_status=429, retry_after_s=asked_for_s)
    step = decide_check(busy, CheckTries(), random.Random(0), 30.0)
    assert isinstance(step, AskAgain)
    assert (step.after_s, step.pauses) == (waits_s, asked_for_s is not None)


@pytest.mark.parametrize("rest_s", [0.0, 0.2, 30.0])
def test_after_the_rest_of_a_pause_it_is_asked_at_once(rest_s: float) -> None:
    paused = Failure(Reason.RATE_LIMITED, "paused", retry_after_s=rest_s, blame=Blame.NOT_ASKED)
    step = decide_check(paused, CheckTries(), random.Random(0), 30.0)
    assert isinstance(step, AskAgain)
    assert step.after_s == rest_s


@pytest.mark.parametrize("before", range(90, 121))
def test_a_key_is_not_shown_where_a_text_was_cut_within_it(before: int) -> None:
    text = shortened("-" * before + KEY + "more", 120)
    for found in (
        Unusable(text),
        KeyRefused(text),
        Failure(Reason.CONNECTION, text),
        CheckResult(Verdict.UNKNOWN, text),
    ):
        freed = without_key(found, KEY)
        assert isinstance(freed, type(found))
        said = freed.detail if isinstance(freed, Failure) else getattr(freed, "reason", "")
        assert said.rstrip("…more") == "-" * min(before, 119)
