"""Kills `oidl run` with shards at chosen instants, in the coordinator and in workers, again and again in one root.

A round begins with a new root, or takes some images out of their shards, as `oidl verify --repair` does. Its runs are
killed until one comes to its end. Then every image must be in one shard of each rendition, once and whole.
"""

import argparse
import csv
import multiprocessing
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import trio

from bench.measure import descendants, machine
from bench.shard_check import check_end, check_rows
from bench.shard_suicide import COORDINATING, COPYING, WRITING, Instant, prepare, watch_coordinator, watch_worker
from bench.site import make_photos, write_image_list
from oidl.cli import main
from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, Site
from oidl.state.database import open_writer
from oidl.state.requeue import requeue

_RENDITIONS = 2
_ROUNDS = 6  # in one root
_ENOUGH_S = 120.0
_LOOK_S = 0.05
_PHOTO = (160, 120, 85)
_RESIZED = "images-resized"
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["oidl.cli.running", "oidl.node.local", "oidl.node.child"])


async def kill_shard_runs(arguments: argparse.Namespace) -> None:
    """Prints the result after that many kills; fails at the first problem."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        home = Path(name)
        photos = make_photos(home / "photos", *_PHOTO, arguments.images)
        site = Site({f"/photos/{path.name}": CannedResponse(path) for path in photos})
        began = time.monotonic()
        async with trio.open_nursery() as nursery:
            base_url = await nursery.start(serve, site)
            write_image_list(home / "list.csv", base_url, photos, home)
            series = _Series(arguments, home, site, _originals(home), random.Random(arguments.seed))
            while series.kills < arguments.kills:
                await series.run_root()
            nursery.cancel_scope.cancel()
        print(machine())
        print(
            f"{series.kills} kills of runs with {arguments.processes} processes that write {arguments.shards} shards, "
            f"{series.rounds} rounds in {series.roots} roots, {series.shards} shards in the end, "
            f"{time.monotonic() - began:.0f} s: each image in one shard of each rendition, once and whole"
        )
        for instant, count in sorted(series.reached.items()):
            print(f"{count:5} {instant}")


def _originals(home: Path) -> dict[str, tuple[str, bytes]]:
    """The path of the URL and the bytes of each image."""
    with open(home / "list.csv", encoding="utf-8", newline="") as file:
        paths = {row["ImageID"]: urlsplit(row["OriginalURL"]).path for row in csv.DictReader(file)}
    return {image_id: (path, (home / path[1:]).read_bytes()) for image_id, path in paths.items()}


def _oidl(arguments: list[str], environment: dict[str, str], printed: Path) -> None:
    """`oidl run` in a process that has it imported already, which saves a second of CPU."""
    with open(printed, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(environment)
    sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)
    watch_worker()
    watch_coordinator()
    code = main(["run", *arguments])
    sys.stdout.flush()
    os._exit(code)


@dataclass
class _Series:
    arguments: argparse.Namespace
    home: Path
    site: Site
    images: dict[str, tuple[str, bytes]]
    rng: random.Random
    kills: int = 0
    roots: int = 0
    rounds: int = 0
    shards: int = 0
    reached: Counter[str] = field(default_factory=Counter)

    async def run_root(self) -> None:
        """Some rounds in a new root."""
        self.roots += 1
        root = self.home / f"root-{self.roots}"
        for number in range(_ROUNDS):
            if number:
                self._take_out(root)
            self.rounds += 1
            code = -9
            while code:
                code = await self._run_once(root, is_again=bool(number))
                assert code in (0, -9), code
                if self.kills >= self.arguments.kills:
                    break
            if code:
                assert await self._run(root, []) == 0
            self.shards += check_end(root, self._bodies(), _RENDITIONS)
            if self.kills >= self.arguments.kills:
                return

    async def _run_once(self, root: Path, *, is_again: bool) -> int:
        instants = self._instants(is_again=is_again)
        recorded, requests = _recorded(root), Counter(self.site.requests)
        code = await self._run(root, instants)
        reached = _reached(instants)
        self.kills += len(reached)
        self.reached.update(reached)
        if _has_schema(root):
            check_rows(root, self._bodies(), _RENDITIONS)
        again = {key for key in recorded if self.site.requests[self.images[key][0]] > requests[self.images[key][0]]}
        assert not again, f"fetched again after they were recorded: {again}"
        return code

    def _instants(self, *, is_again: bool) -> list[Instant]:
        """One of the coordinator, and with several processes often one of a worker."""
        kinds = [WRITING, COORDINATING, *([COPYING] if is_again or self.rng.random() < 0.3 else [])]
        if self.arguments.processes > 1:
            kinds.remove(WRITING)
        names = [self.rng.choice(self.rng.choice(kinds))]
        if self.arguments.processes > 1:
            names += self.rng.sample(WRITING, self.rng.choice((0, 1, 1, 2)))
        return [self._instant(name) for name in names]

    def _instant(self, name: str) -> Instant:
        most = self.arguments.images // 3 if name in WRITING else 3
        if name.startswith("commit"):
            most = 20
        number = 1 if self.rng.random() < 0.3 else self.rng.randint(1, most)
        return Instant(name, number, str(self.home / f"mark-{self.rng.getrandbits(64)}"))

    async def _run(self, root: Path, instants: list[Instant]) -> int:
        """Runs until the end, of whatever kind; no process may remain. Returns the exit code, -9 if it was killed."""
        printed = self.home / "printed"
        process = _FORKS.Process(
            target=_oidl, args=(self._options(root), prepare(self.home, instants), printed), daemon=False
        )
        process.start()
        assert process.pid
        workers: set[int] = set()
        with trio.fail_after(_ENOUGH_S):
            while process.exitcode is None:
                with trio.move_on_after(_LOOK_S):
                    await trio.lowlevel.wait_readable(process.sentinel)
                workers |= set(descendants(process.pid))
            while any(map(_is_alive, workers)):  # noqa: ASYNC110
                await trio.sleep(_LOOK_S)
        if process.exitcode not in (0, -9):
            print(printed.read_text())
        return process.exitcode

    def _options(self, root: Path) -> list[str]:
        arguments = self.arguments
        options = [f"--root-dir={root}", f"--images-csv={self.home / 'list.csv'}", "--no-download-metadata"]
        options += ["--save-original-images", "--resize-box-size=64", "--no-export-csv", "--no-log-to-stdout"]
        options += [f"--output-format={arguments.shards}", f"--shard-samples={self.rng.choice((5, 7, 11))}"]
        options += [f"--processes={arguments.processes}", "--min-free=0", "--retry-now"]
        if self.rng.random() < 0.1:  # long enough to seal shards meanwhile
            options.append(f"--max-rps={arguments.images / 3:.0f}")
        return options

    def _take_out(self, root: Path) -> None:
        """Takes some images out of their shards; of some only the resized one, so they need no request."""
        keys = self.rng.sample(sorted(self.images), self.rng.randint(1, len(self.images) // 3))
        files = [(key, _RESIZED) for key in keys]
        files += [(key, "original") for key in keys if self.rng.random() < 0.5]
        with open_writer(root / "oidl.sqlite3") as db:
            requeue(db, files, keys)

    def _bodies(self) -> dict[str, bytes]:
        return {key: body for key, (_, body) in self.images.items()}


def _reached(instants: list[Instant]) -> list[str]:
    return [instant.name for instant in instants if os.path.exists(instant.mark)]


def _has_schema(root: Path) -> bool:
    if not (root / "oidl.sqlite3").exists():
        return False
    with closing(sqlite3.connect(root / "oidl.sqlite3")) as db:
        count: int = db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'shard'").fetchone()[0]
    return count == 1


def _recorded(root: Path) -> set[str]:
    """The ImageIDs of the images whose original is recorded."""
    if not _has_schema(root):
        return set()
    with closing(sqlite3.connect(root / "oidl.sqlite3")) as db:
        return {key for (key,) in db.execute("SELECT image_id FROM file WHERE rendition = 'original'")}


def _is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return False
