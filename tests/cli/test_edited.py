"""The database is a public interface: commands show what users write there unchanged, and none fails."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest


@pytest.fixture
def edit(root) -> Callable[[str], None]:
    """Runs SQL of one's own on the database of a run that has ended."""

    def execute(sql: str) -> None:
        with closing(sqlite3.connect(root / "oidl.sqlite3")) as db:
            db.executescript(sql)

    return execute


def test_what_was_edited_by_hand_stops_nothing(fine, run, oidl, root, edit, ask) -> None:
    assert run(fine, "--nodownload-metadata").returncode == 0
    edit("""
        UPDATE download SET status = 'failed', reason = 'unwanted'
            WHERE image_id = (SELECT min(image_id) FROM download);
        UPDATE download SET status = 'retry', next_attempt_at = NULL, reason = 'mine'
            WHERE image_id = (SELECT max(image_id) FROM download);
        UPDATE run SET started_at = datetime('now'), finished_at = datetime('now');
    """)
    ended = oidl("status", f"--root-dir={root}")
    assert ended.returncode == 0
    assert "unwanted" in ended.stdout
    assert oidl("report", f"--root-dir={root}", f"--out={root}/report.html").returncode == 0
    assert "unwanted" in (root / "report.html").read_text("utf-8")
    assert run(fine, "--nodownload-metadata").returncode == 0
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images) - 1), ("failed", 1)]
    assert oidl("verify", f"--root-dir={root}").returncode in (0, 3)
