"""Options: when a run stops by itself, and what it does not begin."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import LIMITS, in_section
from oidl.cli.options.types import BYTES, LIMIT, SECONDS
from oidl.settings import Limits


@dataclass(frozen=True, kw_only=True)
@in_section(LIMITS)
class LimitOptions:
    """Limits of the run."""

    limit: Annotated[int | None, LIMIT] = None
    """Have this many images done, those of earlier runs included; 0 only loads the image list, `all` lifts a limit."""

    dry_run: bool = False
    """Say what would be fetched, how many bytes and how long it may take, and touch nothing."""

    yes: Annotated[bool, Parameter(negative=())] = False
    """Do not ask. Only a run on a terminal asks, if neither its options nor a plan say what to download or where."""

    max_duration: Annotated[float | None, SECONDS] = None
    """Stop after this time, like `90s`, `8h` or `2d`; what is in hand is finished, and a later run goes on."""

    max_bytes: Annotated[int | None, BYTES] = None
    """Stop after downloading this much, like `500M` or `2T`; the transfers in progress are finished."""

    max_failure_rate: float = 0.95
    """Stop when this share of the last 200 tries (at the end, of the last 10 or more) failed alike; 2 never stops."""

    min_free: Annotated[int, BYTES] = 1_000_000_000
    """Bytes to leave free on every disk that is written to, like `500M`; at less the run stops."""

    check_space: bool = True
    """Do not begin what cannot fit on the disk, by an estimate from the list's sizes."""

    def limits(self) -> Limits:
        """When a run stops by itself, but for `limit`, which is of its images."""
        return Limits(
            duration_s=self.max_duration,
            bytes_read=self.max_bytes,
            failure_rate=self.max_failure_rate,
            min_free_bytes=self.min_free,
            check_space=self.check_space,
        )
