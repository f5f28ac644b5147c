"""The user's view of the screen, and the effect of each key on it. Pure.

A terminal sends bytes; the few that mean something here have names.
"""

import re
from dataclasses import dataclass, replace
from enum import IntEnum


class Tab(IntEnum):
    """The lists of the screen; the number is the key. Only a run on a cluster has the last one."""

    IN_PROGRESS = 1
    SUCCESSES = 2
    FAILURES = 3
    NODES = 4


@dataclass(frozen=True, slots=True)
class View:
    """What is shown: a list, from row `offset` on, or the help over it."""

    tab: Tab = Tab.IN_PROGRESS
    offset: int = 0
    is_help: bool = False


_ESCAPES = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down",
    "\x1b[C": "right", "\x1bOC": "right", "\x1b[D": "left", "\x1bOD": "left",
    "\x1b[5~": "page up", "\x1b[6~": "page down",
    "\x1b[H": "home", "\x1bOH": "home", "\x1b[1~": "home", "\x1b[F": "end", "\x1bOF": "end", "\x1b[4~": "end",
    "\x1b[Z": "back tab", "\x1b": "escape", "\t": "tab", " ": "page down", "\x0c": "redraw",
    "k": "up", "j": "down", "h": "left", "l": "right", "b": "page up", "f": "page down", "g": "home", "G": "end",
}  # fmt: skip
_KEY = re.compile("\x1b(?:\\[[0-9;]*[A-Za-z~]|O[A-Za-z])|.", re.DOTALL)

_TABS = {"tab": 1, "right": 1, "back tab": -1, "left": -1}
_STEPS = {"up": -1, "down": 1}
_PAGES = {"page up": -1, "page down": 1}


def keys(typed: bytes) -> list[str]:
    """The keys that made the terminal send `typed`: a name from above, otherwise the character."""
    return [_ESCAPES.get(key, key) for key in _KEY.findall(typed.decode("utf-8", "replace"))]


def after_key(view: View, key: str, *, rows: int, page: int, tabs: int) -> View:
    """The view after `key`; there are `tabs` lists, and this one has `rows` rows, of which `page` are visible."""
    last = max(0, rows - page)
    if key == "?":
        return replace(view, is_help=not view.is_help)
    if view.is_help:
        return replace(view, is_help=False)
    if key in ("1", "2", "3", "4")[:tabs]:
        return View(Tab(int(key)))
    if key in _TABS:
        return View(Tab((view.tab - 1 + _TABS[key]) % tabs + 1))
    if key == "home":
        return replace(view, offset=0)
    if key == "end":
        return replace(view, offset=last)
    step = _STEPS.get(key, 0) + _PAGES.get(key, 0) * max(1, page - 1)
    return replace(view, offset=min(max(0, view.offset + step), last))
