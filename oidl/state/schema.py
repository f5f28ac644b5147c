"""The schema of the state database: numbered SQL files, applied in order, and whether a database has what they make."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import oidl
from oidl.errors import StateError
from oidl.state.translate import not_ours
from oidl.text import counted


def schema_version(db: sqlite3.Connection) -> int:
    """How many migrations the database has had."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrations() -> list[Path]:
    """The migration files in order: number N takes a database from version N-1 to N.

    In a wheel they lie inside the package, in a checkout beside it.
    """
    package = Path(oidl.__file__).parent
    installed = package / "migrations"
    return sorted((installed if installed.is_dir() else package.parent / "migrations").glob("[0-9]*.sql"))


def newest_version() -> int:
    """How many migrations there are."""
    return len(migrations())


def check_schema(db: sqlite3.Connection, path: Path) -> None:
    """Raises `StateError` if a table, view or trigger is not what the migrations make.

    Further ones, and further columns, are the user's own.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        for file in migrations()[: schema_version(db)]:
            fresh.executescript(file.read_text("utf-8"))
        wanted = _schema(fresh)
    found = _schema(db)
    for name, shape in wanted.items():
        if not shape <= found.get(name, frozenset()):
            raise not_ours(path, f"{name} is missing or different")


def _schema(db: sqlite3.Connection) -> dict[str, frozenset[object]]:
    """What each table, view and trigger consists of: columns, or its SQL."""
    shapes: dict[str, frozenset[object]] = {}
    for kind, name, sql in db.execute(
        "SELECT type, name, sql FROM sqlite_schema WHERE type <> 'index' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    ).fetchall():
        if kind == "table":
            columns = db.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (name,))
            shapes[f"{kind} {name}"] = frozenset(columns)
        else:  # a view of a table that is missing has no columns to ask for
            shapes[f"{kind} {name}"] = frozenset([" ".join(sql.split())])
    return shapes


def migrate(db: sqlite3.Connection, path: Path) -> tuple[str, ...]:
    """Brings the schema up to date; returns what people should know of that."""
    remarks: list[str] = []
    for number, file in enumerate(migrations(), start=1):
        if number <= schema_version(db):
            continue
        text = file.read_text("utf-8")
        before = _rows(db, text)
        # One script, as executescript() commits whatever is open before it starts.
        script = f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;"
        try:
            db.executescript(script)
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT):
                raise
            raise StateError(
                f"{path} cannot be brought up to date ({file.name}: {error}); it is as it was",
                hint="move it away or choose another --state-db, then run again",
            ) from error
        after = _rows(db, text)
        lost = {table: rows - after.get(table, 0) for table, rows in before.items() if rows > after.get(table, 0)}
        remarks.extend(
            f"the upgrade removed {counted(rows, 'row')} of {table}; load the file again"
            for table, rows in lost.items()
        )
    return tuple(remarks)


def _rows(db: sqlite3.Connection, script: str) -> dict[str, int]:
    """How many rows the tables have that `script` may take some from."""
    named = set(re.findall(r"\b(?:DROP TABLE|DELETE FROM)\s+(\w+)", script))
    there = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'") if name in named]
    return {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in sorted(there)}
