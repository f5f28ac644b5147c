"""A full disk, and a server that requests an hour's pause: the run ends, says why, and loses nothing."""

import errno
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from oidl.demo.site import CannedResponse, status_answer
from oidl.state import database
from oidl.state.connection import StateConnection, connect


@pytest.fixture
def small_disk(root: Path) -> Iterator[Path]:
    """The root on a filesystem of 64 MB."""
    root.mkdir()
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a small filesystem")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "oidl", root], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small filesystem cannot be mounted here")
    yield root
    subprocess.run(["umount", root], check=True)


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(fine, run, small_disk: Path, ask, tree) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(65_900_000))
    ended = run(fine, "--save-original-images", "--nodownload-metadata", "--min-free=0", "--no-check-space")
    assert ended.returncode == 5
    assert "could not be written: No space left on device" in ended.stderr or "disk is full" in ended.stderr
    assert "free some space" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ask("PRAGMA integrity_check") == [("ok",)]
    assert ask("SELECT count(*) FROM download WHERE status = 'failed'") == [(0,)]
    on_disk = tree(small_disk)
    for path, size in ask("SELECT path, bytes FROM file"):
        assert len(on_disk[path]) == size
    assert not [path for path in on_disk if ".oidl-part" in path]

    filler.unlink()
    done = {url for (url,) in ask("SELECT url FROM download WHERE status = 'done'")}
    fine.site.requests.clear()
    assert run(fine, "--save-original-images", "--nodownload-metadata", "--min-free=0").returncode == 0
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]
    assert not [url for url in done if fine.requests["/" + url.split("/", 3)[3]]]


@pytest.mark.parametrize("pages", [1, 2, 10, 20, 30, 38, 45])
def test_a_disk_that_is_full_at_the_first_start_leaves_nothing(
    pages: int, fine, run, oidl, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect_full(path: Path, address: str) -> StateConnection:
        db = connect(path, address)
        db.execute(f"PRAGMA max_page_count = {pages}")
        return db

    with monkeypatch.context() as patch:
        patch.setattr(database, "connect", connect_full)
        ended = run(fine, "--nodownload-metadata")
    assert ended.returncode == 5, ended.stderr
    assert ended.stderr.count("oidl:") == 1
    assert f"the state database {root}/oidl.sqlite3 cannot be written: database or disk is full" in ended.stderr
    assert "there is no state database" in oidl("status", f"--root-dir={root}").stderr
    assert run(fine, "--nodownload-metadata").returncode == 0


def test_what_cannot_fit_is_not_begun(fine, run, small_disk: Path, ask) -> None:
    small_disk.joinpath("filler").write_bytes(bytes(66_250_000))
    ended = run(fine, "--save-original-images", "--nodownload-metadata", "--min-free=100k")
    assert ended.returncode == 5
    assert "24 images would take about" in ended.stderr
    assert "--no-check-space" in ended.stderr
    assert not fine.requests
    assert ask("SELECT outcome FROM run") == [("disk",)]


def test_a_write_that_fails_ends_the_run_and_the_next_one_goes_on(fine, run, ask, root, tree, monkeypatch) -> None:
    replace, left = os.replace, [9]

    def full(source: object, target: object) -> None:
        if str(target).endswith(".jpg"):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        ended = run(fine, "--save-original-images", "--nodownload-metadata")
    assert ended.returncode == 5
    assert len(ended.stderr.splitlines()) == 2
    assert "could not be written: No space left on device\n  free some space; then run it again" in ended.stderr
    assert ask("SELECT outcome FROM run") == [("disk",)]
    assert {reason for (reason,) in ask("SELECT DISTINCT reason FROM attempt")} == {"disk"}
    assert ask("SELECT count(*) FROM download WHERE status = 'failed'") == [(0,)]
    recorded = {path for (path,) in ask("SELECT path FROM file")}
    assert len(recorded) <= 9
    assert not [path for path in tree(root) if ".oidl-part" in path]

    assert run(fine, "--save-original-images", "--nodownload-metadata").returncode == 0
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]
    assert ask("SELECT max(attempts) FROM download") == [(1,)]


@pytest.fixture
def asked_for_an_hour(fine, base_urls: list[str], tmp_path: Path) -> Path:
    """A list of the dataset's images, one of which lies on a host that wants to be left alone for an hour."""
    rows = [row for rows in fine.rows().values() for row in rows]
    alone = fine.images[0].image
    away = [row.replace(alone.original_url.encode(), f"{base_urls[2]}/busy_o.jpg".encode()) for row in rows]
    fine.site.answers["/busy_o.jpg"] = status_answer(429, retry_after="3600")
    path = tmp_path / "list.csv"
    header = (
        b"ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,"
        b"Author,Title,OriginalSize,OriginalMD5,Thumbnail300KURL\n"
    )
    path.write_bytes(header + b"".join(away))
    return path


def test_a_retry_after_of_an_hour_is_kept_for_a_later_run_and_the_rest_is_done(
    fine, run, ask, asked_for_an_hour: Path
) -> None:
    ended = run(fine, "--nodownload-metadata", "--images-csv", asked_for_an_hour)
    assert (ended.returncode, ended.stderr) == (3, "")
    assert "1 image will be retried, the first at " in ended.stdout
    assert ask("SELECT status, count(*) FROM download GROUP BY 1 ORDER BY 1") == [("done", 23), ("retry", 1)]
    ((image_id, reason, http_status, attempts, when),) = ask(
        "SELECT image_id, reason, http_status, attempts, next_attempt_at FROM download WHERE status = 'retry'"
    )
    assert (image_id, reason, http_status) == (fine.images[0].image.image_id, "rate_limited", 429)
    assert attempts == 0, "it never counts against the image"
    assert 3500 < (datetime.fromisoformat(when) - datetime.now(UTC)).total_seconds() < 3660
    asked = fine.site.requests["/busy_o.jpg"]
    assert asked == 1
    assert run(fine, "--nodownload-metadata", "--images-csv", asked_for_an_hour).returncode == 3
    assert fine.site.requests["/busy_o.jpg"] == asked, "its time has not come"


@pytest.mark.parametrize("connections", [1, 5])
def test_a_host_that_asks_for_an_hour_is_left_alone_and_does_not_hold_up_the_run(
    connections: int, fine, oidl, root: Path, ask
) -> None:
    """Five answers alike are enough; images that wait for that host are sent back, and nothing sleeps for an hour.

    When a host's fifth answer comes, all its other connections may be at requests that were made before.
    """
    for listed in fine.images:
        fine.site.answers[fine.path_of(listed)] = status_answer(429, retry_after="3600")
    process = oidl.process(
        "run",
        f"--root-dir={root}",
        f"--catalogue={fine.catalogue}",
        "--nodownload-metadata",
        f"--max-host-connections={connections}",
    )
    assert (process.returncode, process.stderr) == (3, "")
    asked = Counter(urlsplit(each.image.original_url).port for each in fine.images if fine.requests[fine.path_of(each)])
    assert len(asked) == 2
    assert max(asked.values()) <= 5 + (connections - 1)
    assert sum(fine.requests.values()) == sum(asked.values()), "none twice"
    assert ask("SELECT status, reason, count(*) FROM download GROUP BY 1, 2") == [
        ("retry", "rate_limited", len(fine.images))
    ]
    ((first,),) = ask("SELECT min(next_attempt_at) FROM download")
    assert (datetime.fromisoformat(first) - datetime.now(UTC)).total_seconds() > 3500


def test_a_retry_after_of_a_second_is_waited_for(fine, run, ask) -> None:
    path = fine.path_of(fine.images[0])
    fine.site.answers[path] = CannedResponse(fine.site.answers[path].body, first=(status_answer(503, retry_after="1"),))
    ended = run(fine, "--nodownload-metadata")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert fine.site.requests[path] == 2
    assert ask("SELECT reason FROM attempt") == [("rate_limited",)], "every failed try is a row"
    assert ask("SELECT DISTINCT attempts FROM download") == [(1,)], "it was not the image that failed"


def test_a_run_does_not_wait_longer_than_it_may(fine, run) -> None:
    for listed in fine.images[:3]:
        fine.site.answers[fine.path_of(listed)] = status_answer(503, retry_after="30")
    ended = run(fine, "--nodownload-metadata", "--max-wait=1")
    assert ended.returncode == 3
    assert "images will be retried" in ended.stdout


def test_the_summary_names_who_is_paused_and_the_way_out_and_throttled_requests_are_counted(
    fine, run, ask, root
) -> None:
    for listed in fine.images:
        fine.site.answers[fine.path_of(listed)] = status_answer(429, retry_after="3600")
    ended = run(fine, "--nodownload-metadata")
    assert ended.returncode == 3
    assert " is paused until " in ended.stdout
    assert f"run `oidl run --root-dir {root} --retry-now` to resume at once" in ended.stdout
    assert ask("SELECT throttled FROM run") == [(sum(fine.requests.values()),)]
