"""Loading synthetic boxes against a plain csv and sqlite3 loop, a question of a class, and a dry run on a full list."""

import argparse
import csv
import itertools
import random
import sqlite3
import tempfile
import time
from pathlib import Path

from bench.measure import Usage, machine, measured

_COLUMNS = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)
_CLASSES = 600
_TWO_UNOCCLUDED = """
    SELECT count(*) FROM (SELECT image_id FROM box WHERE label_name = ? AND is_occluded = 0
                          GROUP BY image_id HAVING count(*) >= 2)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be set."""
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--images", type=int, default=0, help="also a dry run on a list of so many images")
    parser.add_argument("--directory", type=Path, help="where to work; a temporary directory if not given")
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> None:
    """Prints what takes how long, and the same in a plain loop, each in a process of its own."""
    if arguments.plain:
        _plain(arguments.plain)
        return
    with tempfile.TemporaryDirectory(prefix="oidl-bench-", dir=arguments.directory) as name:
        home = Path(name)
        label_names = _write_boxes(home / "boxes.csv", arguments.rows)
        print(f"{machine()}; {arguments.rows:,} boxes\n")
        print("| | rows/s | plain loop rows/s | ratio | CPU s | plain CPU s | peak RSS MB |")
        print("|---|---|---|---|---|---|---|")
        plain = _checked(["-m", "bench", "annotations", f"--plain={home}"])
        load = ["-m", "oidl", "annotations", "load", str(home / "boxes.csv"), "--all", f"--root-dir={home / 'root'}"]
        ours = _checked(load)
        print(
            f"| load | {arguments.rows / ours.wall_s:,.0f} | {arguments.rows / plain.wall_s:,.0f} "
            f"| {plain.wall_s / ours.wall_s:.2f} | {ours.cpu_s:.1f} | {plain.cpu_s:.1f} | {ours.peak_mb:.0f} |\n"
        )
        db = sqlite3.connect(home / "root/oidl.sqlite3")
        for place in (0, 9, 99):  # the commonest class, the tenth, the hundredth
            started = time.perf_counter()
            (images,) = db.execute(_TWO_UNOCCLUDED, (label_names[place],)).fetchone()
            taken_ms = (time.perf_counter() - started) * 1000
            (boxes,) = db.execute("SELECT count(*) FROM box WHERE label_name = ?", (label_names[place],)).fetchone()
            print(f"two unoccluded of a class of {boxes:,} boxes: {images:,} images in {taken_ms:.0f} ms")
        db.close()
        if arguments.images:
            _dry_run(home, arguments.images)


def _dry_run(home: Path, images: int) -> None:
    """A list of so many images, put into the database as a load would, and a dry run on it."""
    root = home / "full"
    _checked(["-m", "oidl", "annotations", "load", "--all", f"--root-dir={root}", str(home / "boxes.csv")])
    db = sqlite3.connect(root / "oidl.sqlite3")
    with db:
        db.execute("DROP INDEX image_by_id")
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1) "
            "INSERT INTO image SELECT printf('%016x', i), 'train', 'https://c1.staticflickr.com/1/' || i || '_o.jpg', "
            "'https://www.flickr.com/photos/someone/' || i, 'https://creativecommons.org/licenses/by/2.0/', "
            "'https://www.flickr.com/people/someone/', 'Some One', 'A title of some length', 100000 + i % 5000000, "
            "'1B2M2Y8AsgTpgAmY7PhCfg==', 'https://c1.staticflickr.com/1/' || i || '_z.jpg', '' FROM n",
            (images,),
        )
        db.execute("CREATE UNIQUE INDEX image_by_id ON image (image_id)")
        db.execute("INSERT INTO download (image_id, subset) SELECT image_id, subset FROM image ORDER BY image_id")
        db.execute("INSERT INTO tally VALUES ('train', 'pending', '', ?, 0)", (images,))
        db.execute(
            "INSERT INTO image_list (subset, dataset_version, directory, source, quoting, images, skipped, loaded_at) "
            "VALUES ('train', '7', 'v7', 'made up', 'minimal', ?, 0, '')",
            (images,),
        )
    db.close()
    usage = _checked(["-m", "oidl", "run", "--dry-run", "--subset=train", f"--root-dir={root}"])
    print(f"`oidl run --dry-run` on {images:,} images: {usage.wall_s:.2f} s, {usage.peak_mb:.0f} MB")


def _checked(arguments: list[str]) -> Usage:
    usage = measured(arguments)
    assert usage.exit_code == 0, usage.output
    return usage


def _plain(home: Path) -> None:
    """What anybody would write first: a csv reader into a table with types, without any index."""
    names = _COLUMNS.split(",")
    types = ["TEXT"] * 3 + ["REAL"] * 5 + ["INTEGER"] * 5
    db = sqlite3.connect(home / "plain.sqlite3")
    db.execute(f"CREATE TABLE box ({', '.join(' '.join(column) for column in zip(names, types, strict=True))})")
    with open(home / "boxes.csv", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        db.executemany(f"INSERT INTO box VALUES ({', '.join('?' * len(names))})", rows)
    db.commit()


def _write_boxes(path: Path, rows: int) -> list[str]:
    """Boxes as V4 has them, eight an image, classes as uneven as there; returns these, the commonest first."""
    random_ = random.Random(7)
    label_names = [f"/m/0{random_.getrandbits(25):x}" for _ in range(_CLASSES)]
    weights = list(itertools.accumulate(1 / (place + 1) for place in range(_CLASSES)))
    image_id, left = 0, 0
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{_COLUMNS}\n")
        for _ in range(rows):
            if not left:
                image_id, left = image_id + random_.randrange(1 << 42), random_.randrange(1, 16)
            left -= 1
            x, y, width, height = (random_.random() / 2 for _ in range(4))
            (label_name,) = random_.choices(label_names, cum_weights=weights)
            flags = random_.getrandbits(2)
            file.write(
                f"{image_id:016x},xclick,{label_name},1,{x:.6f},{x + width:.6f},{y:.6f},{y + height:.6f},"
                f"{flags & 1},{flags >> 1},{int(random_.random() < 0.05)},0,0\n"
            )
    return label_names
