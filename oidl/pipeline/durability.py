"""Ensures that rows never outlive their files, even across a power cut.

As the kernel sees it, a file is in place before its row says so.
The disk receives both later, in no reliable order: pages of the
WAL are rewritten in place and written by age, while a new file may have no blocks
for half a minute, and SQLite believes whatever it finds in a WAL. A sync before
each commit would cost a fast run most of its speed.

Therefore a thread syncs the filesystems every few seconds, and then moves a
*mark* to the time when the sync began: files recorded before the mark are on the disk. The
run row keeps the mark, with the boot ID of the machine. If an earlier run was
cut off, or belongs to another boot, and has rows after its mark, the next run
checks the files of those rows as `oidl verify` does, and fetches incomplete ones again.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import trio

from oidl.errors import disk_error
from oidl.model import Failure, Finding, Reason
from oidl.node.stop import Stop
from oidl.node.threads import run_abandonable
from oidl.pipeline.repair import Repair
from oidl.pipeline.writer import StateWriter
from oidl.settings import Layout
from oidl.state.homes import read_homes
from oidl.state.load import loaded_subsets
from oidl.state.times import timestamp
from oidl.state.verify import FileRow, count_files, file_page
from oidl.storage.durability import boot_id, sync_filesystems
from oidl.storage.ownership import OwnFiles
from oidl.text import counted

_INTERVAL_S = 10.0
_PAGE = 512
_CHUNK = 16


class Durability:
    """Keeps the mark of one run; `directories` are all output directories, `say` reports findings to the user."""

    def __init__(
        self,
        state: StateWriter,
        layout: Layout,
        directories: Callable[[], Iterable[Path]],
        stop: Stop,
        say: Callable[[str], None],
        *,
        threads: int = 1,
        sync: Callable[[Iterable[Path]], None] = sync_filesystems,
        boot: str | None = None,
    ) -> None:
        self._state = state
        self._layout = layout
        self._directories = directories
        self._stop = stop
        self._say = say
        self._sync = sync
        self._boot = boot_id() if boot is None else boot
        self._threads = trio.CapacityLimiter(threads)
        self._syncing = trio.CapacityLimiter(1)

    async def check_after_power_cut(self) -> None:
        """Requeues the images whose files were lost in a power cut.

        If this is interrupted, the next run starts it again.
        """
        mark = await self._state.run(self._state.ledger.unsynced_since, self._boot)
        if mark is None:
            return
        if files := await self._state.run(count_files, self._state.db, mark):
            self._say(
                f"checking {counted(files, 'file')} again, because the last run was cut off "
                "before they were certainly on the disk"
            )
        lost = 0
        repair = Repair(self._state.db, self._layout)
        own = await self._state.run(self._own_files)
        after = ("", "")
        while page := await self._state.run(file_page, self._state.db, after, _PAGE, mark):
            after = page[-1][:2]
            findings: list[Finding] = []
            async with trio.open_nursery() as nursery:
                for begin in range(0, len(page), _CHUNK):
                    nursery.start_soon(self._check, own, page[begin : begin + _CHUNK], findings)
            if findings:
                await self._state.run(repair.repair, findings)
            lost += len(findings)
        await self.sync()
        if lost:
            self._say(f"{counted(lost, 'file')} did not reach the disk and will be fetched again")

    def _own_files(self) -> OwnFiles:
        return OwnFiles(read_homes(self._state.db, self._layout), loaded_subsets(self._state.db))

    async def _check(self, own: OwnFiles, rows: Sequence[FileRow], findings: list[Finding]) -> None:
        from oidl.pipeline.verify_files import check_files  # it loads libvips, which is not needed otherwise

        checked = await run_abandonable(check_files, self._layout, own, rows, limiter=self._threads)
        findings.extend(checked.findings)

    async def run(self) -> None:
        """Moves the mark every few seconds, until cancelled."""
        while True:
            await trio.sleep(_INTERVAL_S)
            await self.sync()

    async def sync(self) -> None:
        """Moves the mark to now; if a disk lost something, the run stops."""
        started_at = timestamp()
        try:
            await run_abandonable(self._sync, tuple(self._directories()), limiter=self._syncing)
        except OSError as error:
            problem = disk_error(Path(error.filename or "."), error)
            self._stop.disk_is_full(Failure(Reason.DISK, problem.message, hint=problem.hint))
            return
        await self._state.run(self._state.ledger.synced, started_at)
