"""Stops a run by itself: after a time, a number of bytes, on a full disk, or if all fails for one reason.

Bytes and outcomes are checked when they are counted, time and free space once a second.
The run finishes and records what is in progress, and a later run continues.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import trio

from oidl.model import Failure, Reason
from oidl.node.stop import Stop
from oidl.pipeline.streak import Streak, Streaks
from oidl.progress.format import duration, size
from oidl.progress.meter import Meter
from oidl.reasons import diagnosis
from oidl.settings import Limits
from oidl.storage.space import filesystems, free_bytes

_CHECK_S = 1.0


class RunLimits:
    """The limits of one run: asks `stop` to drain at the first that is reached."""

    def __init__(
        self,
        limits: Limits,
        meter: Meter,
        stop: Stop,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._limits = limits
        self._meter = meter
        self._stop = stop
        self._free = free
        self._streaks = Streaks(limits.failure_rate)
        self._streak: Streak | None = None
        self._places: list[Path] = []
        self._is_writing = False

    async def watch(self, directories: Iterable[Path]) -> None:
        """Checks time, and free space on the filesystems of `directories`, until a limit is reached or cancelled.

        A run that has nothing to write succeeds however full the disk is: free space counts only after `begin_writing`.
        """
        self._places = list(filesystems(directories).values())
        while True:
            if (self._is_writing and self._stop_if_full()) or self._stop_if_late():
                return
            await trio.sleep(_CHECK_S)

    def begin_writing(self) -> None:
        """Something is about to be written: from now on a full disk stops the run, at once if it is full already."""
        if not self._is_writing:
            self._is_writing = True
            self._stop_if_full()

    def count_bytes(self) -> None:
        """Checks the byte limit, after the meter has counted bytes from the network."""
        most = self._limits.bytes_read
        if most is not None and self._meter.bytes_read >= most:
            self._stop.limit_reached(f"{size(self._meter.bytes_read)} downloaded (--max-bytes)")

    def count_outcome(self, reason: Reason | None) -> None:
        """Counts an outcome that is news; `reason` is None for an image that was downloaded."""
        self._streaks.add(reason, datetime.now(UTC))
        if not self._streak and (streak := self._streaks.recent()):
            self._streak = streak
            self._stop.limit_reached(streak_text(streak))

    def streaks(self) -> list[Streak]:
        """Every streak of the run; the verdicts of those periods are not valid."""
        last = self._streaks.last()
        return [*self._streaks.over(), *([last] if last else [])]

    def streak(self) -> Streak | None:
        """The streak that stopped the run, or with which it ended."""
        return self._streak or self._streaks.last()

    def _stop_if_full(self) -> bool:
        failure = too_full(self._limits, self._places, self._free)
        if failure:
            self._stop.disk_is_full(failure)
        return failure is not None

    def _stop_if_late(self) -> bool:
        most = self._limits.duration_s
        if most is None or self._meter.elapsed_s < most:
            return False
        self._stop.limit_reached(f"{duration(most)} have passed (--max-duration)")
        return True


def too_full(limits: Limits, places: Iterable[Path], free: Callable[[Path], int] = free_bytes) -> Failure | None:
    """The failure for the first of `places` with less free space than must stay free."""
    for place in places:
        if (left := free(place)) < limits.min_free_bytes:
            return Failure(
                Reason.DISK,
                f"{size(left)} are free at {place}, less than the {size(limits.min_free_bytes)} of --min-free",
                hint="free some space there, or lower --min-free; then run it again",
            )
    return None


def streak_text(streak: Streak) -> str:
    """The message about a streak: what failed for one reason, and what that may mean."""
    tries = f"{streak.count} of the last {streak.outcomes} tries"
    same = f"{tries} failed for the same reason, {streak.reason} (--max-failure-rate)"
    return f"{same}: {diagnosis(streak.reason)}; see `oidl help failures`"
