"""The database behind `bench explorer`: the full list as a run leaves it, with boxes, labels and masks.

It takes some ten minutes and 15 GB, so it stays in its directory and is used again.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import accumulate
from pathlib import Path

from bench.annotations import spread, write_boxes
from bench.load import write_list
from bench.measure import measured
from oidl.state.database import connect_writer

VALIDATION, TEST = 41_620, 125_436
ROWS, BOXES = 9_178_275, 14_600_000

# The shares of the images, in millionths, by status and reason. The last one is so rare that most searches miss it.
_OUTCOMES = (
    ("done", "", 805_000),
    ("failed", "unavailable", 120_000),
    ("failed", "not_found", 40_000),
    ("failed", "forbidden", 10_000),
    ("failed", "md5_mismatch", 5_000),
    ("retry", "timeout", 4_000),
    ("retry", "connection", 900),
    ("failed", "corrupt", 100),
)  # the others are pending
_RENDITIONS = (  # name, the condition for its images, and the shorter side of its files
    ("images-resized", "true", "240 + n % 401"),
    ("original", "n % 20 = 7", "600 + n % 2400"),
    ("few", "n % 10000 = 77", "128"),
)


def build(home: Path, rows: int, boxes: int) -> Path:
    """The database of `rows` images in `home`; it is made if it is not there yet."""
    path = home / "root/oidl.sqlite3"
    done = home / f"built-{rows}-{boxes}"
    if done.exists():
        connect_writer(path).close()  # upgrades it if the schema has changed since
        return path
    home.mkdir(parents=True, exist_ok=True)
    print("making the database of", f"{rows:,}", "images and", f"{boxes:,}", "boxes", flush=True)
    list_ = [f"--root-dir={home / 'root'}", f"--images-csv={home / 'list.csv'}"]
    write_list(home / "list.csv", rows, "http://127.0.0.1")
    _checked(["run", *list_, "--limit=0", "--no-export-csv", "--no-download-metadata"])
    with closing(sqlite3.connect(path)) as db:
        label_names = write_boxes(home / "boxes.csv", boxes, spread(db, boxes, rows))
    _checked(["annotations", "load", "--all", *list_, str(home / "boxes.csv")])
    for name in ("boxes.csv", "list.csv"):
        (home / name).unlink()
    with closing(connect_writer(path)) as db:
        _fill(db, label_names)
    done.touch()
    return path


def _checked(words: list[str]) -> None:
    began = time.perf_counter()
    usage = measured(["-m", "oidl", *words])
    assert usage.exit_code == 0, usage.output
    print(f"`oidl {words[0]}`: {time.perf_counter() - began:.0f} s", flush=True)


def _fill(db: sqlite3.Connection, label_names: list[str]) -> None:
    """Makes it what a run leaves. Random numbers come from ImageIDs, whose last digits are random."""
    triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {name}")  # they count, row by row; here it is counted once
    db.create_function("number", 1, lambda image_id: int(image_id[4:], 16), deterministic=True)
    for step in _steps():
        began = time.perf_counter()
        db.execute(step)
        print(f"{time.perf_counter() - began:4.0f} s: {step[:70]}", flush=True)
    names = [(label_name, f"Class {rank:03}") for rank, label_name in enumerate(label_names, 1)]
    db.executemany("INSERT OR REPLACE INTO class (label_name, display_name, is_boxable) VALUES (?, ?, 1)", names)
    for _, sql in triggers:
        db.execute(sql)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _steps() -> Iterator[str]:
    ends = list(accumulate(share for _, _, share in _OUTCOMES))
    status = " ".join(f"WHEN n < {end} THEN '{status}'" for end, (status, _, _) in zip(ends, _OUTCOMES, strict=True))
    reason = " ".join(f"WHEN n < {end} THEN '{reason}'" for end, (_, reason, _) in zip(ends, _OUTCOMES, strict=True))
    validation, test = (round(1e6 * images / ROWS) for images in (VALIDATION, TEST))
    subset = f"CASE WHEN m < {validation} THEN 'validation' WHEN m < {validation + test} THEN 'test' ELSE 'train' END"
    yield "CREATE TEMP TABLE drawn (image_id TEXT PRIMARY KEY, n INTEGER, subset TEXT) WITHOUT ROWID"
    yield (
        f"INSERT INTO drawn SELECT image_id, n % 1000003, {subset} FROM "
        "(SELECT image_id, n, n / 1000003 % 1000000 AS m FROM "
        "(SELECT image_id, number(image_id) AS n FROM download ORDER BY image_id))"
    )
    yield (
        f"UPDATE download SET subset = x.subset, status = CASE {status} ELSE 'pending' END, "
        f"reason = nullif(CASE {reason} END, ''), attempts = 1, width = 1024, height = 768, bytes = 90000, "
        "format = 'jpeg' FROM drawn AS x WHERE x.image_id = download.image_id"
    )
    yield (
        "UPDATE image SET subset = x.subset FROM drawn AS x WHERE x.subset <> 'train' AND x.image_id = image.image_id"
    )
    yield (
        "INSERT OR REPLACE INTO rendition (name, directory, mode, box_size, format) VALUES "
        "('images-resized', 'images-resized', 'ShrinkToFit', 640, 'jpg'), "
        "('original', 'images-original', NULL, NULL, 'original'), ('few', 'few', 'FillCrop', 128, 'jpg')"
    )
    for name, condition, side in _RENDITIONS:
        path = f"'v7/' || subset || '/{name}/' || substr(image_id, 1, 3) || '/' || image_id || '.jpg'"
        yield (
            "INSERT INTO file (image_id, rendition, path, bytes, width, height, scaled_width, scaled_height, "
            f"written_at) SELECT image_id, '{name}', {path}, 20000 + n % 50000, {side} + 100, {side}, {side} + 100, "
            f"{side}, '2026-11-29T00:00:00.000Z' FROM drawn WHERE n < {ends[0]} AND {condition} ORDER BY image_id"
        )
    yield "UPDATE rendition SET files = (SELECT count(*) FROM file WHERE rendition = rendition.name)"
    yield "DELETE FROM status_count"
    yield (
        "INSERT INTO status_count "
        "SELECT subset, status, coalesce(reason, ''), count(*), 0 FROM download GROUP BY 1, 2, 3"
    )
    yield (
        "INSERT INTO license_check (image_id, subset, checked_at, via, verdict, license_class) "
        "SELECT image_id, subset, '2026-11-29T00:00:00.000Z', 'oembed', iif(n % 25 = 3, 'changed', "
        "iif(n % 25 = 4, 'gone', 'same')), CASE n % 25 WHEN 3 THEN 'nc' WHEN 4 THEN NULL ELSE 'free' END "
        "FROM drawn WHERE n % 101 = 3"
    )
    yield (
        "INSERT INTO license_count SELECT subset, verdict, coalesce(license_class, ''), count(*) FROM license_check "
        "GROUP BY 1, 2, 3"
    )
    yield (
        "INSERT INTO label (image_id, label_name, source, confidence) SELECT DISTINCT image_id, label_name, "
        "'verification', 1 FROM box WHERE image_id < '6' ORDER BY image_id, label_name"
    )
    yield (
        "INSERT INTO segmentation (image_id, row_number, mask_path, label_name, box_id, box_x_min, box_x_max, "
        "box_y_min, box_y_max) SELECT image_id, row_number, image_id || '.png', label_name, '1', x_min, x_max, y_min, "
        "y_max FROM box WHERE image_id < '2'"
    )
