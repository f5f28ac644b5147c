"""Options: when a run stops by itself, and what it does not begin."""

from dataclasses import dataclass
from typing import Annotated

from oidl.cli.options.groups import LIMITS, in_section
from oidl.cli.options.types import AT_LEAST_ZERO, BYTES, LIMIT, MORE_THAN_ZERO, SECONDS
from oidl.settings import Limits

_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
@in_section(LIMITS)
class LimitOptions:
    """Limits of the run."""

    limit: Annotated[int | None, LIMIT, AT_LEAST_ZERO] = None
    """Stop when this many images are done, including those of earlier runs. `all`: no limit; 0: only load the list."""

    max_duration: Annotated[float | None, SECONDS] = _LIMITS.duration_s
    """Stop after this time, like `90s`, `8h` or `2d`; transfers in progress are finished, and the next run resumes."""

    max_bytes: Annotated[int | None, BYTES] = _LIMITS.bytes_read
    """Stop after downloading this much, like `500M` or `2T`; transfers in progress are finished."""

    max_failure_rate: Annotated[float, MORE_THAN_ZERO] = _LIMITS.failure_rate
    """Stop if this share of the last 200 tries failed for the same reason, as on a broken network; 2 turns this off."""

    min_free: Annotated[int, BYTES] = _LIMITS.min_free_bytes
    """Bytes to leave free on every disk that is written to, like `500M`; the run stops below that."""

    check_space: bool = _LIMITS.check_space
    """Refuse to start if the estimated output does not fit on the disk."""

    def settings(self) -> Limits:
        """When a run stops by itself; `limit` is about its images."""
        return Limits(self.max_duration, self.max_bytes, self.max_failure_rate, self.min_free, self.check_space)
