"""Keys as terminals send them, and the effect of each on the view."""

import pytest

from oidl.progress.view import Tab, View, after_key, keys


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        (b"\x1b[A\x1b[B", ["up", "down"]),
        (b"\x1bOA", ["up"]),
        (b"kj", ["up", "down"]),
        (b"\x1b[5~\x1b[6~ ", ["page up", "page down", "page down"]),
        (b"\x1b[H\x1b[4~gG", ["home", "end", "home", "end"]),
        (b"\t\x1b[Z", ["tab", "back tab"]),
        (b"\x1b", ["escape"]),
        (b"q?2", ["q", "?", "2"]),
        (b"\x1b[1;5Cq", ["\x1b[1;5C", "q"]),  # Ctrl-Right: one key that means nothing here
        ("é".encode(), ["é"]),
        (b"\xff\n", ["�", "\n"]),
        (b"", []),
    ],
)
def test_what_is_typed_has_names(typed: bytes, names: list[str]) -> None:
    assert keys(typed) == names


def pressed(view: View, *typed: str, rows: int = 100, page: int = 9, tabs: int = 3) -> View:
    for key in typed:
        view = after_key(view, key, rows=rows, page=page, tabs=tabs)
    return view


def test_a_number_or_tab_changes_the_list_and_starts_at_its_top() -> None:
    assert pressed(View(offset=7), "2") == View(Tab.SUCCESSES)
    assert [pressed(View(), *["tab"] * times).tab for times in range(4)] == [1, 2, 3, 1]
    assert pressed(View(), "left").tab is Tab.FAILURES
    assert pressed(View(), "back tab").tab is Tab.FAILURES
    assert pressed(View(), "right").tab is Tab.SUCCESSES
    assert pressed(View(), "4").tab is Tab.IN_PROGRESS


def test_a_run_on_a_cluster_has_a_list_more() -> None:
    assert pressed(View(), "4", tabs=4).tab is Tab.NODES
    assert [pressed(View(), *["tab"] * times, tabs=4).tab for times in range(5)] == [1, 2, 3, 4, 1]
    assert pressed(View(), "left", tabs=4).tab is Tab.NODES


@pytest.mark.parametrize(
    ("typed", "offset"),
    [
        (["down"], 1),
        (["down", "down", "up"], 1),
        (["up"], 0),
        (["page down"], 8),  # a row of the page before stays in sight
        (["page down", "page up"], 0),
        (["end"], 91),
        (["end", "down"], 91),
        (["end", "page up"], 83),
        (["end", "home"], 0),
        (["x"], 0),
    ],
)
def test_a_list_is_scrolled_between_its_ends(typed: list[str], offset: int) -> None:
    assert pressed(View(), *typed).offset == offset


def test_a_list_that_is_seen_whole_is_not_scrolled() -> None:
    assert pressed(View(), "down", "end", "page down", rows=9) == View()
    assert pressed(View(), "down", "page up", rows=0, page=0) == View()


def test_the_help_comes_and_goes_and_the_key_that_closes_it_does_nothing_else() -> None:
    assert pressed(View(Tab.FAILURES, 5), "?") == View(Tab.FAILURES, 5, is_help=True)
    assert pressed(View(), "?", "?") == View()
    assert pressed(View(), "?", "2") == View()
