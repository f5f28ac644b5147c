"""The text of exports: a line of CSV is the one that Python's own module writes, and shown text stays as it is."""

import csv
import io
from pathlib import PurePosixPath

import pytest

from oidl.export.text import csv_line, shown

TEXTS = ("", "x", " x ", "a,b", 'say "a"', '"', "a\nb", "a\rb", "ünï", "'", "#", "a;b", "\t")


def test_a_line_is_that_of_the_module_csv() -> None:
    values = (*TEXTS, None, 1, 0.1, -2e-7, PurePosixPath("a/b"))
    for fields in [(value,) for value in values] + [(one, other) for one in values for other in values]:
        expected = io.StringIO()
        csv.writer(expected, lineterminator="\r\n").writerow(fields)
        assert csv_line(fields) == expected.getvalue().removesuffix("\r\n") + "\n"


@pytest.mark.parametrize(
    ("text", "expected"), [("plain, text", "plain, text"), ("a\t\rb\nc", "a b\nc"), ("a\x1bb", "a�b"), ("é\x7f", "é�")]
)
def test_text_is_shown_without_what_a_program_obeys(text: str, expected: str) -> None:
    assert shown(text) == shown(shown(text)) == expected
