"""Kills and freezes the workers of a Dask cluster, and kills and stops the coordinator, while `oidl pack` uses it.

A pack ends when it was started again often enough to come to its end. Then the shards, the files next to them and the
rows must be those of a pack on one machine, and must stay so when frozen workers wake up.
"""

import argparse
import logging
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from bench.dask_workers import TTL_S, DaskWorkers, ended, scheduler, work
from bench.measure import machine
from bench.readers.outputs import oidl
from oidl.cli import main
from oidl.export.pack.formats import FORMATS

_WORKERS = 3
_ENOUGH_S = 300.0
_SLOWER_S = 0.02  # at most, for each image that a worker reads
_DEADLY = "workers were lost while they wrote"
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["distributed", "oidl.cli.commands.pack", "oidl.cluster.packing.writer", "pyarrow"])
_ROWS = (
    "SELECT split, number, state, samples, bytes, sha256 FROM shard WHERE set_id = ? ORDER BY shard_id",
    "SELECT s.number, m.image_id, m.place, m.at, m.bytes FROM shard_member AS m JOIN shard AS s USING (shard_id) "
    "WHERE m.set_id = ? ORDER BY s.shard_id, m.place",
)


async def torture_packs(arguments: argparse.Namespace) -> None:
    """Prints the result after that many packs; fails at the first problem."""
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name, scheduler() as dask:
        root = Path(name) / "root"
        oidl("demo", f"--root-dir={root}", f"--images={arguments.images}", "--progress=none")
        began = time.monotonic()
        torture = PackTorture(Path(name), root, dask, random.Random(arguments.seed))
        async with trio.open_nursery() as nursery:
            for form in FORMATS:
                torture.references[form] = await torture.reference(form)
            for slot in range(_WORKERS):
                nursery.start_soon(torture.workers.keep, slot)
            for _ in range(arguments.runs):
                await torture.run()
            nursery.cancel_scope.cancel()
        print(machine())
        print(
            f"{torture.runs} packs of {arguments.images} images on {_WORKERS} workers, "
            f"{time.monotonic() - began:.0f} s: each came to the files and rows of one machine, and no other file"
        )
        for what, count in sorted(torture.done.items()):
            print(f"{count:5} {what}")


def work_slowly(address: str) -> None:
    """A worker that needs long enough for an image to be killed at it."""
    read, rng = os.pread, random.Random(os.getpid())

    def pread(*arguments: Any) -> bytes:
        time.sleep(rng.uniform(0, _SLOWER_S))
        return read(*arguments)

    os.pread = pread
    work(address)


def coordinate(arguments: list[str], printed: Path) -> None:
    """`oidl pack` in such a process."""
    with open(printed, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ["DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL"] = f"{TTL_S}s"
    import dask

    dask.config.refresh()
    logging.disable(logging.CRITICAL)
    code = main(["pack", *arguments])
    sys.stdout.flush()
    os._exit(code)


@dataclass
class PackTorture:
    """Packs on one cluster, and how often what was done to them."""

    home: Path
    root: Path
    dask: Any
    rng: random.Random
    runs: int = 0
    done: Counter[str] = field(default_factory=Counter)
    references: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.workers = DaskWorkers(_FORKS, work_slowly, self.dask.scheduler.address, self.rng, self.done)

    async def reference(self, form: str) -> Any:
        """What one machine makes."""
        dest = self.home / f"reference-{form}"
        assert await ended(self._start(dest, form)) in (0, 3), self._printed()
        return self._outcome(dest)

    async def run(self) -> None:
        """One pack to its end, and the check of it."""
        self.runs += 1
        dest = self.home / f"pack-{self.runs}"
        form = self.rng.choice(list(FORMATS))
        interruptions = 3
        (self.home / "printed").write_bytes(b"")
        try:
            with trio.fail_after(_ENOUGH_S):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.workers.kill, 1, 3)
                    nursery.start_soon(self.workers.freeze, 2, 4, lambda: self.rng.choice([0.5, TTL_S + 3]))
                    code = -9
                    while code:
                        code = await self._coordinate(dest, form, interrupt=interruptions > 0)
                        interruptions -= 1
                        assert code in (0, -9, 130) or (code == 3 and _DEADLY in self._printed())
                        if code == 3:
                            self.done["a shard that cost three workers"] += 1
                    nursery.cancel_scope.cancel()
            assert self._outcome(dest) == self.references[form]
            await self._wake()
            assert self._outcome(dest) == self.references[form]
        except BaseException:
            print(f"{form} in {dest}\n{self._printed()}")
            raise

    async def _coordinate(self, dest: Path, form: str, *, interrupt: bool) -> int:
        process = self._start(dest, form, f"--cluster={self.dask.scheduler.address}")
        try:
            with trio.move_on_after(self.rng.uniform(0.7, 6) if interrupt else _ENOUGH_S):
                await ended(process)
            if process.exitcode is None:
                number, what = self.rng.choice([(signal.SIGKILL, "killed"), (signal.SIGINT, "stopped")])
                os.kill(process.pid, number)
                self.done[f"coordinator {what}"] += 1
            code = await ended(process)
            left = _hidden(dest, process.pid)
            assert code == -9 or not left, left
            return code
        finally:
            process.kill()

    async def _wake(self) -> None:
        """Wakes workers that are frozen, and gives them time to write where they must not."""
        if woken := self.workers.wake():
            self.done["worker woken up after the end"] += woken
            await trio.sleep(2)

    def _start(self, dest: Path, form: str, *more: str) -> Any:
        options = [f"--root-dir={self.root}", f"--dest={dest}", f"--format={form}", "--shard-samples=25"]
        options += ["--label-types=boxes,labels,segmentations", "--with-empty", "--shuffle"]
        options += ["--idx"] if FORMATS[form].has_records else []
        process = _FORKS.Process(target=coordinate, args=([*options, *more], self.home / "printed"))
        process.start()
        return process

    def _printed(self) -> str:
        return (self.home / "printed").read_text("utf-8", "replace")[-8000:]

    def _outcome(self, dest: Path) -> tuple[dict[str, bytes], list[Any]]:
        """All files, hidden ones too, and all rows of the set."""
        files = {str(path.relative_to(dest)): path.read_bytes() for path in dest.rglob("*") if path.is_file()}
        with closing(sqlite3.connect(self.root / "oidl.sqlite3")) as db:
            (set_id,) = db.execute(
                "SELECT set_id FROM shard_set WHERE directory LIKE ? AND finished_at IS NOT NULL", (f"%{dest.name}",)
            ).fetchone()
            return files, [db.execute(query, (set_id,)).fetchall() for query in _ROWS]


def _hidden(dest: Path, process: int) -> list[Path]:
    return list(dest.glob(f".*-{process}*"))
