"""Sizes and durations as users write them."""

import pytest

from oidl.cli.options.types import parse_bytes, parse_seconds


@pytest.mark.parametrize(
    ("typed", "count"),
    [("0", 0), ("1500", 1500), ("1.5k", 1500), ("10M", 10**7), ("2GB", 2 * 10**9), ("1 t", 10**12), ("1GiB", 2**30),
     ("3Ki", 3072), ("1TiB", 2**40), (".5m", 500_000)],
)  # fmt: skip
def test_bytes(typed: str, count: int) -> None:
    assert parse_bytes(typed) == count


@pytest.mark.parametrize("typed", ["", "G", "-1", "1x", "1.2.3", "ten", "1ib", "nan", "1e9"])
def test_what_is_no_number_of_bytes(typed: str) -> None:
    with pytest.raises(ValueError, match="number of bytes"):
        parse_bytes(typed)


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("90", 90), ("0.5", 0.5), ("90s", 90), ("15m", 900), ("2h30m", 9000), ("3d", 259_200), ("1.5h", 5400),
     ("1H 5S", 3605)],
)  # fmt: skip
def test_times(typed: str, seconds: float) -> None:
    assert parse_seconds(typed) == seconds


@pytest.mark.parametrize("typed", ["", "h", "-5", "5 weeks", "1.2.3", "nan", "inf", "²", "٥"])
def test_what_is_no_time(typed: str) -> None:
    with pytest.raises(ValueError, match="a time"):
        parse_seconds(typed)
