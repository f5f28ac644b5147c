"""The pace of each provider, for this machine and for each host of a cluster, kept from run to run."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from oidl.net.pace import PaceState
from oidl.state.times import parse_timestamp, timestamp

_COMPARED = 1000  # the maximum number of written paces to compare with


class PaceTable:
    """Reads and writes the table `pace`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._written: dict[tuple[str, str], PaceState] = {}

    def write(self, paces: Iterable[PaceState]) -> None:
        """Records the paces that changed, inside the caller's transaction."""
        now = datetime.now(UTC)
        changed = [pace for pace in paces if pace.pause_s or self._written.get((pace.provider, pace.node)) != pace]
        if len(self._written) > _COMPARED:
            self._written.clear()
        self._written.update(((pace.provider, pace.node), pace) for pace in changed)
        self._db.executemany(
            "INSERT INTO pace VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET window = excluded.window, "
            "rate = excluded.rate, learned_rate = excluded.learned_rate, paused_until = excluded.paused_until, "
            "updated_at = excluded.updated_at",
            [
                (
                    pace.provider,
                    pace.node,
                    pace.window,
                    pace.rate,
                    pace.learned_rate,
                    timestamp(now + timedelta(seconds=pace.pause_s)) if pace.pause_s else None,
                    timestamp(now),
                )
                for pace in changed
            ],
        )

    def read(self) -> dict[str, PaceState]:
        """The pace of each provider after earlier runs on this machine, by provider."""
        return {provider: pace for (provider, node), pace in self.read_all().items() if not node}

    def read_all(self) -> dict[tuple[str, str], PaceState]:
        """The pace of each provider after earlier runs, by provider and node; a pause that is over counts as none."""
        now = datetime.now(UTC)
        paces = {}
        for provider, node, window, rate, learned_rate, until in self._db.execute(
            "SELECT provider, node, window, rate, learned_rate, paused_until FROM pace"
        ):
            end = parse_timestamp(until)
            pause_s = (end - now).total_seconds() if end else 0.0
            paces[provider, node] = PaceState(provider, window, rate, max(0.0, pause_s), learned_rate, node=node)
        return paces
