"""Rows never outlive their files, across a power cut too.

A file is in its place before its row says so, for everybody who asks the kernel.
The disk learns of both later, in no order that could be relied on: pages of the
WAL are rewritten in place and reach it by age, while a new file may have no blocks
for half a minute, and SQLite believes whatever it finds in a WAL. To sync before
each commit would cost a fast run most of its speed.

So every few seconds a thread has the filesystems synced, and when that is done a
*mark* moves to when it began: files recorded before the mark are on the disk. The
run row keeps the mark, with the boot of the machine. A run that finds an earlier
one that was cut off, or was of another boot, and whose rows go beyond the mark,
checks the files of those rows as `oidl verify` does; what is not whole is fetched again.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import trio

from oidl.errors import disk_error
from oidl.model import Failure, Finding, Reason
from oidl.node.stop import Stop
from oidl.node.threads import run_abandonable
from oidl.pipeline.repair import Repair
from oidl.pipeline.verify_files import check_files
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
    """Keeps the mark of one run; `directories` are all that output goes to, `say` tells people what was found."""

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
        """Puts back the images whose files were lost with the power.

        Until it has come to its end, every later run begins it again.
        """
        mark = await self._state.run(self._state.ledger.unsynced_since, self._boot)
        if mark is None:
            return
        if files := await self._state.run(count_files, self._state.db, mark):
            self._say(
                f"checking {counted(files, 'file')} again, because the last run was cut off "
                "before it was certain that they are on the disk"
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
        checked = await run_abandonable(check_files, self._layout, own, rows, limiter=self._threads)
        findings.extend(checked.findings)

    async def run(self) -> None:
        """Moves the mark every few seconds, until cancelled."""
        while True:
            await trio.sleep(_INTERVAL_S)
            await self.sync()

    async def sync(self) -> None:
        """Moves the mark to now; a disk that lost something stops the run."""
        began = timestamp()
        try:
            await run_abandonable(self._sync, tuple(self._directories()), limiter=self._syncing)
        except OSError as error:
            problem = disk_error(Path(error.filename or "."), error)
            self._stop.disk_is_full(Failure(Reason.DISK, problem.message, hint=problem.hint))
            return
        await self._state.run(self._state.ledger.synced, began)
