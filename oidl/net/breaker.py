"""A circuit breaker: leaves an unreachable host alone, and decides when to try it again. Pure.

Otherwise one dead server of many would keep tying up connections for the full timeout. After some
failures in a row the breaker opens; then one request is allowed from time to time, and the first answer closes it.
"""

import math
import random

_FAILURES = 5  # in a row; the default number of connections to one host
_FIRST_S = 5.0
_LONGEST_S = 300.0
_JITTER = (0.75, 1.25)


class Breaker:
    """The health of one host. Times are seconds of any one clock."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()
        self._failures = 0  # in a row
        self._probes = 0  # failed ones since the breaker opened
        self._until = -math.inf
        self._is_probing = False

    @property
    def is_open(self) -> bool:
        """Whether the host failed too often in a row."""
        return self._failures >= _FAILURES

    @property
    def is_well(self) -> bool:
        """Whether nothing has failed since the host last answered."""
        return not self._failures and not self._is_probing

    def wait_s(self, now: float) -> float:
        """Seconds until a request may be made: 0 is now; a few seconds while another request probes the host."""
        if not self.is_open:
            return 0.0
        return max(_FIRST_S if self._is_probing else 0.0, self._until - now)

    def started(self) -> None:
        """A request starts; `wait_s` was 0."""
        self._is_probing = self.is_open

    def succeeded(self) -> None:
        """The host answered."""
        self._failures = self._probes = 0
        self._is_probing = False

    def failed(self, now: float) -> bool:
        """The host could not be reached, or broke the connection; True if this opens the breaker."""
        was_open = self.is_open
        self._failures += 1
        if not self.is_open or (was_open and not self._is_probing):
            return False
        self._until = now + min(_LONGEST_S, _FIRST_S * 2.0**self._probes) * self._rng.uniform(*_JITTER)
        self._probes = min(self._probes + 1, 20)
        self._is_probing = False
        return not was_open

    def cancelled(self) -> None:
        """A request ended without evidence about the host."""
        self._is_probing = False
