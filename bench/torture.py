"""Kills `oidl run`, its workers, or `oidl pack`: nothing lost, nothing wrong, nothing fetched twice."""

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import trio

from bench.measure import descendants, machine
from bench.pack_kills import kill_packs
from bench.shard_kills import kill_shard_runs
from bench.site import make_photos, write_image_list
from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, Site
from oidl.storage.atomic import PART_DIRECTORY

_ENOUGH_S = 120.0
_ORPHAN_S = 3.0  # a worker whose coordinator was killed ends sooner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument(
        "--images", type=int, default=400, help="of one dataset; when all are done, another root begins"
    )
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--workers", action="store_true", help="kill the processes of the run one by one, and let the run itself go on"
    )
    parser.add_argument(
        "--shards", choices=("webdataset", "tfrecord"), help="write shards, and kill at chosen instants of that"
    )
    parser.add_argument("--pack", action="store_true", help="kill packs, at each of their instants")
    parser.add_argument(
        "--cluster", action="store_true", help="kill and freeze the workers of a Dask cluster, of runs or packs"
    )
    parser.add_argument("--runs", type=int, default=100, help="with --cluster")
    parser.add_argument(
        "--into",
        choices=("files", "webdataset", "objects"),
        help="with --cluster: what runs write; at random if not given",
    )
    parser.add_argument("--seed", type=int, default=1)


def run(arguments: argparse.Namespace) -> None:
    """Prints the result after that many kills; fails at the first problem."""
    if arguments.pack and arguments.cluster:
        from bench.cluster_packs import torture_packs

        trio.run(torture_packs, arguments)
        return
    if arguments.pack:
        kill_packs(arguments)
        return
    if arguments.cluster:
        from bench.cluster_torture import torture_cluster

        trio.run(torture_cluster, arguments)
        return
    if arguments.shards:
        trio.run(kill_shard_runs, arguments)
        return
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
            if arguments.workers:
                code, killed = await _run_killing_workers(arguments, home, root, rng)
                assert code == 0, code
                kills += killed
            else:
                kills += await _kill_repeatedly(arguments, home, root, rng, site, arguments.kills - kills)
            requests = Counter(site.requests)
            code = await _run(arguments, home, root, _ENOUGH_S)
            assert code == 0, code
            assert not arguments.workers or site.requests == requests, "fetched again after it was done"
            _check(root, images=arguments.images)
        nursery.cancel_scope.cancel()
    of = f"of workers of {arguments.processes}" if arguments.workers else f"of runs with {arguments.processes}"
    print(f"{machine()}\n{kills} kills {of} processes, over {datasets} datasets of {arguments.images} images in "
          f"{time.monotonic() - began:.0f} s: none lost, none wrong, none fetched again after it was done")  # fmt: skip


async def _kill_repeatedly(
    arguments: argparse.Namespace, home: Path, root: Path, rng: random.Random, site: Site, most: int
) -> int:
    """Kills the run of one dataset until it ends by itself, at most `most` times; returns how often."""
    kills, code = 0, -9
    while code == -9 and kills < most:
        before = _done(root)
        requests = Counter(site.requests)
        code = await _run(arguments, home, root, rng.uniform(0.1, 1.6))
        kills += code == -9
        _check(root)
        again = {path for path in before if site.requests[path] > requests[path]}
        assert not again, f"fetched again after it was done: {again}"
    assert code in (-9, 0), code
    return kills


async def _run_killing_workers(
    arguments: argparse.Namespace, home: Path, root: Path, rng: random.Random
) -> tuple[int, int]:
    """Runs to the end, and kills random worker processes meanwhile; returns the exit code and how many."""
    process, kills = await _start(arguments, home, root), 0
    while process.poll() is None:
        await trio.sleep(rng.uniform(0.2, 1.5))  # more often, and none would ever have started
        if process.poll() is None and (workers := descendants(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(rng.choice(workers), signal.SIGKILL)
                kills += 1
    return await process.wait(), kills


async def _run(arguments: argparse.Namespace, home: Path, root: Path, seconds: float) -> int:
    """Runs for at most `seconds`; returns the exit code, -9 if the run was killed. Its workers must end with it."""
    process = await _start(arguments, home, root)
    with trio.move_on_after(seconds):
        await process.wait()
    workers = descendants(process.pid)
    if process.returncode is None:
        process.kill()
    code = await process.wait()
    deadline = trio.current_time() + _ORPHAN_S
    for worker in workers:
        while _is_alive(worker):
            assert trio.current_time() < deadline, f"process {worker} outlived its run"
            await trio.sleep(0.01)
    return code


async def _start(arguments: argparse.Namespace, home: Path, root: Path) -> trio.Process:
    options = [f"--root-dir={root}", f"--images-csv={home / 'list.csv'}", "--no-download-metadata"]
    options += ["--save-original-images", "--resize-box-size=64", "--no-export-csv", "--no-log-to-stdout"]
    return await trio.lowlevel.open_process(
        [sys.executable, "-m", "oidl", "run", *options, f"--processes={arguments.processes}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return False


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
