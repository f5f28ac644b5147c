"""Repairs the findings of a verification: first the rows, then the files, so no kill leaves `done` without a file.

After a kill in between, a bad file has no row; the next run overwrites it, or the next verification finds it as an
orphan. A shard is never removed because of one of its images: that only loses its row, and the next run copies the
others to a new shard. Synchronous: the caller decides in which thread it runs.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from oidl.errors import disk_error
from oidl.model import PACK, REDO, REMOVE, Finding, Problem
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.plan_counts import forget_plan_counts
from oidl.state.requeue import requeue
from oidl.state.shards import forget_removed
from oidl.state.translate import translating_sqlite_errors
from oidl.state.verify_shards import give_up_shard, images_of_shard, suspect_shard
from oidl.storage.atomic import PART_DIRECTORY
from oidl.storage.layout import actual_path
from oidl.storage.shards.files import remove_shard
from oidl.storage.shards.place import place_of
from oidl.storage.sweep import remove_tree

_NO_FILE = frozenset({Problem.MISSING, Problem.INCOMPLETE, Problem.MISPLACED, Problem.WRONG_SHARD})
# A misplaced file is not ours.


class Repair:
    """Works on the writing connection `db`, whose lock the caller holds."""

    def __init__(self, db: StateConnection, layout: Layout) -> None:
        self._db = db
        self._layout = layout

    def repair(self, findings: Sequence[Finding]) -> tuple[int, int]:
        """Repairs `findings`; returns how many images became pending, and how many files were removed.

        Raises `DiskError` if a file cannot be removed; then its row is already gone.
        """
        again = [finding for finding in findings if finding.fault in REDO]
        shards = [finding.path for finding in again if finding.fault is Problem.WRONG_SHARD]
        packs = [finding.path for finding in findings if finding.fault in PACK]
        images = 0
        if again:
            rows = [(finding.image_id, finding.rendition) for finding in again]
            with translating_sqlite_errors(self._db.path):
                # If samples have checksums, the check of the images, which comes next, finds the damaged ones.
                shards = [path for path in shards if not suspect_shard(self._db, path)]
                rows += [row for path in shards for row in images_of_shard(self._db, path)]
                images = requeue(
                    self._db,
                    [(image_id, name) for image_id, name in rows if image_id and name],
                    sorted({image_id for image_id, _ in rows if image_id}),
                )
                forget_plan_counts(self._db)  # it is unknown here which of the images belong to the plan
        unwanted = [finding for finding in again if finding.fault not in _NO_FILE and not place_of(finding.path)]
        unwanted += [finding for finding in findings if finding.fault in REMOVE]
        removed = sum(self._remove_shard(path) for path in (*shards, *packs))
        return images, removed + sum(self._remove(actual_path(self._layout, finding.path)) for finding in unwanted)

    def _remove_shard(self, path: str) -> bool:
        with translating_sqlite_errors(self._db.path):
            dropped = give_up_shard(self._db, path)
        if dropped is None:
            return False
        was_there = remove_shard(actual_path(self._layout, dropped)) is not None
        forget_removed(self._db, [dropped])
        return was_there

    def _remove(self, path: Path) -> bool:
        try:
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                os.unlink(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise disk_error(path, error, "removed") from error
        if path.parent.name == PART_DIRECTORY:
            with suppress(OSError):  # it contains other files
                path.parent.rmdir()
        return True
