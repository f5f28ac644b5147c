"""The retry policy: whether a failure is final for its image, and otherwise when to try again. Pure.

The tables below and the few lines after them contain the whole policy. The
times are stored in the database, so they are valid across runs.

A final verdict must be about the photo. A 404 from the image's own host is; a web
page instead of an image, an empty body or a 403 may also come from
something in between: a login page, a proxy, a firewall. These need several tries, far
enough apart to outlast a short disturbance. If everything fails for one reason, the
evidence is about the path, whatever the reason: see `streak`.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from oidl.model import AttemptCounts, Blame, Failure, Reason, RetryDecision, Status

_BASE_DELAY_S = 1.0
MAX_DELAY_S = 300.0
"""The longest delay before a retry, in seconds, if no server asks for more."""
_PASSING_STATUSES = frozenset({202, 204, 408, 425, 429})


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How many `tries` an image gets for one reason (0: any number), and whether each counts towards the run's limit.

    If a rule `is_of_path`, its tries are spread over time, because the failure may not be about the photo.
    """

    tries: int = 0
    counts: bool = True
    is_of_path: bool = False


_AT_ONCE = RetryRule(tries=1)
_TWICE = RetryRule(tries=2)
_PASSING = RetryRule()
_OF_PATH = RetryRule(tries=3, is_of_path=True)

RULES: dict[Reason, RetryRule] = {
    Reason.UNAVAILABLE: _AT_ONCE,
    Reason.NOT_FOUND: _AT_ONCE,
    Reason.GONE: _AT_ONCE,
    Reason.FORBIDDEN: _OF_PATH,
    Reason.SIZE_MISMATCH: _TWICE,  # if it is an image; anything else may come from the path
    Reason.MD5_MISMATCH: _TWICE,
    Reason.NOT_AN_IMAGE: _OF_PATH,
    Reason.CORRUPT: _PASSING,  # final if the bytes are the published ones
    Reason.HTTP_ERROR: _OF_PATH,  # passing for some statuses
    Reason.RATE_LIMITED: RetryRule(counts=False),
    Reason.TIMEOUT: _PASSING,
    Reason.TOO_SLOW: _PASSING,
    Reason.CONNECTION: _PASSING,
    Reason.DNS: _PASSING,
    Reason.TLS: _PASSING,
    Reason.TOO_LARGE: _OF_PATH,
    Reason.RESIZE_FAILED: _AT_ONCE,
    Reason.LICENSE: _AT_ONCE,  # no try has it
    Reason.INTERNAL_ERROR: RetryRule(tries=3),
    Reason.DISK: RetryRule(counts=False),
}

UNCOUNTED = tuple(reason for reason, rule in RULES.items() if not rule.counts)
"""Reasons that say nothing about the image, so they never count against it."""


def decide(
    failure: Failure, tries: AttemptCounts, now: datetime, rng: random.Random, confirm_after_s: float
) -> RetryDecision:
    """Whether and when to try an image again after `failure`; `tries` are those before it.

    If the failure may be about the path, the next try comes after `confirm_after_s`, then after twice that (and up to a
    quarter more). Otherwise the delay has full jitter: it is drawn uniformly between 0 and a bound that doubles
    from 1 s to 5 min ("Exponential Backoff And Jitter", AWS Architecture Blog,
    2015). It is never shorter than a `Retry-After`.
    """
    rule = rule_for(failure)
    if rule.tries and tries.for_reason + 1 >= rule.tries:
        return RetryDecision(Status.FAILED)
    if failure.reason is Reason.DISK:  # the run stops; the next run need not wait
        return RetryDecision(Status.RETRY, now, counts=False)
    if rule.is_of_path:
        delay_s = confirm_after_s * 2.0**tries.for_reason * rng.uniform(1.0, 1.25)
    else:
        rounds = tries.for_reason if not rule.counts else tries.in_run
        delay_s = rng.uniform(0.0, min(MAX_DELAY_S, _BASE_DELAY_S * 2.0 ** min(rounds, 20)))
    delay_s = max(delay_s, failure.retry_after_s or 0.0)
    return RetryDecision(Status.RETRY, now + timedelta(seconds=delay_s), rule.counts)


def decide_all(
    failures: Sequence[tuple[Failure, AttemptCounts]], now: datetime, rng: random.Random, confirm_after_s: float
) -> tuple[RetryDecision, Failure]:
    """The decision for a try that failed at several sources, and the failure to record for the image.

    An image has failed for good if it did so at every source; otherwise all sources are asked again at the latest of
    their times. The recorded reason is that of the first source, which is what the user wants to know; a mirror that
    lacks the image supplies the reason only if there is no other.
    """
    verdicts = [decide(failure, tries, now, rng, confirm_after_s) for failure, tries in failures]
    cause = next((failure for failure, _ in failures if failure.blame is not Blame.MIRROR), failures[0][0])
    others = [f"{other.source}: {other.detail or other.reason}" for other, _ in failures if other is not cause]
    cause = replace(cause, detail="; ".join([cause.detail, *others])) if others else cause
    passing = [verdict for verdict in verdicts if verdict.status is not Status.FAILED]
    if not passing:
        return verdicts[0], cause
    due = max(verdict.next_attempt_at or now for verdict in passing)
    return RetryDecision(Status.RETRY, due, counts=all(verdict.counts for verdict in passing)), cause


def rule_for(failure: Failure) -> RetryRule:
    """The rule for `failure`, by its reason, blame and HTTP status."""
    if failure.reason is Reason.CORRUPT and failure.blame is Blame.IMAGE:
        return _AT_ONCE
    if failure.reason is Reason.HTTP_ERROR and failure.http_status is not None:
        status = failure.http_status
        return _PASSING if status in _PASSING_STATUSES or status >= 500 else _OF_PATH
    rule = RULES[failure.reason]
    # Flickr's placeholder is an answer about the photo, whichever site sends it.
    is_of_path = failure.blame is Blame.PATH and failure.reason is not Reason.UNAVAILABLE
    return _OF_PATH if is_of_path and rule.tries else rule
