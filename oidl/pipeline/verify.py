"""Compares the disk with the database, in both directions.

    requirements  rows of `download` that are done, but lack a file that their run had to make
    shards        complete shards, each as a whole
    files         rows of `file`, a page at a time, each file checked in a thread
    strays        files in the directories of renditions, looked up a few hundred at a time

A run may be active meanwhile. Its files are on disk before the batch with their rows is
committed, so files that are newer than a minute before the verification
are not judged then. With a `Repair`, each page is repaired before the next is read.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import trio

from oidl.errors import StateError, UsageError
from oidl.hints import command
from oidl.model import Finding, Problem
from oidl.node.threads import run_abandonable
from oidl.pipeline.repair import Repair
from oidl.pipeline.verify_files import check_files
from oidl.pipeline.verify_shards import check_shard
from oidl.pipeline.verify_strays import Home, Strays
from oidl.progress.verify import VerifyMeter
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.homes import read_homes
from oidl.state.load import loaded_list, loaded_subsets
from oidl.state.translate import translating_sqlite_errors
from oidl.state.verify import (
    FileRow,
    file_page,
    known_renditions,
    missing_page,
    run_requirements,
)
from oidl.state.verify_shards import SealedShard, count_sealed, has_file, has_sealed, sealed_page
from oidl.storage.layout import subset_directory
from oidl.storage.ownership import OwnFiles
from oidl.storage.shards.place import place_of
from oidl.storage.walk import files_below

_IN_FLIGHT_S = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """What to verify, with how many threads that read files, and whether to repair it.

    The sizes say how much is read at a time, little enough that Ctrl-C takes effect within a second: rows of `file`,
    and how many of them by one thread; entries of a directory; rows of `download`; rows of `shard`.
    """

    root_dir: Path
    is_repair: bool = False
    threads: int = 1
    file_page: int = 512
    thread_files: int = 16
    entry_page: int = 500
    done_page: int = 5_000
    shard_page: int = 16


class Verifier:
    """One verification of the files under `settings.root_dir` against the database `db`.

    `is_running` says whether another process writes to the database, `now_s` is
    the time that file times are compared with (seconds since the epoch). `tell`
    is awaited with the findings of each page, in the task of `run`.
    """

    def __init__(
        self,
        db: StateConnection,
        settings: VerifySettings,
        meter: VerifyMeter,
        *,
        now_s: float,
        is_running: Callable[[], bool],
        tell: Callable[[Sequence[Finding]], Awaitable[None]],
    ) -> None:
        image_list = loaded_list(db)
        if image_list is None:
            raise StateError("there is no image list in the database yet", hint=f"run {command('run')} to load it")
        self._db = db
        self._settings = settings
        self._layout = Layout(settings.root_dir, image_list.directory)
        self._meter = meter
        self._is_running = is_running
        self._was_running = is_running()
        self._fresh_s = now_s - _IN_FLIGHT_S
        self._tell = tell
        self._repair = Repair(db, self._layout) if settings.is_repair else None
        self._one_at_a_time = trio.CapacityLimiter(1)
        self._threads = trio.CapacityLimiter(settings.threads)
        self._renditions = known_renditions(db)
        self._subsets = loaded_subsets(db)
        self._own = OwnFiles(read_homes(db, self._layout), self._subsets)
        self._homes = [
            Home(rendition, subset, subset_directory(self._layout, subset, rendition.directory))
            for rendition, _ in self._renditions
            for subset in self._subsets
        ]
        self._strays = Strays(db, self._layout, self._subsets, self._homes)
        meter.total = sum(files for _, files in self._renditions)
        meter.total_shards = count_sealed(db)

    async def run(self) -> None:
        """Checks everything once. Raises `UsageError` if a repair would mistake an absent disk for an empty one."""
        if self._repair:
            self._check_homes()
        await self._check_requirements()
        await self._verify_shards()
        await self._verify_files()
        for home in self._homes:
            await self._find_strays(home)
        await self._settle(await self._ask(self._strays.leftovers))

    def _check_homes(self) -> None:
        for rendition, files in self._renditions:
            homes = [home.path for home in self._homes if home.rendition.name == rendition.name]
            if files and not any(home.is_dir() for home in homes):
                raise UsageError(
                    f"the directory of {rendition.name} does not exist: {homes[0]}",
                    hint="mount it; or, if its files are really lost, create it empty and repair again",
                )

    async def _check_requirements(self) -> None:
        required = await self._ask(partial(run_requirements, self._db))
        after: str | None = ""
        while after is not None:
            missing, after = await self._ask(partial(missing_page, self._db, required, after, self._settings.done_page))
            await self._settle([Finding(Problem.INCOMPLETE, "", *each) for each in missing])

    async def _verify_shards(self) -> None:
        """Checks shards as a whole, before their images: if one is wrong, all its images are done again."""
        after = 0
        while page := await self._ask(partial(sealed_page, self._db, after, self._settings.shard_page)):
            after = page[-1].shard_id
            findings: list[Finding] = []
            async with trio.open_nursery() as nursery:
                for shard in page:
                    nursery.start_soon(self._check_shard, shard, findings)
            await self._settle(sorted(findings, key=lambda finding: finding.path))

    async def _check_shard(self, shard: SealedShard, findings: list[Finding]) -> None:
        finding = await run_abandonable(check_shard, self._layout, self._own, shard, limiter=self._threads)
        findings.extend([finding] if finding else [])
        self._meter.shard_checked()

    async def _verify_files(self) -> None:
        after, at_once = ("", ""), self._settings.thread_files
        while page := await self._ask(partial(file_page, self._db, after, self._settings.file_page)):
            after = page[-1][:2]
            findings: list[Finding] = []
            async with trio.open_nursery() as nursery:
                for begin in range(0, len(page), at_once):
                    nursery.start_soon(self._check, page[begin : begin + at_once], findings)
            findings.sort(key=lambda finding: (finding.image_id or "", finding.path))
            await self._settle(findings)

    async def _check(self, rows: Sequence[FileRow], findings: list[Finding]) -> None:
        checked = await run_abandonable(check_files, self._layout, self._own, rows, limiter=self._threads)
        findings.extend(checked.findings)
        self._meter.files_checked(checked.files, checked.undecoded, checked.remote)

    async def _find_strays(self, home: Home) -> None:
        others = frozenset(str(other.path) for other in self._homes)
        with closing(files_below(home.path, others)) as entries:
            while batch := await self._ask(lambda: list(islice(entries, self._settings.entry_page))):
                await self._settle(await self._ask(partial(self._strays.find, home, batch)))
                self._meter.files_seen(len(batch))

    async def _settle(self, findings: Sequence[Finding]) -> None:
        """Reports and repairs `findings`, without those that an active run may be about to settle itself."""
        if any(finding.modified_s >= self._fresh_s for finding in findings) and (
            self._was_running or self._is_running()
        ):
            findings = [finding for finding in findings if finding.modified_s < self._fresh_s]
        findings = await self._ask(lambda: [finding for finding in findings if self._has_row(finding)])
        for finding in findings:
            self._meter.found(finding)
        if findings:
            await self._tell(findings)
        if findings and self._repair:
            self._meter.repaired(*await self._ask(partial(self._repair.repair, findings)))

    def _has_row(self, finding: Finding) -> bool:
        """False if a run has copied a shard, or images of one, to another place since the page was read."""
        if finding.image_id and finding.rendition and place_of(finding.path):
            return has_file(self._db, finding.image_id, finding.rendition, finding.path)
        return finding.fault not in (Problem.WRONG_SHARD, Problem.WRONG_PACK) or has_sealed(self._db, finding.path)

    async def _ask(self, question: Callable[[], T]) -> T:
        """The result of `question`, which runs in a thread, alone on the connection."""
        return await trio.to_thread.run_sync(partial(self._translated, question), limiter=self._one_at_a_time)

    def _translated(self, question: Callable[[], T]) -> T:
        with translating_sqlite_errors(self._db.path):
            return question()
