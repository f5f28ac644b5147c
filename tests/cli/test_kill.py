"""`kill -9` at any instant costs repeated work, never a lie: the next run ends where an uninterrupted one does.

Half of the kills come from outside, at a moment that the server chooses. The
other half come from inside, right before or after the n-th file is moved into
place or the n-th transaction is committed, because that window is too small to hit.
"""

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from oidl.demo.listing import Demo
from oidl.demo.site import CannedResponse, ServerFault, Site
from oidl.model import Reason

pytestmark = pytest.mark.slow

_SUICIDE = """
import itertools, os, signal, sys

from oidl.cli import main
from oidl.state.connection import StateConnection

what, when, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
numbers = itertools.count(1)  # counts right in several threads at once

def about_to(really):
    is_last = next(numbers) == last
    if is_last and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = really()
    if is_last:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

if what == "move":
    replace = os.replace
    os.replace = lambda *names: about_to(lambda: replace(*names))
else:
    execute = StateConnection.execute

    def watched(db, sql, *values):
        really = lambda: execute(db, sql, *values)
        return about_to(really) if sql == "COMMIT" and db.in_transaction else really()

    StateConnection.execute = watched
sys.exit(main(sys.argv[4:]))
"""

_OPTIONS = ("--save-original-images", "--resize-box-size=64", "--max-wait=20")
_WITHOUT_ORIGINALS = _OPTIONS[1:]


class WatchedSite(Site):
    """A site that calls `at_request` before the answer to its n-th request for an image."""

    def __init__(self) -> None:
        super().__init__()
        self.images = 0
        self.at_request: dict[int, Callable[[], None]] = {}

    def answer(self, path: str, now: float) -> CannedResponse:
        if not path.endswith(".tar.gz"):
            self.images += 1
            self.at_request.pop(self.images, lambda: None)()
        return super().answer(path, now)


@dataclass(frozen=True, slots=True)
class EndState:
    """What a run comes to, without the times and the number of tries."""

    downloads: list[tuple[Any, ...]]
    files: list[tuple[Any, ...]]
    renditions: list[tuple[Any, ...]]
    tallies: list[tuple[Any, ...]]
    on_disk: dict[str, bytes]


@pytest.fixture
def quick(served, quick_dataset: Demo):
    return served(quick_dataset, WatchedSite())


@pytest.fixture
def end_state(ask, tree, root: Path) -> Callable[[], EndState]:
    def read() -> EndState:
        # A whole original that stood in place before its row said so is read from disk by the next run.
        columns = (
            "image_id, subset, status, next_attempt_at, reason, detail, http_status, bytes, md5, width, height, "
            "coalesce(url, original_url), iif(source = 'local', 'original', source)"
        )
        return EndState(
            ask(f"SELECT {columns} FROM download JOIN image USING (image_id, subset) ORDER BY image_id"),
            ask("SELECT image_id, rendition, path, bytes, width, height FROM file ORDER BY image_id, rendition"),
            ask("SELECT * FROM rendition ORDER BY name"),
            ask("SELECT subset, status, reason, images FROM status_count WHERE images > 0 ORDER BY 1, 2, 3"),
            {path: body for path, body in tree(root).items() if not path.startswith("oidl.sqlite3")},
        )

    return read


_uninterrupted: list[EndState] = []


@pytest.fixture
def expected(quick, run, end_state, root: Path) -> EndState:
    """What an uninterrupted run comes to; made once, in a root that is gone again."""
    if not _uninterrupted:
        assert run(quick, *_OPTIONS).returncode == 0
        _uninterrupted.append(end_state())
        shutil.rmtree(root)
        quick.site.requests.clear()
        quick.site.images = 0
    return _uninterrupted[0]


@pytest.fixture
def recorded(ask) -> Callable[[], set[str]]:
    """The ImageIDs that are done by the database, which may be there only in part yet."""

    def read() -> set[str]:
        try:
            return {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")}
        except sqlite3.OperationalError:
            return set()

    return read


@pytest.fixture
def ends_as_if_nothing_had_happened(quick, run, ask, recorded, end_state, expected, root: Path) -> Callable[[], None]:
    """Runs again after a kill, and compares."""

    def check() -> None:
        done_before = recorded()
        quick.gate.set()
        quick.site.requests.clear()
        quick.site.at_request.clear()
        for path, answer in quick.demo.site.answers.items():
            quick.site.answers[path] = answer
        ended = run(quick, *_OPTIONS)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert not [
            listed for listed in quick.images if listed.image.image_id in done_before and quick.requests_of(listed)
        ]
        assert ask("PRAGMA integrity_check") == [("ok",)]
        end = end_state()
        for part in EndState.__slots__:
            assert getattr(end, part) == getattr(expected, part), part
        assert ask("SELECT outcome FROM run WHERE outcome <> 'killed' OR outcome IS NULL") == [("finished",)]

    return check


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [1, 7, 13, 27])
def test_a_run_that_is_killed_at_the_nth_request(
    number: int, quick, oidl, root, expected, ends_as_if_nothing_had_happened
) -> None:
    process = oidl.start("run", f"--root-dir={root}", f"--catalogue={quick.catalogue}", *_OPTIONS)
    quick.site.at_request[number] = lambda: _kill(process.pid)
    assert oidl.end(process).returncode == -signal.SIGKILL
    ends_as_if_nothing_had_happened()


def test_a_run_that_is_killed_when_half_the_images_are_recorded(
    quick, oidl, root, recorded, expected, wait_until, ends_as_if_nothing_had_happened
) -> None:
    for listed in quick.images[-4:]:
        path = quick.path_of(listed)
        quick.site.answers[path] = replace(quick.site.answers[path], behaviour=ServerFault.STALL)
    process = oidl.start("run", f"--root-dir={root}", f"--catalogue={quick.catalogue}", *_OPTIONS)
    wait_until(lambda: (root / "oidl.sqlite3").exists() and len(recorded()) > 9)
    process.kill()
    assert oidl.end(process).returncode == -signal.SIGKILL
    ends_as_if_nothing_had_happened()


@pytest.mark.parametrize("archive", ["list_path", "annotations_path"])
def test_a_run_that_is_killed_while_an_archive_arrives(
    archive: str, quick, oidl, root, expected, wait_until, ends_as_if_nothing_had_happened
) -> None:
    path = getattr(quick, archive)
    quick.site.answers[path] = replace(quick.site.answers[path], behaviour=ServerFault.STALL, stops_at=0.7)
    process = oidl.start("run", f"--root-dir={root}", f"--catalogue={quick.catalogue}", "--limit=3", *_OPTIONS)
    part = root / f"{path.rpartition('/')[2]}.part"
    wait_until(part.exists)
    process.kill()
    assert oidl.end(process).returncode == -signal.SIGKILL
    ends_as_if_nothing_had_happened()


@pytest.mark.parametrize(
    ("what", "when", "number"),
    [
        ("move", "before", 2),
        ("move", "after", 9),
        ("move", "before", 33),
        ("commit", "before", 1),
        ("commit", "after", 1),
        ("commit", "before", 2),
        ("commit", "after", 2),
        ("commit", "before", 3),
        ("commit", "after", 6),
    ],
)
def test_a_run_that_is_killed_at_the_worst_of_moments(
    what: str, when: str, number: int, quick, oidl, root, expected, ends_as_if_nothing_had_happened
) -> None:
    arguments = (what, when, number, "run", f"--root-dir={root}", f"--catalogue={quick.catalogue}", *_OPTIONS)
    ended = oidl.process(*arguments, program=_SUICIDE)
    assert ended.returncode == -signal.SIGKILL, ended
    ends_as_if_nothing_had_happened()


def test_a_run_that_is_killed_again_and_again(quick, oidl, root, expected, ends_as_if_nothing_had_happened) -> None:
    for number in (1, 8, 21):
        arguments = ("run", f"--root-dir={root}", f"--catalogue={quick.catalogue}", *_OPTIONS)
        oidl.process("move", "before", number, *arguments, program=_SUICIDE)
    ends_as_if_nothing_had_happened()


@pytest.mark.parametrize(("what", "number"), [("move", 1), ("move", 12), ("commit", 9)])
def test_files_that_are_made_anew_are_never_told_of_as_they_were(
    what: str, number: int, quick, run, oidl, root, ask, end_state, expected
) -> None:
    assert run(quick, "--source=300k", "--resize-box-size=64").returncode == 0
    arguments = ("run", f"--root-dir={root}", f"--catalogue={quick.catalogue}", "--always-download", *_OPTIONS)
    assert oidl.process(what, "after", number, *arguments, program=_SUICIDE).returncode == -signal.SIGKILL
    for path, size in ask("SELECT path, bytes FROM file"):
        assert (root / path).stat().st_size == size, path
    # From the same source: an image that has lost its row to the kill may not be there at another one.
    assert run(quick, "--source=300k", *_OPTIONS).returncode == 0
    assert oidl("verify", f"--root-dir={root}").returncode == 0


def test_the_reasons_that_are_killed_here_are_several(quick) -> None:
    assert {listed.expected_reason for listed in quick.images} >= {
        None,
        Reason.UNAVAILABLE,
        Reason.NOT_FOUND,
        Reason.NOT_AN_IMAGE,
        Reason.CORRUPT,
    }
