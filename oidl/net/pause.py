"""Pauses all requests to a provider, and ends the pause with a single request, the probe. Pure."""

import math
import random

_FIRST_S = 1.0  # if the provider does not say; doubles while the probe is throttled too
_LONGEST_S = 300.0
_JITTER = (1.0, 1.25)  # never shorter: a ban of a minute is not over after 59 s


class Pause:
    """The pauses of one provider, one at a time. `until` is the end of an earlier run's pause."""

    def __init__(self, until: float, rng: random.Random) -> None:
        self._rng = rng
        self._until = until
        self._began_at = -math.inf
        self._probe_at: float | None = None  # when the probe started
        self._next_s = _FIRST_S
        self._known_s = 0.0  # the length of the last sufficient pause, if a second was too short
        self.is_on = until > -math.inf
        self.reason = "asked for in an earlier run"

    def left_s(self, now: float) -> float:
        """Seconds until the probe may start."""
        return max(0.0, self._until - now)

    def begin(self, now: float, retry_after_s: float | None) -> None:
        """Starts a pause."""
        self.is_on = True
        self._began_at = now
        self._wait(now, retry_after_s)

    def started(self, now: float) -> None:
        """A request starts; during a pause it is the probe."""
        if self.is_on:
            self._probe_at = now

    def is_probe(self, started_at: float) -> bool:
        """Whether a request that started at `started_at` is the probe, not one from before the pause."""
        return self._probe_at is not None and started_at >= self._probe_at

    def throttled(self, now: float, started_at: float, retry_after_s: float | None) -> None:
        """A request was throttled during the pause."""
        if self.is_probe(started_at):
            self._next_s = min(_LONGEST_S, max(self._known_s, 2 * self._next_s))
            self._wait(now, retry_after_s)
        elif retry_after_s is not None:
            self._wait(now, retry_after_s)

    def end(self, now: float) -> float:
        """Ends the pause, because the probe was answered; returns its length in seconds."""
        self.is_on = False
        self._probe_at = None
        self._known_s = self._next_s if self._next_s > _FIRST_S else 0.0
        self._next_s = max(_FIRST_S, self._next_s / 2)
        return now - self._began_at

    def _wait(self, now: float, retry_after_s: float | None) -> None:
        self._probe_at = None
        wait_s = self._next_s * self._rng.uniform(*_JITTER) if retry_after_s is None else retry_after_s
        if now + wait_s > self._until:
            self._until = now + wait_s
            header = "" if retry_after_s is None else ", with Retry-After"
            self.reason = f"too many requests{header}"
