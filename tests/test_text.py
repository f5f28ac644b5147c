import pytest

from oidl.model import Failure, Reason
from oidl.text import DETAIL_CHARACTERS, URL_CHARACTERS, printable, shortened


@pytest.mark.parametrize(
    "character", ["\x1b", "\x07", "\x00", "\t", "\r", "\x7f", "\x9b", "\u202e", "\u200b", "\udcff"]
)
def test_what_a_terminal_would_obey_or_utf8_cannot_hold_is_shown_as_a_replacement(character: str) -> None:
    assert printable(f"a{character}b") == "a�b"
    printable(f"a{character}b").encode()


def test_letters_of_any_script_and_line_ends_stay() -> None:
    assert printable("写真 é\n×") == "写真 é\n×"


def test_what_is_cut_says_so_and_what_fits_is_left_alone() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdef", 5) == "abcd…"


def test_a_failure_keeps_one_printable_line_of_bounded_length_whatever_the_server_said() -> None:
    failure = Failure(Reason.HTTP_ERROR, "a\x1b[2J\nb" + "h" * 60_000, url="http://h/\x1b" + "u" * 60_000)
    assert failure.detail.startswith("a�[2J b")
    assert len(failure.detail) == DETAIL_CHARACTERS
    assert failure.url is not None
    assert failure.url.startswith("http://h/�")
    assert len(failure.url) == URL_CHARACTERS
