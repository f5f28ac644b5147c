"""Decimal fractions of one width, parsed many at once."""

import random

import pytest

from oidl.dataset.decimals import read_decimals


@pytest.mark.parametrize("decimals", [1, 2, 6, 9, 14])
def test_they_are_what_float_makes_of_them(decimals: int) -> None:
    random_ = random.Random(decimals)
    values = [f"{random_.random() * 9.9:.{decimals}f}" for _ in range(5000)]
    values += ["0." + "0" * decimals, "1." + "0" * decimals, "9." + "9" * decimals]
    assert read_decimals(values) == list(map(float, values))


@pytest.mark.parametrize(
    "other",
    [
        "0.12345",  # a place less
        "0.1234567",
        "10.12345",
        "-0.12345",
        "+0.12345",
        ".1234567",
        "1.23e-05",
        "1e-00005",
        "01.23456",
        "0.123.56",
        "0.12345 ",
        "0.12_345",
        "0,123456",
        "0.123/56",
        "0.123:56",
        "0x123456",
        "Infinity",
        "0.12345²",
        "0.12345٣",
        "",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 99])
def test_one_that_is_written_otherwise_is_left_to_others(other: str, place: int) -> None:
    values = ["0.123456"] * 100
    values[place] = other
    assert read_decimals(values) is None


def test_two_lengths_that_make_up_for_one_another_are_noticed() -> None:
    assert read_decimals(["0.12345", "10.123456"]) is None
    assert read_decimals(["0.1234567", "0.12345", "0.123456"]) is None


@pytest.mark.parametrize("values", [["5"], ["5", "6"], ["5."], ["0.123456789012345"], ["1.0000000000000000"]])
def test_whole_numbers_and_more_digits_than_a_float_holds_are_left_to_others(values: list[str]) -> None:
    assert read_decimals(values) is None
