"""Before the first byte: what a run announces, when it asks, and what remains if it is refused."""

import math
import os
import re
import select
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oidl.demo.site import ServerFault, status_answer
from oidl.progress.format import size

_AGAIN_S = 10  # a busy machine needs seconds to end a process, which a second Ctrl-C would cut short
_PATIENCE_S = 30.0
_PROGRAM = """
import fcntl, sys, termios
from pathlib import Path
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
import oidl.dataset.catalogue as it
it.BUILT_IN = Path({catalogue!r})
from oidl.cli import main
sys.exit(main())
"""


class Terminal:
    """`oidl` on a terminal that is its own, in `cwd`, with `catalogue` as the built-in one."""

    def __init__(self, catalogue: Path, cwd: Path) -> None:
        self._catalogue = str(catalogue)
        self._cwd = cwd

    def __call__(self, *arguments: str, answer: bytes | None = None, stdout: Any = None) -> tuple[int, str]:
        """The exit code and all that was shown; `answer` is typed once there is a question."""
        master, slave = os.openpty()
        program = _PROGRAM.format(catalogue=self._catalogue)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OIDL_")}
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, *arguments],
            cwd=self._cwd,
            env=environment,
            stdin=slave,
            stdout=stdout or slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        shown = b""
        deadline, again_at = time.monotonic() + _PATIENCE_S, math.inf
        try:
            while time.monotonic() < deadline:
                if not select.select([master], [], [], 0.1)[0]:
                    if time.monotonic() > again_at:  # Python loses a Ctrl-C that arrives just before it reads
                        os.write(master, b"\x03")
                        again_at = math.inf
                    continue
                try:
                    data = os.read(master, 65_536)
                except OSError:  # EIO: all have closed it
                    break
                if not data:
                    break
                shown += data
                if answer is not None and b"[y/N] " in shown:
                    os.write(master, answer)
                    again_at = time.monotonic() + _AGAIN_S if answer == b"\x03" else math.inf
                    answer = None
            return process.wait(_PATIENCE_S), shown.decode().replace("\r\n", "\n")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            os.close(master)


@pytest.fixture
def terminal(annotated: Any, oidl: Any) -> Terminal:
    return Terminal(annotated.catalogue, oidl.cwd)


@pytest.mark.parametrize("answer", [b"\n", b"n\n", b"what?\n", b"\x04", b"\x03"], ids=["enter", "n", "?", "^D", "^C"])
def test_a_bare_run_asks_and_without_a_yes_leaves_nothing(
    answer: bytes, terminal: Terminal, annotated: Any, oidl: Any
) -> None:
    code, shown = terminal("run", answer=answer)
    assert code == 130
    assert f"{len(annotated.images)} images to fetch, about " in shown
    assert "Continue? [y/N]" in shown
    assert list(oidl.cwd.iterdir()) == []
    assert not annotated.site.requests
    assert ("nothing was downloaded, and nothing was written" in shown) is (answer != b"\x03")


def test_a_yes_goes_on_and_the_next_run_has_a_plan_and_asks_no_more(
    terminal: Terminal, annotated: Any, oidl: Any
) -> None:
    code, shown = terminal("run", "--progress=line", answer=b"Y\n")
    assert code == 0
    assert shown.count("images to fetch") == 1, "it is not said twice"
    assert f"{len(annotated.images)} done" in shown
    code, shown = terminal("run", "--progress=line")
    assert (code, "[y/N]" in shown) == (0, False)


@pytest.mark.parametrize(
    "options",
    [
        ("--yes",),
        ("--subset=test",),
        ("--root-dir=.",),
        ("--resize-box-size=224",),
        ("--limit=0",),
        ("--config=of-what.toml",),
    ],
)
def test_who_says_what_or_where_or_yes_is_not_asked(options: tuple[str, ...], terminal: Terminal, oidl: Any) -> None:
    (oidl.cwd / "of-what.toml").write_text('subset = ["test"]\n')
    code, shown = terminal("run", "--progress=line", *options)
    assert (code, "[y/N]" in shown) == (0, False)
    assert "images to fetch" in shown


def test_what_says_nothing_of_what_or_where_still_asks(terminal: Terminal, annotated: Any, oidl: Any) -> None:
    (oidl.cwd / "oidl.toml").write_text("max-retries = 3\n")
    catalogue = f"--catalogue={annotated.catalogue}"
    for options in ((), ("--retry-failed",), ("--new-plan", "--progress=line"), (catalogue,)):
        code, shown = terminal("run", *options, answer=b"n\n")
        assert (code, "[y/N]" in shown) == (130, True)
    (oidl.cwd / "oidl.toml").write_text('subset = ["test"]\n')
    assert terminal("run", "--progress=line")[0] == 0


def test_a_cell_of_a_notebook_which_takes_no_answer_is_not_asked(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    code, shown = terminal("run", "--progress=line")
    assert (code, "[y/N]" in shown) == (0, False)


def test_where_stdout_is_no_terminal_nobody_is_asked(terminal: Terminal, oidl: Any) -> None:
    with open(oidl.cwd / "log", "wb") as log:
        code, _ = terminal("run", stdout=log)
    assert code == 0
    assert "[y/N]" not in (oidl.cwd / "log").read_text()


def _first_lines(text: str) -> list[str]:
    """The three lines that a run begins with, without the times of the log."""
    lines = [re.sub(r"^\S+ \S+ UTC INFO ", "", line) for line in text.splitlines()]
    first = next(number for number, line in enumerate(lines) if "to fetch" in line)
    return lines[first : first + 3]


def test_a_first_run_says_in_three_lines_what_it_will_do(annotated: Any, run: Any) -> None:
    ended = run(annotated)
    images, annotations, costs = _first_lines(ended.stdout)
    sizes = [listed.image.original_size for listed in annotated.images]
    assert re.fullmatch(rf"60 images to fetch, about {size(sum(sizes))}; their lists \S+ kB", images)
    assert annotations.startswith("annotations to fetch: ")
    assert annotations.endswith(" in all")
    assert re.fullmatch(
        r"on disk about \S+ [kM]B of \S+ [GT]B available at \S+; "
        r"takes about \d+ s at 20\.0 MB/s and at most 40 images/s, which is a guess",
        costs,
    )
    assert "to fetch" not in run(annotated).stdout, "a second run has the same plan"
    changed = run(annotated, "--resize-box-size=64")
    assert "; changed: --resize-box-size 64" in changed.stdout
    assert f"{len(annotated.images)} images to fetch, about " in changed.stdout
    assert re.search(r"takes about \d+ s at the pace of the last run, \d+\.\d images/s", changed.stdout)


def test_from_originals_on_disk_nothing_is_fetched_and_that_is_said(fine: Any, run: Any) -> None:
    run(fine, "--save-original-images", "--nodownload-metadata")
    fine.site.requests.clear()
    ended = run(fine, "--save-original-images", "--nodownload-metadata", "--resize-box-size=64")
    assert f"0 images to fetch, {len(fine.images)} images to make from originals on disk\n" in ended.stdout
    assert not fine.requests


def test_a_dry_run_in_an_empty_directory_is_of_the_catalogue(annotated: Any, oidl: Any, run: Any, root: Path) -> None:
    ended = run(annotated, "--dry-run")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"{len(annotated.images)} images to fetch, about ")
    assert not root.exists()
    assert list(oidl.cwd.iterdir()) == []
    assert not annotated.site.requests
    assert [line.split()[0] for line in ended.stdout.splitlines()[-4:]] == ["subset", "train", "validation", "test"]


def test_a_dry_run_of_a_choice_in_an_empty_directory_is_at_most(annotated: Any, run: Any) -> None:
    ended = run(annotated, "--dry-run", "--classes=Cat", "--label-types=labels")
    assert ended.stdout.startswith(f"at most {len(annotated.images)} images to fetch, about ")
    assert "annotations to fetch: labels " in ended.stdout
    limited = run(annotated, "--dry-run", "--classes=Cat", "--label-types=labels", "--limit=3")
    assert limited.stdout.startswith(f"at most 3 of {len(annotated.images)} images to fetch (--limit), about ")


def test_a_dry_run_refuses_a_list_that_is_not_there(oidl: Any) -> None:
    ended = oidl("run", "--dry-run", "--images-csv=none.csv")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there is no image list" in ended.stderr


@pytest.mark.parametrize("version", ["1", "2", "3", "4", "5", "6", "7"])
def test_a_dry_run_of_every_version_needs_no_network(version: str, oidl: Any, monkeypatch: Any) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a request")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    ended = oidl("run", "--dry-run", "--dataset-version", version)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("9,178,27")
    assert ", about 18.4 TB; their list" in ended.stdout
    assert "too much" in ended.stdout or " available at " in ended.stdout
    assert list(oidl.cwd.iterdir()) == []


def test_loading_the_lists_alone_fetches_no_image(fine: Any, run: Any) -> None:
    ended = run(fine, "--limit=0")
    assert ended.returncode == 0
    assert _first_lines(ended.stdout)[0].startswith("0 images to fetch; their list ")
    assert not fine.requests


@pytest.fixture
def nowhere() -> dict[str, str]:
    """An environment in which nothing is to be had: every request goes to a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return {"https_proxy": f"http://127.0.0.1:{port}", "http_proxy": f"http://127.0.0.1:{port}", "no_proxy": ""}


def test_without_a_network_a_new_root_is_left_as_it_was(nowhere: dict[str, str], oidl: Any, root: Path) -> None:
    began = time.monotonic()
    ended = oidl("run", "--root-dir", root / "deep", "--subset", "validation", env=nowhere)
    assert time.monotonic() - began < 10
    assert ended.returncode == 4
    assert "could not be fetched" in ended.stderr
    assert "there was no answer; check the network and the address, then run the same command again" in ended.stderr
    assert "kept" not in ended.stderr
    assert not root.exists()


def test_what_has_arrived_is_kept_and_so_are_the_root_and_its_plan(fine: Any, run: Any, oidl: Any, root: Path) -> None:
    whole = fine.site.answers[fine.list_path]
    cut = replace(whole, behaviour=ServerFault.CUT, resumable=True)
    fine.site.answers[fine.list_path] = replace(status_answer(503, retry_after="999"), first=(cut,))
    ended = run(fine, "--subset=test")
    assert ended.returncode == 4
    assert "run the same command again to resume; the bytes that have arrived are kept" in ended.stderr
    assert oidl("plan", "--root-dir", root).stdout.endswith("--subset test\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--images-csv=there-is-none.csv"),
        ("run", "--image-ids=there-is-none.txt"),
        ("run", "--where=no_such_column = 1"),
        ("annotations", "load", "--image-list=boxable", "--dataset-version=2"),
    ],
)
def test_a_command_that_cannot_be_done_leaves_no_database(arguments: tuple[str, ...], oidl: Any, root: Path) -> None:
    ended = oidl(*arguments, "--root-dir", root)
    assert ended.returncode == 2
    assert not root.exists()


def test_a_root_that_is_there_already_stays(nowhere: dict[str, str], oidl: Any, root: Path) -> None:
    root.mkdir()
    (root / "mine").write_text("")
    assert oidl("run", "--root-dir", root, "--subset", "validation", env=nowhere).returncode == 4
    assert [path.name for path in root.iterdir()] == ["mine"]


def test_a_run_that_a_limit_stops_keeps_its_plan(fine: Any, run: Any, oidl: Any, root: Path) -> None:
    assert run(fine, "--subset=test", "--max-duration=0s").returncode == 3
    assert oidl("plan", "--root-dir", root).stdout.endswith("--subset test\n")


def test_a_list_that_nobody_has_leaves_nothing(fine: Any, run: Any, root: Path) -> None:
    fine.site.answers[fine.list_path] = status_answer(404)
    assert run(fine).returncode == 4
    assert not root.exists()


def test_with_nothing_to_do_a_full_disk_is_no_matter(fine: Any, run: Any) -> None:
    assert run(fine).returncode == 0
    ended = run(fine, "--min-free=900T")
    assert (ended.returncode, ended.stderr) == (0, "")
    ended = run(fine, "--min-free=900T", "--resize-box-size=64")
    assert ended.returncode == 5
    assert "--min-free" in ended.stderr


def test_a_choice_that_is_complete_has_nothing_left(fine: Any, run: Any, oidl: Any, root: Path) -> None:
    selected = oidl.cwd / "ids.txt"
    ids = [listed.image.image_id for listed in fine.images[:5]]
    selected.write_text("".join(f"{each}\n" for each in ids))
    ended = run(fine, "--image-ids=ids.txt", "--nodownload-metadata")
    assert "5 of 5 chosen images are done; " in ended.stdout
    assert " left" not in ended.stdout
    shown = oidl("status", "--root-dir", root).stdout
    assert shown.startswith("5 of 5 chosen images are done.\n")
    assert " left" not in shown
    again = run(fine, "--image-ids=ids.txt", "--nodownload-metadata")
    assert "5 of 5 chosen images are done; 0 B downloaded in this run" in again.stdout


def test_hints_are_about_the_root_at_hand(fine: Any, run: Any, oidl: Any, root: Path) -> None:
    absent = oidl("status", "--root-dir", root)
    assert f"start with `oidl run --root-dir {root}`" in absent.stderr
    elsewhere = oidl("status", env={"OIDL_STATE_DB": str(root)})
    assert f"start with `oidl run --state-db {root}`" in elsewhere.stderr
    run(fine, "--limit=0", "--nodownload-metadata")
    without = oidl("export", "--root-dir", root)
    assert f"run `oidl run --root-dir {root}` to download them" in without.stderr
