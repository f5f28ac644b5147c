"""What follows from an answer about a licence: a verdict, another try later, or none in this run. Pure.

What may be about the path (a web page, other JSON) becomes `unknown` only after three tries, far enough apart to
outlast a short disturbance. Trouble that passes is tried again with growing delays, and leaves no row: the next check
asks again. A host that is paused or asks for a pause costs no try.
"""

import random
from dataclasses import dataclass, replace

from oidl.dataset.flickr.answers import KeyRefused, Passing, Unusable
from oidl.model import Blame, CheckResult, Failure, Reason, Verdict
from oidl.pipeline.license_ask import Asked

UNUSABLE_TRIES = 3
PASSING_TRIES = 5
_BASE_DELAY_S = 1.0
_LONGEST_DELAY_S = 60.0


@dataclass(frozen=True, slots=True)
class CheckTries:
    """How often an answer for a photo was unusable, and how often it could not be had."""

    unusable: int = 0
    passing: int = 0


@dataclass(frozen=True, slots=True)
class AskAgain:
    """The photo is asked for again after `after_s` seconds; with `pauses`, nothing else is asked for before that."""

    after_s: float
    tries: CheckTries
    why: str
    pauses: bool = False


@dataclass(frozen=True, slots=True)
class LeftForLater:
    """The photo is left for a later run."""

    why: str


Step = CheckResult | AskAgain | LeftForLater


def decide_check(answer: Asked, tries: CheckTries, rng: random.Random, confirm_after_s: float) -> Step:
    """What follows from `answer` after earlier `tries`.

    An unusable one is confirmed after `confirm_after_s`, then after twice that, and up to a quarter more.
    """
    match answer:
        case CheckResult():
            return answer
        case None:
            return LeftForLater("stopped")
        case KeyRefused(reason):
            return LeftForLater(reason)
        case Unusable():
            tries = replace(tries, unusable=tries.unusable + 1)
            if tries.unusable < UNUSABLE_TRIES:
                delay_s = confirm_after_s * 2.0 ** (tries.unusable - 1) * rng.uniform(1.0, 1.25)
                return AskAgain(delay_s, tries, answer.reason)
            if answer.known:  # only its history is missing
                return replace(answer.known, reason=f"no history: {answer.reason}")
            return CheckResult(Verdict.UNKNOWN, answer.reason, answer.http_status)
        case Failure(reason=Reason.RATE_LIMITED) | Failure(blame=Blame.NOT_ASKED):
            # A server that asks for a pause of no time, or until a moment that is over, is not pressed either.
            least_s = 0.0 if answer.blame is Blame.NOT_ASKED and answer.retry_after_s is not None else _BASE_DELAY_S
            after_s = max(least_s, answer.retry_after_s or 0.0)
            return AskAgain(after_s, tries, _described(answer), pauses=answer.retry_after_s is not None)
    tries = replace(tries, passing=tries.passing + 1)
    why = answer.reason if isinstance(answer, Passing) else _described(answer)
    if tries.passing >= PASSING_TRIES:
        return LeftForLater(why)
    bound_s = min(_LONGEST_DELAY_S, _BASE_DELAY_S * 2.0**tries.passing)
    least_s = answer.retry_after_s or 0.0 if isinstance(answer, Failure) else 0.0
    return AskAgain(max(least_s, rng.uniform(0.0, bound_s)), tries, why)


def _described(failure: Failure) -> str:
    return f"{failure.reason}: {failure.detail}" if failure.detail else str(failure.reason)
