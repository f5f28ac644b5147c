"""Kills `oidl run` repeatedly at random moments: nothing lost, nothing wrong, nothing fetched twice."""

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import trio

from bench.measure import machine
from bench.site import make_photos, write_image_list
from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, Site
from oidl.storage.atomic import PART_DIRECTORY

_ENOUGH_S = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument(
        "--images", type=int, default=400, help="of one dataset; when all are done, another root begins"
    )
    parser.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> None:
    """Prints the result after that many kills; fails at the first problem."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        trio.run(_torture, arguments, Path(name))


async def _torture(arguments: argparse.Namespace, home: Path) -> None:
    photos = make_photos(home / "photos", 640, 480, 85, arguments.images)
    site = Site({f"/photos/{path.name}": CannedResponse(path) for path in photos})
    rng = random.Random(arguments.seed)
    kills = datasets = 0
    began = time.monotonic()
    async with trio.open_nursery() as nursery:
        base_url = await nursery.start(serve, site)
        write_image_list(home / "list.csv", base_url, photos, home)
        while kills < arguments.kills:
            datasets += 1
            root = home / f"root-{datasets}"
            site.requests.clear()
            code = -9
            while code == -9 and kills < arguments.kills:
                before = _done(root)
                requests = Counter(site.requests)
                code = await _run(home, root, rng.uniform(0.1, 1.6))
                kills += code == -9
                _check(root)
                again = {path for path in before if site.requests[path] > requests[path]}
                assert not again, f"fetched again after it was done: {again}"
            assert code in (-9, 0), code
            assert await _run(home, root, _ENOUGH_S) == 0
            _check(root, images=arguments.images)
        nursery.cancel_scope.cancel()
    print(f"{machine()}\n{kills} kills over {datasets} datasets of {arguments.images} images in "
          f"{time.monotonic() - began:.0f} s: none lost, none wrong, none fetched again after it was done")  # fmt: skip


async def _run(home: Path, root: Path, seconds: float) -> int:
    """Runs for at most `seconds`; returns the exit code, -9 if the run was killed."""
    options = [f"--root-dir={root}", f"--images-csv={home / 'list.csv'}", "--no-download-metadata"]
    options += ["--save-original-images", "--resize-box-size=64", "--no-export-csv", "--no-log-to-stdout"]
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "oidl", "run", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with trio.move_on_after(seconds):
        await process.wait()
    if process.returncode is None:
        process.kill()
    return await process.wait()


def _done(root: Path) -> set[str]:
    """The paths of the URLs of the images that are recorded as done."""
    if not (root / "oidl.sqlite3").exists():
        return set()
    with closing(sqlite3.connect(root / "oidl.sqlite3")) as db:
        if db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'image'").fetchone() == (0,):
            return set()
        rows = db.execute(
            "SELECT original_url FROM image JOIN download USING (image_id) WHERE status = 'done'"
        ).fetchall()
    return {urlsplit(url).path for (url,) in rows}


def _check(root: Path, images: int | None = None) -> None:
    """Asserts that the database is right; with `images`, also that all are done and there are no other files."""
    if not _done(root) and images is None:
        return
    with closing(sqlite3.connect(root / "oidl.sqlite3")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        files = dict(db.execute("SELECT path, bytes FROM file"))
        done = db.execute("SELECT count(*) FROM download WHERE status = 'done'").fetchone()[0]
        bare = db.execute(
            "SELECT count(*) FROM download AS d WHERE status = 'done' "
            "AND (SELECT count(*) FROM file AS f WHERE f.image_id = d.image_id) <> 2"
        ).fetchone()[0]
    assert bare == 0, f"{bare} done images lack a file"
    for path, size in files.items():
        assert (root / path).stat().st_size == size, path
    if images is not None:
        assert done == images, f"{done} of {images} done"
        on_disk = {str(path.relative_to(root)) for path in root.rglob("*.jpg")}
        assert on_disk == set(files), on_disk ^ set(files)
        assert not list(root.rglob(f"{PART_DIRECTORY}/*"))
