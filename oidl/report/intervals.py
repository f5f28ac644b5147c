"""How far a share in a sample may be from the share in the whole. Pure."""

import math
from typing import NamedTuple

_Z_95 = 1.959963984540054
"""The quantile of the normal distribution for an interval of 95 %."""


class Interval(NamedTuple):
    """The bounds of an interval of shares, from 0 to 1."""

    low: float
    high: float


def wilson_interval(found: int, total: int) -> Interval:
    """The 95 % interval for a share of which `found` of `total` samples showed it; 0 to 1 without samples.

    It is Wilson's score interval (E. B. Wilson, "Probable inference", JASA 22, 1927), which holds for shares close to 0
    or 1 and for few samples too.
    """
    if total <= 0:
        return Interval(0.0, 1.0)
    share, square = found / total, _Z_95 * _Z_95
    middle = share + square / (2 * total)
    margin = _Z_95 * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    scale = 1 + square / total
    low = 0.0 if found <= 0 else max(0.0, (middle - margin) / scale)
    high = 1.0 if found >= total else min(1.0, (middle + margin) / scale)
    return Interval(low, high)
