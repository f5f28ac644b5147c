"""The split of the images of an export: by subset, or randomly by shares. Pure.

A random split depends only on the seed and the ImageID. So no state is needed, and an image stays in its split when
others join the export.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from oidl.errors import UsageError

BY_SUBSET = "subset"
_NAMES = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """`shares` are percentages of train, validation and test, in this order; without shares, subsets are the splits."""

    shares: tuple[int, ...] = ()
    seed: int = 0

    def names(self, subsets: Sequence[str]) -> tuple[str, ...]:
        """The splits of an export of `subsets`: train, validation, test, then any others."""
        if not self.shares:
            known = tuple(name for name in _NAMES if name in subsets)
            return known + tuple(name for name in subsets if name not in _NAMES)
        return tuple(name for name, share in zip(_NAMES, self.shares, strict=False) if share)

    def of(self, image_id: str, subset: str) -> str:
        """The split of an image."""
        if not self.shares:
            return subset
        draw = hashlib.blake2b(f"{self.seed} {image_id}".encode(), digest_size=8, person=b"split")
        left = int.from_bytes(draw.digest(), "big") * 100 >> 64
        for name, share in zip(_NAMES, self.shares, strict=False):
            left -= share
            if left < 0:
                return name
        raise AssertionError("the shares of a split add up to 100")


def parse_split(text: str, seed: int = 0) -> Split:
    """Parses the value of `--split`. Raises `UsageError` if it is invalid."""
    if text.lower() == BY_SUBSET:
        return Split()
    if not re.fullmatch(r"\d{1,3}/\d{1,3}(/\d{1,3})?", text, re.ASCII):
        raise UsageError(
            f"--split {text}: this is not a split", hint="use subset, or percentages like 80/20 or 80/10/10"
        )
    shares = tuple(map(int, text.split("/")))
    if sum(shares) != 100:
        raise UsageError(f"--split {text}: the percentages add up to {sum(shares)}, not 100")
    return Split(shares, seed)
