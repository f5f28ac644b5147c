"""The plan of a root: what its images are for, as the options of its last run said it.

Later runs, and other commands, take from it what they are not told. The table `plan` has
it by option, so that it can be queried like everything else.
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
"""What an option of a plan can be."""


def write_plan(db: sqlite3.Connection, plan: Mapping[str, Value]) -> None:
    """Makes `plan` the one of this root, inside the caller's transaction."""
    db.execute("DELETE FROM plan")
    rows = ((option, json.dumps(value, ensure_ascii=False)) for option, value in plan.items())
    db.executemany("INSERT INTO plan (option, value) VALUES (?, ?)", rows)


def read_plan(db: sqlite3.Connection) -> dict[str, Value]:
    """The plan in `db`: option to value, by name; empty if there is none."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'plan'").fetchone():
        return {}
    return {option: json.loads(value) for option, value in db.execute("SELECT option, value FROM plan ORDER BY option")}


def stored_plan(path: Path) -> dict[str, Value]:
    """The plan in the state database at `path`, whatever its schema; empty if there is no plan, or no database.

    While another `oidl` loads its first list nothing can be read, and who holds the lock is told when it is taken.
    Raises as `open_reader` does for a database that is damaged, or is not ours.
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
