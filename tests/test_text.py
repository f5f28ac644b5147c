import pytest

from oidl.model import Done, Failure, Reason, Source
from oidl.text import (
    DETAIL_CHARACTERS,
    URL_CHARACTERS,
    counted,
    html_text,
    printable,
    shortened,
    suggestion,
    without_passwords,
    without_secrets,
)


@pytest.mark.parametrize(
    "character", ["\x1b", "\x07", "\x00", "\t", "\r", "\x7f", "\x9b", "\u202e", "\u200b", "\udcff"]
)
def test_what_a_terminal_would_obey_or_utf8_cannot_hold_is_shown_as_a_replacement(character: str) -> None:
    assert printable(f"a{character}b") == "a�b"
    printable(f"a{character}b").encode()


@pytest.mark.parametrize("text", ["写真 é\n×", "می\u200cخواهم", "👩\u200d👧"])
def test_letters_of_any_script_their_joiners_and_line_ends_stay(text: str) -> None:
    assert printable(text) == text


def test_html_shows_text_and_does_nothing_else() -> None:
    assert html_text("<b>\x1b\"'&") == "&lt;b&gt;�&quot;&#x27;&amp;"


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


def test_users_and_passwords_are_left_out_wherever_a_url_stands() -> None:
    said = "redirect to 'http://me:p@ss@h/x?a=b@c' and https://you@h:80/, not mail@h"
    assert without_passwords(said) == "redirect to 'http://h/x?a=b@c' and https://h:80/, not mail@h"
    assert without_secrets("https://me:pw@h/list.csv?sig=x#y") == "https://h/list.csv"
    assert without_secrets("/data/what?.csv") == "/data/what?.csv"
    assert Failure(Reason.GONE, "at http://me:pw@h/", url="http://me:pw@h/1.jpg").url == "http://h/1.jpg"
    assert Done(Source.ORIGINAL, "http://me:pw@h/1.jpg", 1, "", 1, 1, ()).url == "http://h/1.jpg"


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1_234_567, "1,234,567 images")]
)
def test_a_noun_agrees_with_its_number(number: int, words: str) -> None:
    assert counted(number, "image") == words


def test_a_plural_of_its_own_is_used() -> None:
    assert [counted(number, "box", "boxes") for number in (1, 2)] == ["1 box", "2 boxes"]


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("tst", "did you mean test?"),
        ("TRAIN SET", "did you mean train?"),
        ("validation test", "write validation,test"),
        ("Validation, TEST", "write validation,test"),
        ("validation tset", "did you mean validation?"),
        ("xyz", "choose from train, validation, test"),
        ("", "choose from train, validation, test"),
    ],
)
def test_what_is_misspelt_gets_a_suggestion(typed: str, hint: str) -> None:
    assert suggestion(typed, ("train", "validation", "test")) == hint
    assert suggestion(typed, ()) == ""
