"""CSVs and the state database as pandas, polars, DuckDB, datasette and sqlite-utils read them."""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.readers.check import Facts
from bench.readers.tally import Tally

_SIZE = ("x_min", "x_max", "y_min", "y_max")


def _facts(home: Path, boxes: Iterable[Mapping[str, Any]], labels: int, images: int) -> Facts:
    tally = Tally()
    tally.image((each["display_name"], each["x_max"] - each["x_min"], each["y_max"] - each["y_min"]) for each in boxes)
    return {**tally.facts(), "labels": labels, "images": images}


def _csvs(home: Path, kind: str) -> list[str]:
    return sorted(map(str, home.glob(f"{kind}-*.csv")))


def pandas_csv(home: Path) -> Facts:
    """`read_csv` on boxes, labels and attribution."""
    import pandas

    boxes = pandas.concat(map(pandas.read_csv, _csvs(home, "boxes")))
    labels = pandas.concat(map(pandas.read_csv, _csvs(home, "labels")))
    thanks = pandas.read_csv(home / "ATTRIBUTION.csv")
    are_there = sum((home / name).is_file() for name in thanks["file_name"])
    return _facts(home, boxes.to_dict("records"), len(labels), are_there)


def polars_csv(home: Path) -> Facts:
    """`read_csv` on the same files."""
    import polars

    boxes = polars.concat(map(polars.read_csv, _csvs(home, "boxes")), how="vertical_relaxed")
    labels = polars.concat(map(polars.read_csv, _csvs(home, "labels")), how="vertical_relaxed")
    thanks = polars.read_csv(home / "ATTRIBUTION.csv")
    are_there = sum((home / name).is_file() for name in thanks["file_name"])
    return _facts(home, boxes.to_dicts(), len(labels), are_there)


def duckdb_csv(home: Path) -> Facts:
    """`SELECT` from the files."""
    import duckdb

    def rows(pattern: str) -> list[dict[str, Any]]:
        found = duckdb.sql(f"SELECT * FROM read_csv('{home}/{pattern}')")
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    are_there = sum((home / each["file_name"]).is_file() for each in rows("ATTRIBUTION.csv"))
    return _facts(home, rows("boxes-*.csv"), len(rows("labels-*.csv")), are_there)


def _lists(success: Iterable[Mapping[str, Any]], failure: Iterable[Mapping[str, Any]]) -> Facts:
    titles = [each["Title"] for each in success]
    return {
        "success": len(titles),
        "failure": len(list(failure)),
        "titles": len({title for title in titles if isinstance(title, str) and title}),
    }


def pandas_lists(home: Path) -> Facts:
    """`read_csv` on `images-success.csv` and `images-failure.csv` of each subset."""
    import pandas

    def rows(name: str) -> list[Mapping[str, Any]]:
        return [row for path in home.glob(f"*/{name}") for row in pandas.read_csv(path).to_dict("records")]

    return _lists(rows("images-success.csv"), rows("images-failure.csv"))


def polars_lists(home: Path) -> Facts:
    """The same."""
    import polars

    def rows(name: str) -> list[Mapping[str, Any]]:
        return [row for path in home.glob(f"*/{name}") for row in polars.read_csv(path).to_dicts()]

    return _lists(rows("images-success.csv"), rows("images-failure.csv"))


def duckdb_lists(home: Path) -> Facts:
    """The same."""
    import duckdb

    def rows(name: str) -> list[Mapping[str, Any]]:
        found = duckdb.sql(f"SELECT * FROM read_csv('{home}/*/{name}')")
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    return _lists(rows("images-success.csv"), rows("images-failure.csv"))


_QUESTIONS = {
    "images": "SELECT count(*) AS n FROM image",
    "boxes": "SELECT count(*) AS n FROM file_box WHERE rendition = 'images-resized'",
    "failures": "SELECT count(*) AS n FROM failure",
}


def pandas_database(database: Path) -> Facts:
    """`read_sql` on tables and views."""
    import pandas

    with closing(sqlite3.connect(database)) as db:
        return {name: int(pandas.read_sql(sql, db)["n"][0]) for name, sql in _QUESTIONS.items()}


def polars_database(database: Path) -> Facts:
    """`read_database` on a connection."""
    import polars

    with closing(sqlite3.connect(database)) as db:
        return {name: int(polars.read_database(sql, db)["n"][0]) for name, sql in _QUESTIONS.items()}


def datasette(database: Path) -> Facts:
    """Its JSON for the same queries, and its page about the database."""
    from datasette.app import Datasette

    async def ask() -> Facts:
        client = Datasette([str(database)]).client
        found = {}
        for name, sql in _QUESTIONS.items():
            answer = await client.get(f"/{database.stem}.json", params={"sql": sql, "_shape": "array"})
            found[name] = int(answer.json()[0]["n"])
        page = await client.get(f"/{database.stem}")
        if page.status_code != 200 or "file_box" not in page.text:
            raise ValueError(f"its page of the database: HTTP {page.status_code}")
        return found

    return asyncio.run(ask())


def sqlite_utils(database: Path) -> Facts:
    """`Database.query`."""
    from sqlite_utils import Database

    db = Database(database)
    try:
        return {name: int(next(iter(db.query(sql)))["n"]) for name, sql in _QUESTIONS.items()}
    finally:
        db.close()
