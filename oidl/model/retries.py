"""The input and the result of the retry policy."""

from dataclasses import dataclass
from datetime import datetime

from oidl.model.life import Status


@dataclass(frozen=True, slots=True)
class AttemptCounts:
    """How often an image failed: in this run, and ever for one reason; tries that do not count are left out."""

    in_run: int
    for_reason: int


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """The meaning of a failure for its image: `failed` for good or `retry` at a time, and whether the try counts."""

    status: Status
    next_attempt_at: datetime | None = None
    counts: bool = True
