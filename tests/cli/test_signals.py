"""Ctrl-C once lets the transfers in progress finish, twice stops at once; SIGTERM does the same."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from oidl.demo.site import ServerFault, status_answer

_CONNECTIONS = 6
_AT_ONCE_S = 10.0  # on a busy machine; what is not interrupted takes 20 s and more

# SQLite is at one statement for minutes, and Ctrl-C comes meanwhile.
_LONG_LOAD = """
import os, signal, sys
from oidl.cli import main
from oidl.pipeline import annotations, image_lists
def load(db, *rest):
    os.kill(os.getpid(), signal.SIGINT)
    numbers = "WITH RECURSIVE n (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n LIMIT 1000000000)"
    db.execute(f"{numbers} SELECT max(x) FROM n")
    os._exit(99)
if "annotations" in sys.argv:
    annotations.load_file = load
else:
    image_lists.load_list = load
sys.exit(main(sys.argv[1:]))
"""

# Ctrl-C comes while a module is looked for.
_EARLY = """
import os, signal, sys
class Finder:
    def find_spec(self, name, *rest):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from oidl.cli import main
sys.exit(main())
"""


@pytest.fixture
def stuck(fine, oidl, root: Path, wait_until) -> Iterator[subprocess.Popen[str]]:
    """A run whose transfers in progress all wait for an answer."""
    fine.block_images()
    process = oidl.start(
        "run",
        f"--root-dir={root}",
        f"--catalogue={fine.catalogue}",
        "--max-host-connections=3",
        f"--log-file={root.parent}/log",
        "--nodownload-metadata",
    )
    wait_until(lambda: sum(fine.requests.values()) == _CONNECTIONS)
    return process


@pytest.fixture
def has_said(root: Path) -> Callable[[str], bool]:
    return lambda text: text in (root.parent / "log").read_text("utf-8")


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_finishes_what_is_in_hand_and_starts_nothing(
    name: signal.Signals, stuck, fine, oidl, run, ask, wait_until, has_said, exported_as_published
) -> None:
    stuck.send_signal(name)
    wait_until(lambda: has_said("finishing the transfers in progress; press Ctrl-C again to stop at once"))
    fine.gate.set()
    ended = oidl.end(stuck)
    assert (ended.returncode, ended.stderr) == (130, "")
    assert sum(fine.requests.values()) == _CONNECTIONS
    in_hand = {fine.path_of(listed) for listed in fine.images} & fine.requests.keys()
    done = ask("SELECT url FROM download WHERE status = 'done'")
    assert {"/" + url.split("/", 3)[3] for (url,) in done} == in_hand
    assert ask("SELECT count(*) FROM download WHERE status = 'pending'") == [(len(fine.images) - _CONNECTIONS,)]
    assert ask("SELECT outcome FROM run") == [("interrupted",)]
    assert "not finished: run it again to resume" in ended.stdout

    assert run(fine).returncode == 0
    assert fine.requests == {fine.path_of(listed): 1 for listed in fine.images}
    exported_as_published(fine)


@pytest.mark.parametrize("names", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)])
def test_the_second_signal_stops_at_once_even_when_the_server_says_nothing(
    names: tuple[signal.Signals, signal.Signals], stuck, fine, oidl, run, ask, root, wait_until, has_said
) -> None:
    stuck.send_signal(names[0])
    wait_until(lambda: has_said("finishing the transfers in progress"))
    assert stuck.poll() is None
    stuck.send_signal(names[1])
    began = time.monotonic()
    ended = oidl.end(stuck)
    assert time.monotonic() - began < _AT_ONCE_S
    assert (ended.returncode, ended.stderr) == (130, "")
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("pending", len(fine.images))]
    assert ask("SELECT outcome FROM run") == [("interrupted",)]
    assert not list(root.rglob("*.oidl-part*"))

    fine.gate.set()
    assert run(fine).returncode == 0
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]


@pytest.mark.parametrize("archive", ["list_path", "annotations_path"])
def test_a_signal_while_an_archive_arrives_ends_the_run_and_the_next_goes_on(
    archive: str, fine, oidl, root, run, ask, wait_until
) -> None:
    path = getattr(fine, archive)
    whole = fine.site.answers[path]
    fine.site.answers[path] = replace(whole, behaviour=ServerFault.STALL, first=())
    process = oidl.start("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}")
    part = root / f"{path.rpartition('/')[2]}.part"
    wait_until(lambda: part.exists() and fine.site.requests[path])
    process.send_signal(signal.SIGINT)
    ended = oidl.end(process)
    assert (ended.returncode, ended.stderr) == (130, "")
    assert not (root / ".oidl-unpacking").exists()

    fine.site.answers[path] = whole
    assert run(fine).returncode == 0
    assert not part.exists()
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]


def test_a_signal_while_the_run_waits_for_retries_ends_the_wait(fine, oidl, root, ask, wait_until) -> None:
    for listed in fine.images:
        fine.site.answers[fine.path_of(listed)] = status_answer(503, retry_after="20")
    process = oidl.start(
        "run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", "--nodownload-metadata", "--limit=1"
    )
    wait_until(lambda: sum(fine.requests.values()) == 1)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    ended = oidl.end(process)
    assert time.monotonic() - began < _AT_ONCE_S
    assert (ended.returncode, ended.stderr) == (130, "")
    assert ask("SELECT sum(attempts) FROM download") == [(0,)], "it is not the image's fault"
    assert ask("SELECT learned_rate, paused_until FROM pace") == [(None, None)], "one answer is no limit"


def test_one_ends_the_load_of_a_list_or_of_annotations_at_once(fine, oidl, root: Path) -> None:
    options = (f"--root-dir={root}", f"--catalogue={fine.catalogue}")
    assert oidl.process("run", "--limit=0", *options, program=_LONG_LOAD).returncode == 130
    assert oidl("run", "--limit=0", *options).returncode == 0
    assert oidl.process("annotations", "load", *options, program=_LONG_LOAD).returncode == 130


@pytest.mark.parametrize("module", ["cyclopts", "oidl.cli.commands.status"])
def test_one_while_the_program_is_still_imported_is_answered_in_one_line(module: str, tmp_path: Path) -> None:
    program = _EARLY.format(module=module)
    ended = subprocess.run([sys.executable, "-c", program, "status"], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "oidl: interrupted\n")
