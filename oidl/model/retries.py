"""What the retry policy is asked with, and what it answers."""

from dataclasses import dataclass
from datetime import datetime

from oidl.model.life import Status


@dataclass(frozen=True, slots=True)
class AttemptCounts:
    """How often an image failed: in this run, and ever for one reason; each as far as the tries count."""

    in_run: int
    for_reason: int


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """What a failure means for its image: `failed` for good or `retry` at a time, and whether it counts."""

    status: Status
    next_attempt_at: datetime | None = None
    counts: bool = True
