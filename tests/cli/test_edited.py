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


_COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("status", "--failures"),
    ("plan",),
    ("renditions",),
    ("verify",),
    ("export-csv",),
    ("export", "--format=imagefolder", "--rendition=images-resized"),
    ("report",),
    ("run",),
    ("verify", "--repair"),
)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE run SET settings = 'not json'", ""),
        ("UPDATE run SET settings = '[1]'", ""),
        ("""UPDATE run SET settings = '{"originals": null, "renditions": null}'""", ""),
        ("UPDATE file SET path = 'a' || char(0) || 'b'", ""),
        ("UPDATE plan SET value = '[[[' WHERE option = 'dataset_version'", "the value of dataset_version is '[[['"),
        ("UPDATE plan SET value = '{\"a\": 1}' WHERE option = 'subset'", "the value of subset is"),
        ("UPDATE plan SET value = 'null' WHERE option = 'orientation'", "the value of orientation is 'null'"),
        ("UPDATE plan SET value = 'NaN' WHERE option = 'orientation'", "the value of orientation is 'NaN'"),
        ("UPDATE plan SET value = '\"a\\u0000\"' WHERE option = 'orientation'", "the value of orientation is"),
        ("UPDATE plan SET value = '[1, 2]' WHERE option = 'orientation'", "the value of orientation is '[1, 2]'"),
        ("UPDATE rendition SET mode = 'Odd'", "a rendition has the mode 'Odd'"),
        ("UPDATE download SET status = 'odd'", "an image has the status 'odd'"),
        (
            "UPDATE status_count SET status = 'odd' WHERE status = 'done' AND subset = 'train'",
            "an image has the status 'odd'",
        ),
    ],
)
def test_what_cannot_be_read_is_passed_over_or_said_in_words(
    sql: str, says: str, fine, run, oidl, root, edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDL_CATALOGUE", str(fine.catalogue))
    assert run(fine, "--nodownload-metadata", "--save-original-images", "--subset=train").returncode == 0
    edit(f"PRAGMA ignore_check_constraints = 1; {sql};")
    said = ""
    for command in _COMMANDS:
        ended = oidl(*command, f"--root-dir={root}")
        assert "Traceback" not in ended.stderr, (command, ended.stderr)
        usual = (0, 2) if "nothing was exported" in ended.stderr else (0, 6) if says else (0, 3)
        assert ended.returncode in usual, (command, ended.stderr)
        said += ended.stderr
    assert says in said


def test_a_plan_that_cannot_be_read_is_replaced_by_a_new_one(fine, run, oidl, root, edit) -> None:
    assert run(fine, "--nodownload-metadata", "--subset=train").returncode == 0
    edit("UPDATE plan SET value = '[[[' WHERE option = 'subset'")
    ended = oidl("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}")
    assert ended.returncode == 6
    assert "the plan of this root cannot be read: the value of subset is '[[['" in ended.stderr
    assert "run --root-dir" in ended.stderr
    assert "--new-plan" in ended.stderr
    assert run(fine, "--nodownload-metadata", "--subset=train").returncode == 0
    assert "--subset train" in oidl("plan", f"--root-dir={root}").stdout
