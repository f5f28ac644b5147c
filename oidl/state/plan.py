"""The plan of a root: the options of its last run that choose the images and the outputs.

Later runs and other commands use it for options that they are not given. The table `plan` has one row per option, so
that it can be queried like everything else.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from math import isfinite
from pathlib import Path

from oidl.errors import StateError
from oidl.hints import command
from oidl.state.database import open_any
from oidl.state.lock import is_held
from oidl.state.translate import translating_sqlite_errors
from oidl.text import printable, shortened

Value = str | int | float | bool | list[str]
"""The value of an option in a plan."""


def write_plan(db: sqlite3.Connection, plan: Mapping[str, Value]) -> None:
    """Replaces the plan of this root, inside the caller's transaction."""
    db.execute("DELETE FROM plan")
    rows = ((option, json.dumps(value, ensure_ascii=False)) for option, value in plan.items())
    db.executemany("INSERT INTO plan (option, value) VALUES (?, ?)", rows)


def read_plan(db: sqlite3.Connection) -> dict[str, Value]:
    """The plan in `db`, option to value; empty if there is none. Values that cannot be read are left out."""
    return {option: value for option, _, value in _rows(db) if value is not None}


def read_whole_plan(db: sqlite3.Connection) -> dict[str, Value]:
    """The plan in `db`, for a run to continue. Raises `StateError` if a value cannot be read."""
    rows = list(_rows(db))
    for option, text, value in rows:
        if value is None:
            raise StateError(
                f"the plan of this root cannot be read: the value of {option} is {shortened(printable(text), 40)!r}",
                hint=f"correct the table plan, or make a new one with {command('run', '--new-plan')} and options",
            )
    return {option: value for option, _, value in rows if value is not None}


def _rows(db: sqlite3.Connection) -> Iterator[tuple[str, str, Value | None]]:
    """Each option with its stored text and its value, None if the text is not a value."""
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'plan'").fetchone():
        for option, text in db.execute("SELECT option, value FROM plan ORDER BY option").fetchall():
            yield option, text, _value(text)


def _value(text: str) -> Value | None:
    """The value that `text` is in JSON; None for anything else, because people edit the table."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        return value if all(map(_is_text, value)) else None
    is_number = isinstance(value, int) or (isinstance(value, float) and isfinite(value))
    return value if is_number or _is_text(value) else None


def _is_text(value: object) -> bool:
    """Whether `value` is text that can be typed: it has no zero byte."""
    return isinstance(value, str) and "\0" not in value


def last_min_free(db: sqlite3.Connection) -> int | None:
    """The bytes that the last run had to leave free on every disk; None if the database has none, or no number."""
    row = db.execute(
        "SELECT json_extract(settings, '$.limits.min_free_bytes') FROM run WHERE json_valid(settings) "
        "ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return row[0] if row and isinstance(row[0], int) else None


def stored_plan(path: Path) -> dict[str, Value]:
    """The plan in the state database at `path`, of any schema; empty if there is no plan, or no database.

    It is also empty while another `oidl` loads its first list: taking the lock then reports its holder. Raises like
    `open_reader` for a database that is damaged or not ours, and like `read_whole_plan`.
    """
    if not path.is_file():
        return {}
    try:
        with translating_sqlite_errors(path), closing(open_any(path)) as db:
            return read_whole_plan(db)
    except StateError:
        if is_held(path):
            return {}
        raise
