"""Compares the disk with the database, in both directions.

    requirements  rows of `download` that are done, but lack a file that their run had to make
    files         rows of `file`, a page at a time, each file checked in a thread
    strays        files in the directories of renditions, looked up a few hundred at a time

A run may be active meanwhile. Its files are on disk before the batch with their rows is
committed, so files that are newer than a minute before the verification
are not judged then. With a `Repair`, each page is repaired before the next is read.
"""

import os
import stat
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import trio

from oidl.errors import StateError, UsageError
from oidl.hints import command
from oidl.model import Finding, Problem, Rendition
from oidl.node.threads import run_abandonable
from oidl.pipeline.metadata import UNPACKING
from oidl.pipeline.repair import Repair
from oidl.pipeline.verify_files import check_files, published_md5
from oidl.progress.verify import VerifyMeter
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.homes import read_homes
from oidl.state.ledger import Ledger
from oidl.state.load import loaded_list, loaded_subsets
from oidl.state.translate import translating_sqlite_errors
from oidl.state.verify import (
    FileRow,
    PublishedImage,
    file_page,
    has_flickr_names,
    known_renditions,
    listed_images,
    missing_page,
    paths_by_name,
    run_requirements,
)
from oidl.storage.atomic import PART_DIRECTORY
from oidl.storage.durability import boot_id, is_alive
from oidl.storage.layout import actual_path, is_image_id, name_of, recorded_path, subset_directory
from oidl.storage.ownership import OwnFiles
from oidl.storage.walk import Entry, files_below

_IN_FLIGHT_S = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """What to verify, with how many threads that read files, and whether to repair it.

    The sizes say how much is read at a time, little enough that Ctrl-C takes effect within a second: rows of `file`,
    and how many of them by one thread; entries of a directory; rows of `download`.
    """

    root_dir: Path
    is_repair: bool = False
    threads: int = 1
    file_page: int = 512
    thread_files: int = 16
    entry_page: int = 500
    done_page: int = 5_000


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
            (rendition, subset, subset_directory(self._layout, subset, rendition.directory))
            for rendition, _ in self._renditions
            for subset in self._subsets
        ]
        self._ended = Ledger(db).ended_tokens(boot_id(), is_alive)
        meter.total = sum(files for _, files in self._renditions)

    async def run(self) -> None:
        """Checks everything once. Raises `UsageError` if a repair would mistake an absent disk for an empty one."""
        if self._repair:
            self._check_homes()
        await self._check_requirements()
        await self._verify_files()
        for rendition, subset, home in self._homes:
            await self._find_strays(rendition, subset, home)
        await self._settle(await self._ask(self._leftovers))

    def _check_homes(self) -> None:
        for rendition, files in self._renditions:
            homes = [home for other, _, home in self._homes if other.name == rendition.name]
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
        self._meter.files_checked(checked.files, checked.undecoded)

    async def _find_strays(self, rendition: Rendition, subset: str, home: Path) -> None:
        others = frozenset(str(other) for _, _, other in self._homes)
        with closing(files_below(home, others)) as entries:
            while batch := await self._ask(lambda: list(islice(entries, self._settings.entry_page))):
                await self._settle(await self._ask(partial(self._strays, rendition, subset, batch)))
                self._meter.files_seen(len(batch))

    def _strays(self, rendition: Rendition, subset: str, entries: Sequence[Entry]) -> list[Finding]:
        """The findings for those of `entries` that no row names."""
        stems = {entry: Path(entry.path).stem for entry in entries}
        recorded = paths_by_name(self._db, set(stems.values()))
        strays = [entry for entry in entries if not self._is_recorded(entry, recorded.get(stems[entry], ()))]
        listed = listed_images(self._db, {stems[entry] for entry in strays})
        names_are_free = has_flickr_names(self._db)
        findings = []
        for entry in strays:
            finding = self._stray(entry, rendition, subset, listed, names_are_free)
            findings.extend([finding] if finding else [])
        return findings

    def _is_recorded(self, entry: Entry, paths: Sequence[str]) -> bool:
        # A file that is reached through another path of the root (a link, a mount) is still the same file.
        actual = [str(actual_path(self._layout, path)) for path in paths]
        return entry.path in actual or any(_is_same(entry.path, path) for path in actual)

    def _stray(
        self, entry: Entry, rendition: Rendition, subset: str, listed: dict[str, PublishedImage], names_are_free: bool
    ) -> Finding | None:
        def finding(fault: Problem, image_id: str | None = None, detail: str = "") -> Finding:
            path = recorded_path(self._layout, Path(entry.path))
            return Finding(fault, path, image_id, rendition.name if image_id else None, detail, modified_s)

        modified_s = 0.0
        try:
            status = os.stat(entry.path, follow_symlinks=False)
        except OSError:  # it was removed meanwhile
            return None
        modified_s = status.st_mtime
        name = name_of(rendition, entry.parts) if stat.S_ISREG(status.st_mode) and not entry.problem else None
        if name is None:
            return finding(Problem.FOREIGN, detail=entry.problem)
        image = listed.get(name)
        if is_image_id(name):
            if image is None or image.subset != subset:
                return finding(Problem.FOREIGN)
            if rendition.mode is None and _is_published(entry.path, status.st_size, image):
                return finding(Problem.UNRECORDED, name)
            return finding(Problem.ORPHAN, name)
        if not names_are_free:
            return finding(Problem.FOREIGN)
        # A Flickr name does not say to which image an original belongs, so the next run may use this one.
        return finding(Problem.UNRECORDED if rendition.mode is None else Problem.ORPHAN)

    def _leftovers(self) -> list[Finding]:
        """The incomplete files of killed runs and exports, and other files next to them."""
        findings = []
        for path, is_ours in self._temporary():
            try:
                modified_s = os.lstat(path).st_mtime
            except OSError:
                continue
            fault = Problem.LEFTOVER if is_ours else Problem.FOREIGN
            findings.append(Finding(fault, recorded_path(self._layout, path), modified_s=modified_s))
        return findings

    def _temporary(self) -> Iterator[tuple[Path, bool]]:
        for _, _, home in self._homes:
            for path in sorted((home / PART_DIRECTORY).glob("*")):
                yield path, path.name.partition("-")[0] in self._ended and path.is_file()
        yield self._layout.root_dir / UNPACKING, True
        for subset in self._subsets:  # of CSVs
            directory = self._layout.root_dir / self._layout.version_dir / subset
            yield from ((path, True) for path in sorted(directory.glob(f".*.csv{PART_DIRECTORY}-*")))

    async def _settle(self, findings: Sequence[Finding]) -> None:
        """Reports and repairs `findings`, without those that an active run may be about to settle itself."""
        if any(finding.modified_s >= self._fresh_s for finding in findings) and (
            self._was_running or self._is_running()
        ):
            findings = [finding for finding in findings if finding.modified_s < self._fresh_s]
        for finding in findings:
            self._meter.found(finding)
        if findings:
            await self._tell(findings)
        if findings and self._repair:
            self._meter.repaired(*await self._ask(partial(self._repair.repair, findings)))

    async def _ask(self, question: Callable[[], T]) -> T:
        """The result of `question`, which runs in a thread, alone on the connection."""
        return await trio.to_thread.run_sync(partial(self._translated, question), limiter=self._one_at_a_time)

    def _translated(self, question: Callable[[], T]) -> T:
        with translating_sqlite_errors(self._db.path):
            return question()


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):  # ValueError if a path contains a zero byte
        return False


def _is_published(path: str, size_bytes: int, image: PublishedImage) -> bool:
    try:
        return size_bytes == image.original_size and published_md5(Path(path).read_bytes()) == image.original_md5
    except OSError:
        return False
