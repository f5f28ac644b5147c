"""The schema of the state database: numbered SQL files, applied in order, and a check against them."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import oidl
from oidl.errors import StateError
from oidl.state.translate import not_ours
from oidl.text import counted


def schema_version(db: sqlite3.Connection) -> int:
    """The number of migrations that were applied to the database."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrations() -> list[Path]:
    """The migration files in order: number N upgrades a database from version N-1 to N.

    In a wheel they are inside the package, in a checkout next to it.
    """
    package = Path(oidl.__file__).parent
    installed = package / "migrations"
    return sorted((installed if installed.is_dir() else package.parent / "migrations").glob("[0-9]*.sql"))


def newest_version() -> int:
    """The number of all migrations."""
    return len(migrations())


def check_schema(db: sqlite3.Connection, path: Path) -> None:
    """Raises `StateError` if a table, view or trigger differs from the migrations.

    Additional ones, and additional columns, belong to the user.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        for file in migrations()[: schema_version(db)]:
            fresh.executescript(file.read_text("utf-8"))
        expected = _schema(fresh)
    actual = _schema(db)
    for name, shape in expected.items():
        if not shape <= actual.get(name, frozenset()):
            raise not_ours(path, f"{name} is missing or different")


def _schema(db: sqlite3.Connection) -> dict[str, frozenset[object]]:
    """The definition of each table, view and trigger: its columns, or its SQL."""
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
    """Upgrades the schema; returns messages to the user about it."""
    remarks: list[str] = []
    for number, file in enumerate(migrations(), start=1):
        if number <= schema_version(db):
            continue
        text = file.read_text("utf-8")
        before = _rows(db, text)
        # One script, because executescript() commits an open transaction before it starts.
        script = f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;"
        try:
            db.executescript(script)
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT):
                raise
            raise StateError(
                f"{path} cannot be upgraded ({file.name}: {error}); it is unchanged",
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
    """The number of rows in the tables from which `script` may delete rows."""
    affected = set(re.findall(r"\b(?:DROP TABLE|DELETE FROM)\s+(\w+)", script))
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'") if name in affected]
    return {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in sorted(tables)}
