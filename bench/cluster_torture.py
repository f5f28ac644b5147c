"""Kills and freezes the workers of a Dask cluster, and kills the coordinator, while `oidl run` uses it.

A run ends when `oidl run` was started again often enough to come to its end. Then the root must be what one machine
makes of the same list: the same rows, the same bytes, nothing twice, no other file, and no process.
"""

import argparse
import csv
import multiprocessing
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from bench.dask_workers import TTL_S, DaskWorkers, ended, scheduler, work
from bench.measure import descendants, machine
from bench.objects import BUCKET, fetch_objects, object_store
from bench.shard_check import check_end
from bench.site import make_photos, write_image_list
from oidl.cli import main
from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, Site

_OUTPUTS = "files", "webdataset", "objects"  # the last are shards that are only in an object store
_WORKERS = 3
_ENOUGH_S = 240.0
_LASTS_S = 9.0  # an undisturbed run: long enough to kill and freeze workers
_EARLY = 0.8  # of the requests that are left: a run that is killed by then has not ended
_LATER_S = 2.0
_LOOK_S = 0.02
_PHOTO = (160, 120, 85)
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["distributed", "oidl.cli.running", "oidl.cluster.plugin", "oidl.node.local"])
_ROWS = (
    "SELECT image_id, status, reason, bytes, md5, width, height FROM download ORDER BY image_id",
    "SELECT image_id, rendition, bytes, width, height FROM file ORDER BY image_id, rendition",
)


async def torture_cluster(arguments: argparse.Namespace) -> None:
    """Prints the result after that many runs; fails at the first problem."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name, object_store(), scheduler() as dask:
        home = Path(name)
        began = time.monotonic()
        torture = await tortured(home, dask, arguments)
        print(machine())
        print(
            f"{torture.runs} runs of {arguments.images} images on {_WORKERS} nodes, {time.monotonic() - began:.0f} s: "
            "each came to the rows and bytes of one machine, nothing twice, no other file, no process"
        )
        for what, count in sorted(torture.done.items()):
            print(f"{count:5} {what}")


async def tortured(home: Path, dask: Any, arguments: argparse.Namespace) -> "Torture":
    """Runs `arguments.runs` times."""
    photos = make_photos(home / "photos", *_PHOTO, arguments.images)
    site = Site({f"/photos/{path.name}": CannedResponse(path) for path in photos})
    async with trio.open_nursery() as nursery:
        base_url = await nursery.start(serve, site)
        write_image_list(home / "list.csv", base_url, photos, home)
        outputs = (arguments.into,) if arguments.into else _OUTPUTS
        torture = Torture(home, dask, site, arguments.images, outputs, random.Random(arguments.seed))
        await torture.make_references()
        for slot in range(_WORKERS):
            nursery.start_soon(torture.workers.keep, slot)
        for _ in range(arguments.runs):
            await torture.run()
        nursery.cancel_scope.cancel()
    return torture


def coordinate(arguments: list[str], printed: Path) -> None:
    """`oidl run` in such a process."""
    with open(printed, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ["DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL"] = f"{TTL_S}s"
    import dask

    dask.config.refresh()
    code = main(["run", *arguments])
    sys.stdout.flush()
    os._exit(code)


@dataclass
class Torture:
    """Runs on one cluster into `outputs`, and how often what was done to them; `images` is how many are in the list."""

    home: Path
    dask: Any
    site: Site
    images: int
    outputs: Sequence[str]
    rng: random.Random
    runs: int = 0
    done: Counter[str] = field(default_factory=Counter)
    references: dict[str, tuple[list[Any], dict[str, bytes]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.workers = DaskWorkers(_FORKS, work, self.dask.scheduler.address, self.rng, self.done)

    async def make_references(self) -> None:
        """What one machine makes of the list."""
        for output in self.outputs:
            root = self.home / f"reference-{output}"
            assert await ended(self._start(root, output, "--processes=1")) == 0, self._printed()
            if output == "objects":
                fetch_objects(root.name, root)
            self.references[output] = (_rows(root), _images(root))

    async def run(self) -> None:
        """One run to its end, and the check of it."""
        self.runs += 1
        root = self.home / f"root-{self.runs}"
        output = self.rng.choice(self.outputs)
        self.done[f"run into {output}"] += 1
        kills = 2
        (self.home / "printed").write_bytes(b"")
        with self._explained(), trio.fail_after(_ENOUGH_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.workers.kill, 4, 9)
                nursery.start_soon(self.workers.freeze, 2, 6, lambda: TTL_S + self.rng.uniform(0.5, 3))
                code = -9
                while code:
                    code = await self._coordinate(root, output, kills)
                    kills -= code == -9
                    assert code in (0, 3, -9), self._printed()
                nursery.cancel_scope.cancel()
            self.workers.wake()
            await self._wait_for_ends()
            if output == "objects":  # what nodes of ended runs had staged is swept by the next one
                assert await self._coordinate(root, output) == 0, self._printed()
                fetch_objects(root.name, root)
        with self._explained():
            self._check(root, output)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            print(f"run {self.runs}:\n{self._printed()}")
            if kept := os.environ.get("BENCH_KEEP"):
                shutil.copytree(self.home, kept)
            raise

    def _printed(self) -> str:
        return (self.home / "printed").read_text("utf-8", "replace")[-8000:]

    async def _coordinate(self, root: Path, output: str, kills: int = 0) -> int:
        """Runs once; returns the exit code. With `kills` left it is killed: early, or the last time at any moment."""
        address = self.dask.scheduler.address
        rate = self.images / _LASTS_S / _WORKERS  # of each node
        left, before = _left(root, self.images), self.site.requests.total()
        process = self._start(root, output, f"--cluster={address}", f"--max-rps={rate}")
        try:
            if kills:
                await self._wait_for_requests(process, before + self.rng.uniform(0, _EARLY) * left)
                await trio.sleep(self.rng.uniform(0, _LATER_S) if kills == 1 else 0)
                if process.exitcode is None:
                    process.kill()
                    self.done["coordinator killed"] += 1
            return await ended(process)
        finally:
            process.kill()

    async def _wait_for_requests(self, process: Any, count: float) -> None:
        """Returns after so many requests in all, or when the run has ended."""
        while self.site.requests.total() < count and process.exitcode is None:  # noqa: ASYNC110
            await trio.sleep(_LOOK_S)

    async def _wait_for_ends(self) -> None:
        """Returns when no node is left on any worker, and all workers are there again."""
        while True:
            with suppress(Exception):
                left = await trio.to_thread.run_sync(lambda: self.dask.run(_nodes))
                if len(left) == _WORKERS and not any(left.values()):
                    return
            await trio.sleep(0.3)

    def _start(self, root: Path, output: str, *more: str) -> Any:
        options = [f"--root-dir={root}", f"--images-csv={self.home / 'list.csv'}", "--no-download-metadata"]
        options += ["--save-original-images", "--resize-box-size=64", "--no-export-csv", "--no-log-to-stdout"]
        options += ["--min-free=0", "--retry-now", "--yes"]
        match output:
            case "files":
                options += ["--output-format=files"]
            case "webdataset":
                options += ["--output-format=webdataset", "--shard-samples=40"]
            case "objects":
                options += ["--output-format=webdataset", "--shard-samples=10", "--no-keep-local"]
                options += [f"--remote={BUCKET}/{root.name}"]
        process = _FORKS.Process(target=coordinate, args=([*options, *more], self.home / "printed"))
        process.start()
        return process

    def _check(self, root: Path, output: str) -> None:
        rows, images = self.references[output]
        assert _rows(root) == rows
        assert _images(root) == images
        if output != "files":
            check_end(root, self._originals(), 2)
        else:
            with closing(sqlite3.connect(root / "oidl.sqlite3")) as db:
                recorded = {path for (path,) in db.execute("SELECT path FROM file")}
            files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
            extra = {name for name in files if not name.startswith("oidl.sqlite3")} ^ recorded
            assert not extra, extra
        assert not [pid for pid in descendants(os.getpid()) if "oidl.node.child" in _command(pid)]

    def _originals(self) -> dict[str, bytes]:
        with open(self.home / "list.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            row["ImageID"]: (self.home / "photos" / row["OriginalURL"].rpartition("/")[2]).read_bytes() for row in rows
        }


def _nodes() -> int:
    """How many nodes this worker has."""
    import threading

    return sum(each.name.startswith("oidl-node-") for each in threading.enumerate())


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def _left(root: Path, images: int) -> int:
    """How many of the images are not done."""
    try:
        with closing(sqlite3.connect(f"file:{root / 'oidl.sqlite3'}?mode=ro", uri=True)) as db:
            (done,) = db.execute("SELECT count(*) FROM download WHERE status = 'done'").fetchone()
    except sqlite3.OperationalError:  # it was killed before there was a database
        return images
    return images - int(done)


def _rows(root: Path) -> list[Any]:
    with closing(sqlite3.connect(root / "oidl.sqlite3")) as db:
        return [db.execute(query).fetchall() for query in _ROWS]


def _images(root: Path) -> dict[str, bytes]:
    """The bytes of each file, by ImageID and rendition."""
    found = {}
    with closing(sqlite3.connect(root / "oidl.sqlite3")) as db:
        for image_id, rendition, place, size in db.execute("SELECT image_id, rendition, path, bytes FROM file"):
            path, _, at = place.partition("#")
            with open(root / path, "rb") as file:
                file.seek(int(at or 0))
                found[f"{image_id} {rendition}"] = file.read(size)
    return found
