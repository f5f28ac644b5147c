"""The row of a run in the database, and what goes with its begin and its end: the plan, and a sweep."""

import secrets
from collections.abc import Iterator
from pathlib import Path

from oidl.pipeline.metadata import UNPACKING
from oidl.pipeline.record import heartbeat
from oidl.pipeline.writer import StateWriter
from oidl.progress.statistics import Statistics
from oidl.settings import Settings
from oidl.state.plan import Value, read_plan
from oidl.storage.atomic import AtomicWriter
from oidl.storage.durability import boot_id, is_alive
from oidl.storage.layout import subset_directory
from oidl.storage.sweep import remove_tree


class RunRow:
    """The row of one run, for `subsets`. Names of its temporary files begin with `token`.

    All methods but `homes` run on the thread of the writing connection.
    """

    def __init__(self, state: StateWriter, settings: Settings, subsets: tuple[str, ...]) -> None:
        self.token = secrets.token_hex(4)
        self._state = state
        self._settings = settings
        self._subsets = subsets
        self._files = AtomicWriter(self.token)
        self._directories: list[str] = []
        self._earlier_plan: dict[str, Value] = {}

    def homes(self) -> Iterator[Path]:
        """The directories of all renditions, for every subset."""
        for directory in self._directories:
            for subset in self._subsets:
                yield subset_directory(self._settings.layout, subset, directory)

    def open(self) -> int:
        """Adds the row and changes the plan; returns the number of the run. Raises `UsageError`."""
        ledger = self._state.ledger
        with ledger.transaction():
            ledger.register(self._settings.all_renditions)
            run_id = ledger.open_run(self._settings.as_json(), token=self.token, boot_id=boot_id())
            if self._settings.plan:
                self._earlier_plan = read_plan(self._state.db)
                ledger.plan(self._settings.plan)
            self._directories = ledger.rendition_directories()
        if self._settings.originals.always_download:
            # A row is removed before its file is replaced: a power cut must not restore the row.
            self._state.db.execute("PRAGMA synchronous = FULL")
        self._sweep()
        return run_id

    def ended_tokens(self) -> frozenset[str]:
        """The tokens of runs that have ended."""
        return self._state.ledger.ended_tokens(boot_id(), is_alive)

    def restore_plan(self) -> None:
        """Gives the root the plan that it had before `open`."""
        with self._state.ledger.transaction():
            self._state.ledger.plan(self._earlier_plan)

    def close(self, outcome: str, last: Statistics, *, is_synced: bool) -> None:
        """Records how the run ended; if it `is_synced`, all of its files survive a power cut."""
        heartbeat(self._state.ledger, last)
        with self._state.ledger.transaction():
            self._state.ledger.close_run(outcome, is_synced=is_synced)
        self._sweep()

    def _sweep(self) -> None:
        """Removes the incomplete files of killed runs. Partly fetched archives stay, because they are resumed."""
        self._files.sweep(self.homes(), self.ended_tokens())
        remove_tree(self._settings.root_dir / UNPACKING)
