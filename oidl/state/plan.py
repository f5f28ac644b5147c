"""The plan of a root: the options of its last run that choose the images and the outputs.

Later runs and other commands use it for options that they are not given. The table `plan` has one row per option, so
that it can be queried like everything else.
"""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from oidl.errors import StateError
from oidl.state.database import open_any
from oidl.state.lock import is_held
from oidl.state.translate import translating_sqlite_errors

Value = str | int | float | bool | list[str]
"""The value of an option in a plan."""


def write_plan(db: sqlite3.Connection, plan: Mapping[str, Value]) -> None:
    """Replaces the plan of this root, inside the caller's transaction."""
    db.execute("DELETE FROM plan")
    rows = ((option, json.dumps(value, ensure_ascii=False)) for option, value in plan.items())
    db.executemany("INSERT INTO plan (option, value) VALUES (?, ?)", rows)


def read_plan(db: sqlite3.Connection) -> dict[str, Value]:
    """The plan in `db`, option to value; empty if there is none."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'plan'").fetchone():
        return {}
    return {option: json.loads(value) for option, value in db.execute("SELECT option, value FROM plan ORDER BY option")}


def stored_plan(path: Path) -> dict[str, Value]:
    """The plan in the state database at `path`, of any schema; empty if there is no plan, or no database.

    It is also empty while another `oidl` loads its first list: taking the lock then reports its holder. Raises like
    `open_reader` for a database that is damaged or not ours.
    """
    if not path.is_file():
        return {}
    try:
        with translating_sqlite_errors(path), closing(open_any(path)) as db:
            return read_plan(db)
    except StateError:
        if is_held(path):
            return {}
        raise
