"""The user's own SQL on the state database, read-only."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from oidl.errors import UsageError
from oidl.state.database import open_reader

_MISTAKES = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_READONLY)


def query(path: Path, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[dict[str, Any]]:
    """Yields the rows of one SELECT as dictionaries by column.

    Raises `UsageError` for SQL that cannot be run, and raises like `open_reader`.
    """
    with open_reader(path) as db:
        try:
            cursor = db.execute(sql, values)
        except (sqlite3.ProgrammingError, sqlite3.Warning) as error:
            raise UsageError(f"this SQL cannot be run: {error}") from error
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF not in _MISTAKES:
                raise
            raise UsageError(f"this SQL cannot be run: {error}") from error
        columns = [column for column, *_ in cursor.description or ()]
        for row in cursor:
            yield dict(zip(columns, row, strict=True))
