"""Loads boxes for the images of a list, compared with plain loops; queries by class; dry runs on that list.

A plain loop is a csv reader into a table with types. It is compared twice: without an index, so a query by class must
read every row, and with the index of classes that the state database has too.
"""

import argparse
import csv
import itertools
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.load import write_list
from bench.measure import Usage, machine, measured
from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.model import LabelType
from oidl.pipeline.annotation_requirements import required_files
from oidl.settings import Selection
from oidl.state.connection import StateConnection
from oidl.state.database import connect_writer

_COLUMNS = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)
_CLASSES = 600
# The shares of semi-automatic boxes and of each flag, in the file's order. They are assumed to be uneven, like those of
# the training set, but were not counted there.
_SEMI_AUTOMATIC = 0.10
_FLAG_SHARES = (0.66, 0.25, 0.06, 0.055, 0.0025)
_CAT = 69  # the rank, by number of boxes, of a class about as large as cats
_IN_ORDER = "SELECT image_id FROM download ORDER BY image_id"
_TWO_UNOCCLUDED = """
    SELECT count(*) FROM (SELECT image_id FROM box WHERE label_name = ? AND is_occluded = 0
                          GROUP BY image_id HAVING count(*) >= 2)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--rows", type=int, default=1_000_000, help="boxes, eight for an image on average")
    parser.add_argument("--images", type=int, default=1_000_000, help="of the list, of which some have boxes")
    parser.add_argument("--directory", type=Path, help="where to work; a temporary directory if not given")
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> None:
    """Prints how long each step takes, in `oidl` and in a plain loop, each in its own process."""
    if arguments.plain:
        _plain(arguments.plain)
        return
    with tempfile.TemporaryDirectory(prefix="oidl-bench-", dir=arguments.directory) as name:
        home = Path(name)
        list_ = [f"--root-dir={home / 'root'}", f"--images-csv={home / 'list.csv'}"]
        write_list(home / "list.csv", arguments.images, "http://127.0.0.1")
        _checked(["-m", "oidl", "run", *list_, "--limit=0", "--no-export-csv", "--no-download-metadata"])
        with closing(sqlite3.connect(home / "root/oidl.sqlite3")) as db:
            # Without a variable: an open statement would keep the load from emptying its WAL file.
            label_names = write_boxes(home / "boxes.csv", arguments.rows, spread(db, arguments.rows, arguments.images))
        print(f"{machine()}; {arguments.rows:,} boxes, {arguments.images:,} images\n")
        plain = _checked(["-m", "bench", "annotations", f"--plain={home}"])
        ours = _checked(["-m", "oidl", "annotations", "load", "--all", *list_, str(home / "boxes.csv")])
        print("| | rows/s | the load to it | CPU s | peak RSS MB |")
        print("|---|---|---|---|---|")
        index_s = float(plain.output)
        for what, wall_s, cpu_s, peak_mb in (
            ("load", ours.wall_s, ours.cpu_s, ours.peak_mb),
            ("plain loop", plain.wall_s - index_s, plain.cpu_s - index_s, plain.peak_mb),
            ("plain loop, then an index", plain.wall_s, plain.cpu_s, plain.peak_mb),
        ):
            print(
                f"| {what} | {arguments.rows / wall_s:,.0f} | {wall_s / ours.wall_s:.2f} "
                f"| {cpu_s:.1f} | {peak_mb:.0f} |"
            )
        print()
        with closing(connect_writer(home / "root/oidl.sqlite3")) as db:
            _questions(db, label_names)
            _dry_runs(home, db, list_, label_names[_CAT])


def _questions(db: sqlite3.Connection, label_names: list[str]) -> None:
    for label_name in (label_names[place] for place in (0, 9, _CAT)):
        started = time.perf_counter()
        (images,) = db.execute(_TWO_UNOCCLUDED, (label_name,)).fetchone()
        taken_ms = (time.perf_counter() - started) * 1000
        (boxes,) = db.execute("SELECT count(*) FROM box WHERE label_name = ?", (label_name,)).fetchone()
        print(f"two unoccluded of a class of {boxes:,} boxes: {images:,} images in {taken_ms:.0f} ms")
    print("by:", *(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {_TWO_UNOCCLUDED}", ("",)) if "box" in row[3]))


def spread(db: sqlite3.Connection, rows: int, images: int) -> Iterator[str]:
    """ImageIDs of the list in order, evenly spread, as many as `rows` boxes may need."""
    every = max(1, images // (rows // 7 + 100))
    return (image_id for (image_id,) in itertools.islice(db.execute(_IN_ORDER), 0, None, every))


def _dry_runs(home: Path, db: StateConnection, list_: list[str], label_name: str) -> None:
    """Prints the times of dry runs: a plain one, and one for every kind of selection."""
    with db:  # as if the published files had been fetched
        db.execute("INSERT INTO class (label_name, display_name) VALUES (?, 'Cat')", (label_name,))
        version = find_version(read_catalogue(None), None)
        needed = required_files(db, version, Selection(label_types=(LabelType.BOXES,))).files
        rows = ((version.recorded_name(file), file.kind) for file in needed)
        db.executemany(
            "INSERT INTO annotation_file (name, kind, images, rows, skipped, loaded_at) VALUES (?, ?, 'all', 0, 0, '')",
            rows,
        )
    (home / "ids.txt").write_text("\n".join(image_id for (image_id,) in db.execute(f"{_IN_ORDER} LIMIT 10000")))
    for choice in (
        [],
        ["--classes=Cat"],
        ["--where=original_size < 1e6"],
        ["--shuffle", "--limit=1000"],
        [f"--image-ids={home / 'ids.txt'}"],
    ):
        usage = _checked(["-m", "oidl", "run", "--dry-run", *list_, *choice])
        words = " ".join(choice).replace(f"{home}/", "")
        print(f"`oidl run --dry-run {words}`: {usage.wall_s:.2f} s, {usage.peak_mb:.0f} MB", flush=True)
    usage = _checked(["-m", "oidl", "status", list_[0]])
    print(f"`oidl status`: {usage.wall_s:.2f} s, {usage.peak_mb:.0f} MB")


def _checked(arguments: list[str], exit_code: int = 0) -> Usage:
    usage = measured(arguments)
    assert usage.exit_code == exit_code, usage.output
    return usage


def _plain(home: Path) -> None:
    """The obvious code: a csv reader into a table with types. Prints the seconds that an index takes."""
    names = _COLUMNS.split(",")
    types = ["TEXT"] * 3 + ["REAL"] * 5 + ["INTEGER"] * 5
    db = sqlite3.connect(home / "plain.sqlite3")
    db.execute(f"CREATE TABLE box ({', '.join(' '.join(column) for column in zip(names, types, strict=True))})")
    with open(home / "boxes.csv", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        db.executemany(f"INSERT INTO box VALUES ({', '.join('?' * len(names))})", rows)
    db.commit()
    started = time.perf_counter()
    flags = "IsOccluded, IsTruncated, IsGroupOf, IsDepiction, IsInside"
    db.execute(f"CREATE INDEX box_by_class ON box (LabelName, ImageID, {flags})")
    print(time.perf_counter() - started)


def write_boxes(path: Path, rows: int, image_ids: Iterator[str]) -> list[str]:
    """Writes boxes like those of V4, eight per image, with classes as uneven; returns the classes by frequency."""
    random_ = random.Random(7)
    label_names = [f"/m/0{random_.getrandbits(25):x}" for _ in range(_CLASSES)]
    weights = list(itertools.accumulate(1 / (place + 1) for place in range(_CLASSES)))
    left = 0
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{_COLUMNS}\n")
        for _ in range(rows):
            if not left:
                image_id, left = next(image_ids), random_.randrange(1, 16)
            left -= 1
            x, y, width, height = (random_.random() / 2 for _ in range(4))
            (label_name,) = random_.choices(label_names, cum_weights=weights)
            source = "activemil" if random_.random() < _SEMI_AUTOMATIC else "xclick"
            flags = ",".join("1" if random_.random() < share else "0" for share in _FLAG_SHARES)
            file.write(f"{image_id},{source},{label_name},1,{x:.6f},{x + width:.6f},{y:.6f},{y + height:.6f},{flags}\n")
    return label_names
