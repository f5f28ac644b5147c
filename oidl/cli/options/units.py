"""Amounts as people type them: `1.5G`, `512k`, `2h30m`, `90`."""

import re

LARGEST = 2**63 - 1
"""The largest whole number that SQLite has a place for."""

_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+) ?([kmgt]?)(i?)b?", re.IGNORECASE)
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_TIME = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?[dhms])+")


def parse_bytes(text: str) -> int:
    """A number of bytes: `1500`, `1.5k`, `10M`, `2GB`, or `1GiB` for powers of 1024. Raises `ValueError`."""
    found = _AMOUNT.fullmatch(text.strip())
    if not found or (found[3] and not found[2]):
        raise ValueError("a number of bytes, like 500M, 1.5G or 1GiB")
    number, unit, binary = found.groups()
    factor = _BYTES[unit.lower()]
    if binary:
        factor = 1024 ** (len(str(factor)) // 3)
    amount = float(number) * factor
    if amount > LARGEST:
        raise ValueError(f"a number of bytes up to {LARGEST}")
    return round(amount)


def parse_seconds(text: str) -> float:
    """A time in seconds: `90`, `90s`, `15m`, `2h30m`, `3d`. Raises `ValueError`."""
    typed = text.strip().lower().replace(" ", "")
    if typed.replace(".", "", 1).isdigit():
        return float(typed)
    if not _TIME.fullmatch(typed):
        raise ValueError("a time, like 90s, 15m or 2h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)([dhms])", typed))
