"""`oidl status`: the same numbers as the database, during a run and after it."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from oidl.demo.site import ServerFault

_KEYS = {
    "dataset_version",
    "total",
    "pending",
    "retry",
    "done",
    "failed",
    "by_subset",
    "by_reason",
    "bytes_downloaded",
    "files",
    "run",
}


@pytest.fixture
def agrees_with_sql(ask):
    def check(found: dict) -> None:
        assert found.keys() >= _KEYS
        by_status = dict(ask("SELECT status, count(*) FROM download GROUP BY 1"))
        assert {status: found[status] for status in ("pending", "retry", "done", "failed")} == {
            status: by_status.get(status, 0) for status in ("pending", "retry", "done", "failed")
        }
        assert found["total"] == sum(by_status.values())
        counted = {
            (subset, status): count
            for subset, row in found["by_subset"].items()
            for status, count in row.items()
            if count
        }
        assert counted == {
            (subset, status): count
            for subset, status, count in ask("SELECT subset, status, count(*) FROM download GROUP BY 1, 2")
        }
        assert found["by_reason"] == dict(
            ask("SELECT reason, count(*) FROM download WHERE status IN ('failed', 'retry') GROUP BY 1")
        )
        assert found["files"] == dict(ask("SELECT rendition, count(*) FROM file GROUP BY 1"))
        assert [(found["bytes_downloaded"],)] == ask(
            "SELECT coalesce(sum(bytes), 0) FROM download WHERE source IS NOT 'local'"
        )

    return check


def test_after_a_run_it_agrees_with_the_database(served, quick_dataset, run, oidl, root: Path, agrees_with_sql) -> None:
    assert run(served(quick_dataset), "--save-original-images").returncode == 0
    found = json.loads(oidl("status", "--json", "--root-dir", root).stdout)
    agrees_with_sql(found)
    assert found["run"] is None
    assert found["dataset_version"] == "3"
    assert found["done"] > found["failed"] > 6
    text = oidl("status", "--root-dir", root)
    assert (text.returncode, text.stderr) == (0, "")
    assert "Open Images V3: 28 of 28 images settled (100 %)" in text.stdout
    assert "unavailable" in text.stdout
    assert "Last run: finished" in text.stdout


def test_while_a_run_goes_on_it_works_and_says_so(fine, oidl, root: Path, ask, agrees_with_sql, wait_until) -> None:
    first = fine.path_of(fine.images[0])
    free = fine.site.answers[first]
    fine.block_images()
    fine.site.answers[first] = free
    process = oidl.start("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", "--nodownload-metadata")
    wait_until(lambda: len(fine.requests) > 10)
    wait_until(lambda: ask("SELECT count(*) FROM download WHERE status = 'done'") == [(1,)])
    wait_until(lambda: ask("SELECT max(done) FROM run") == [(1,)])
    ended = oidl("status", "--json", "--root-dir", root)
    assert (ended.returncode, ended.stderr) == (0, "")
    found = json.loads(ended.stdout)
    agrees_with_sql(found)
    assert (found["done"], found["pending"]) == (1, len(fine.images) - 1)
    assert found["run"]["done"] == 1
    assert "A run has been active since" in oidl.process("status", "--root-dir", root).stdout
    fine.gate.set()
    assert oidl.end(process).returncode == 0
    assert json.loads(oidl("status", "--json", "--root-dir", root).stdout)["run"] is None


def test_it_works_while_the_image_list_is_being_loaded(fine, oidl, root: Path, wait_until) -> None:
    fine.site.answers[fine.list_path] = replace(fine.site.answers[fine.list_path], behaviour=ServerFault.STALL)
    oidl.start("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}")
    wait_until(lambda: list(root.glob("*.part")))
    ended = oidl("status", "--root-dir", root)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "not loaded yet" in ended.stdout
    assert json.loads(oidl("status", "--json", "--root-dir", root).stdout)["total"] == 0


_HALF_WAY = """
import sys
import oidl.state.database
from oidl.cli import main

execute = oidl.state.database.StateConnection.execute

def watched(db, sql, *values):
    if sql.startswith("PRAGMA cache_size"):
        sql = "PRAGMA cache_size = -50"  # so that a short list is too long for it
    if sql.startswith("INSERT INTO status_count"):
        print("half way", flush=True)
        sys.stdin.read()
    return execute(db, sql, *values)

oidl.state.database.StateConnection.execute = watched
main(sys.argv[1:])
"""


def test_it_works_while_a_long_list_is_written_and_after_a_kill_there(fine, oidl, run, root: Path, ask) -> None:
    """The load keeps readers out, as it does without a WAL; they say what there is to say."""
    row = fine.rows()["train"][0]
    header = "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,"
    rows = b"".join(b"%016x" % number + row[16:] for number in range(3000))
    (oidl.cwd / "list.csv").write_bytes(f"{header}OriginalSize,OriginalMD5,Thumbnail300KURL\n".encode() + rows)
    arguments = ("--images-csv=list.csv", "--limit=0", "--nodownload-metadata")
    command = ("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", "--no-log-to-stdout", *arguments)
    process = oidl.start(*command, program=_HALF_WAY)
    assert process.stdout.readline() == "half way\n"
    for is_killed in (False, True):
        if is_killed:
            process.kill()
            process.wait()
        status = oidl("status", "--root-dir", root)
        assert (status.returncode, status.stderr) == (0, "")
        assert "The image list is not loaded yet." in status.stdout
        assert ("A run is active." in status.stdout) != is_killed
    assert json.loads(oidl("status", "--json", "--root-dir", root).stdout)["total"] == 0
    assert oidl("export-csv", "--root-dir", root).returncode == 6
    assert run(fine, *arguments).returncode == 0
    assert ask("SELECT count(*) FROM download") == [(3000,)]
    assert ask("PRAGMA integrity_check") == [("ok",)]


def test_a_run_that_was_killed_is_not_shown_as_one_in_progress(fine, oidl, root: Path, wait_until) -> None:
    fine.block_images()
    process = oidl.start("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}")
    wait_until(lambda: fine.requests)
    process.kill()
    process.wait()
    assert "Last run: killed" in oidl("status", "--root-dir", root).stdout
    assert json.loads(oidl("status", "--json", "--root-dir", root).stdout)["run"] is None


@pytest.mark.parametrize("command", ["status", "export-csv"])
def test_without_a_database_it_says_so_and_makes_none(command: str, oidl, root: Path) -> None:
    ended = oidl(command, "--root-dir", root)
    assert ended.returncode == 2
    assert f"there is no state database at {root}/oidl.sqlite3" in ended.stderr
    assert ended.stdout == ""
    assert not root.exists()


def test_a_database_that_lies_elsewhere_is_found(fine, run, oidl, root: Path, tmp_path: Path) -> None:
    assert run(fine, "--state-db", tmp_path / "here.db", "--limit=2").returncode == 0
    assert not (root / "oidl.sqlite3").exists()
    assert json.loads(oidl("status", "--json", "--state-db", tmp_path / "here.db").stdout)["done"] == 2


# ---- --watch


def test_watching_shows_it_again_and_again_until_ctrl_c(fine, run, oidl, root: Path, tell) -> None:
    run(fine, "--limit=0", "--no-download-metadata")
    process = oidl.start("status", "--root-dir", root, "--watch", "0.01", "--json")
    assert json.loads(process.stdout.readline())["done"] == 0
    tell("UPDATE download SET status = 'done' WHERE image_id = (SELECT min(image_id) FROM download)")
    while json.loads(process.stdout.readline())["done"] != 1:
        pass
    process.send_signal(signal.SIGINT)
    ended = oidl.end(process)
    assert (ended.returncode, ended.stderr) == (130, "")


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_on_a_terminal_the_text_is_repainted_and_the_screen_put_right_again(
    fine, run, oidl, root: Path, terminal, signal_: signal.Signals
) -> None:
    run(fine, "--limit=0", "--no-download-metadata")
    with terminal("status", "--root-dir", root, "--watch", "0.01") as (process, read_until):
        shown = read_until("Open Images V3", "Open Images V3")
        process.send_signal(signal_)
        shown += read_until("\x1b[?1049l")  # a terminal that nobody reads would fill up and hold up the end
        process.wait()
    assert process.returncode == 130
    assert shown.startswith("\x1b[?1049h\x1b[?25l\x1b[H")
    assert "Open Images V3: 0 of 24 images settled" in shown.rpartition("\x1b[?1049h")[2]
    assert "Traceback" not in shown


@pytest.mark.parametrize("typed", [["--watch", "0"], ["--watch=nan"], ["--watch", "1", "2"], ["--watch", "--failures"]])
def test_watching_at_no_sensible_interval_is_refused(oidl, root: Path, typed: list[str]) -> None:
    ended = oidl("status", "--root-dir", root, *typed)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--watch" in ended.stderr


def test_it_is_about_the_plan_once_there_is_one(fine, run, oidl, root: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("".join(f"{listed.image.image_id}\n" for listed in fine.images[:5]))
    ended = run(fine, "--image-ids", ids, "--nodownload-metadata")
    assert "5 of 5 chosen images are done; " in ended.stdout
    assert "in the list;" not in ended.stdout
    assert oidl("status", "--root-dir", root).stdout.startswith("5 of 5 chosen images are done.\n")
    plan = json.loads(oidl("status", "--json", "--root-dir", root).stdout)["plan"]
    assert (plan["images"], plan["done"], plan["pending"]) == (5, 5, 0)
    (next(root.rglob("images-resized")) / "x").touch()
    assert oidl("verify", "--root-dir", root, "--repair").returncode == 0
    assert oidl("status", "--root-dir", root).stdout.startswith("5 of 5 chosen images are done.\n")
    next(path for path in root.rglob("*.jpg") if "images-resized" in str(path)).unlink()
    oidl("verify", "--root-dir", root, "--repair")
    assert json.loads(oidl("status", "--json", "--root-dir", root).stdout)["plan"] is None  # until the next run
