"""The full screen as a user sees it: a real run on a pseudo-terminal, read by an emulator; and how it ends."""

import fcntl
import json
import os
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pyte
import pytest

from oidl.demo.site import CannedResponse
from oidl.model import Status

pytestmark = pytest.mark.slow

_PATIENCE_S = 30.0

# The terminal becomes the one that controls the process, as in a shell.
_PROGRAM = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from oidl.cli import main
sys.exit(main())
"""
_BROKEN = "import oidl.cli.running as it\nasync def broken(self, *_): raise ZeroDivisionError\nit.Run.run = broken\n"


class Window:
    """A terminal of 80 × 24 with a process in it; a thread reads all that is written, as an emulator does.

    With `is_stuck` it takes nothing until `start_reading`.
    """

    def __init__(
        self, arguments: list[str], cwd: Path, env: dict[str, str], program: str, *, is_stuck: bool = False
    ) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        if is_stuck:
            os.set_blocking(slave, False)
            with suppress(BlockingIOError):
                while True:
                    os.write(slave, b"x" * 1000)
            os.set_blocking(slave, True)
        self._slave = slave
        self.modes = termios.tcgetattr(slave)
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._end, self._ended = os.pipe()
        self.raw = b""
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, *arguments],
            cwd=cwd,
            env={"TERM": "xterm-256color", "LANG": "C.UTF-8", **env},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        if not is_stuck:
            self.start_reading()

    def start_reading(self) -> None:
        self._reader.start()

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._master, self._end], [], [])
            if self._master not in ready:
                return
            data = os.read(self._master, 65_536)
            with self._lock:
                self.raw += data
                self._stream.feed(data)

    @property
    def lines(self) -> list[str]:
        with self._lock:
            return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """All that is seen, blanks drawn together."""
        return re.sub(" +", " ", "\n".join(self.lines))

    def until(self, seen: Callable[[str], object]) -> str:
        """What is seen as soon as it is `seen`."""
        deadline = time.monotonic() + _PATIENCE_S
        while not seen(text := self.text):
            assert time.monotonic() < deadline, text
            time.sleep(0.01)
        return text

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def ask_to_end(self, how: str) -> None:
        """By `q`, `Ctrl-C` or `SIGTERM`."""
        if how == "SIGTERM":
            self.process.send_signal(signal.SIGTERM)
        else:
            self.press("q" if how == "q" else "\x03")

    def resize(self, columns: int, lines: int) -> None:
        with self._lock:
            self._screen.resize(lines, columns)
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def ended(self) -> int:
        """The exit code, when all that was written is read."""
        code = self.process.wait(_PATIENCE_S)
        deadline = time.monotonic() + 5
        while select.select([self._master], [], [], 0.05)[0] and time.monotonic() < deadline:
            time.sleep(0.01)
        return code

    @property
    def is_as_before(self) -> bool:
        """Whether the terminal was given back: its modes, the cursor, wrapping, and the screen that was there."""
        raw = self.raw
        return (
            termios.tcgetattr(self._slave) == self.modes
            and raw.count(b"\x1b[?1049h") == raw.count(b"\x1b[?1049l") > 0
            and all(raw.rindex(on) > raw.rindex(off) for on, off in _PAIRS)
        )

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.write(self._ended, b"x")
        if self._reader.is_alive():
            self._reader.join(_PATIENCE_S)
        for fd in (self._master, self._slave, self._end, self._ended):
            os.close(fd)


_PAIRS = ((b"\x1b[?1049l", b"\x1b[?1049h"), (b"\x1b[?25h", b"\x1b[?25l"), (b"\x1b[?7h", b"\x1b[?7l"))


@pytest.fixture
def window(oidl, root: Path) -> Iterator[Callable[..., Window]]:
    """`oidl run` on a dataset, in a window: `window(fine, "--limit=3")`."""
    windows: list[Window] = []

    def start(
        loopback, *arguments: str, env: dict[str, str] | None = None, program: str = "", is_stuck: bool = False
    ) -> Window:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OIDL_", "NO_COLOR"))}
        typed = ["run", f"--root-dir={root}", f"--catalogue={loopback.catalogue}", "--no-download-metadata"]
        environment |= env or {}
        windows.append(Window([*typed, *arguments], oidl.cwd, environment, program + _PROGRAM, is_stuck=is_stuck))
        return windows[-1]

    yield start
    for each in windows:
        each.close()


@pytest.fixture
def halfway(fine, window) -> Window:
    """A run whose first three images are done, on whose server all others wait behind a gate."""
    shown = window(fine, "--max-host-connections=3", "--limit=3")
    assert shown.ended() == 0
    fine.block_images()
    shown = window(fine, "--max-host-connections=3", "--limit=all")
    shown.until(lambda text: "downloads in progress: 6" in text)
    return shown


# ---- what is seen


def test_everything_that_people_ask_for_is_seen_on_80_by_24(halfway: Window, fine) -> None:
    row = re.compile(r"^[0-9a-f]{16} 127\.0\.0\.1:\d+ .* %", re.MULTILINE)
    seen = halfway.until(lambda text: "12.50 %" in text and len(row.findall(text)) == 6)
    assert re.search(r"12\.50 % 3 of 24", seen)  # overall, with per cent of the total
    assert "21 to go" in seen
    assert re.search(r"images .*[\d.]+ img/s", seen)
    assert re.search(r"network .*[\d.]+ MB/s", seen)
    assert re.search(r"disk .*[\d.]+ MB/s", seen)
    assert "resizes in progress: 0" in seen
    assert re.search(r"pace 127\.0\.0\.1:\d+: no rate limit, up to \d+ at once", seen)
    fine.gate.set()
    assert halfway.ended() == 0


def test_a_download_is_seen_with_its_percentage(mixed, window) -> None:
    shown = window(mixed, "--max-total-connections=2", "--stall-timeout=5", "--max-wait=0")
    shown.until(lambda text: re.search(r"^[0-9a-f]{16} .* [1-9]\d? % .* of [\d.]+ [kM]?B", text, re.MULTILINE))


def test_resizes_are_seen_while_they_go_on(fine, window) -> None:
    slow = (
        "import threading, oidl.node.process as it\nprocess = it.Processor.process\ngo = threading.Event()\n"
        "def slow(self, *given):\n    go.wait(1.0)\n    return process(self, *given)\nit.Processor.process = slow\n"
    )
    shown = window(fine, "--limit=6", program=slow)
    seen = shown.until(lambda text: re.search(r"resizes in progress: [1-9]", text) and "resizing" in text)
    assert re.search(r"^[0-9a-f]{16} resizing", seen, re.MULTILINE)


def test_keys_show_the_last_successes_the_last_failures_and_the_help(quick_dataset, served, window, ask) -> None:
    loopback = served(quick_dataset)
    fine_one = next(each for each in loopback.images if each.expected_status is Status.DONE)
    path = loopback.path_of(fine_one)
    body = loopback.site.answers[path].body
    assert isinstance(body, Path)

    def behind_the_gate() -> bytes:
        loopback.gate.wait(_PATIENCE_S)
        return body.read_bytes()

    loopback.site.answers[path] = CannedResponse(behind_the_gate)
    shown = window(loopback, "--confirm-after=0")
    shown.until(lambda text: " 1 to go" in text)

    shown.press("2")
    row = re.compile(r"\d\d:\d\d:\d\d ([0-9a-f]{16}) \S+ \d+×\d+ [\d.]+ k?B")
    seen = set(row.findall(shown.until(lambda text: row.search(text) and "1–9 of 20" in text)))
    for _ in range(2):
        shown.press("\x1b[6~")
    seen |= set(row.findall(shown.until(lambda text: "12–20 of 20" in text)))
    shown.press("k")
    seen |= set(row.findall(shown.until(lambda text: "11–19 of 20" in text)))
    shown.press("k")
    seen |= set(row.findall(shown.until(lambda text: "10–18 of 20" in text)))
    assert seen == {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")}

    shown.press("3")
    text = shown.until(lambda text: re.search(r"[0-9a-f]{16} \S+ not_found failed HTTP 404", text))
    row = re.compile(r"\d\d:\d\d:\d\d ([0-9a-f]{16})")
    seen = set(row.findall(text))
    shown.press("\x1b[6~")  # some were tried three times, which takes more rows than there are
    seen |= set(row.findall(shown.until(lambda now: row.search(now) and now != text)))
    assert seen == {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'failed'")}

    shown.press("?")
    shown.until(lambda text: "finish active transfers and end" in text)
    shown.press("?")
    shown.until(lambda text: "finish active transfers and end" not in text)
    loopback.gate.set()
    assert shown.ended() == 0


def test_it_grows_and_shrinks_with_the_window(halfway: Window) -> None:
    halfway.resize(120, 40)
    halfway.until(lambda _: "q quit" in halfway.lines[39])
    halfway.resize(60, 18)
    halfway.until(lambda _: "q quit" in halfway.lines[17])


def test_colours_are_left_out_where_they_are_not_wanted(fine, window) -> None:
    coloured, grey = window(fine, "--limit=1"), None
    coloured.ended()
    grey = window(fine, "--limit=1", env={"NO_COLOR": "1"})
    grey.ended()
    colour = re.compile(rb"\x1b\[(?:\d+;)*3[0-7]m")
    assert colour.search(coloured.raw)
    assert not colour.search(grey.raw)
    assert b"\x1b[?1049h" in grey.raw


# ---- how it ends


def test_after_a_run_the_terminal_is_as_before_and_has_the_summary_and_all_that_was_said(fine, window) -> None:
    shown = window(fine)
    assert shown.ended() == 0
    assert shown.is_as_before
    after = shown.raw[shown.raw.rindex(b"\x1b[?1049l") :].decode()
    assert "24 done, 0 failed, 0 left of 24 images" in after
    said = shown.raw.decode().split("\x1b[?1049l")
    assert any(part.startswith("24 images in the list") or "\n24 images in the list" in part for part in said[1:])


@pytest.mark.parametrize("how", ["q", "Ctrl-C", "SIGTERM"])
def test_asked_once_it_finishes_what_is_in_hand(how: str, halfway: Window, fine, ask) -> None:
    halfway.ask_to_end(how)
    halfway.until(lambda text: "finishing the transfers in progress" in text)
    fine.gate.set()
    assert halfway.ended() == 130
    assert halfway.is_as_before
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(9,)]
    assert "finishing the transfers in progress" in halfway.raw[halfway.raw.rindex(b"\x1b[?1049h") - 400 :].decode(
        errors="ignore"
    )


@pytest.mark.parametrize("how", ["q", "Ctrl-C", "SIGTERM"])
def test_asked_twice_it_ends_at_once_and_leaves_the_terminal_as_before(how: str, halfway: Window) -> None:
    for _ in range(2):
        halfway.ask_to_end(how)
        halfway.until(lambda text: "finishing the transfers in progress" in text)
    assert halfway.ended() == 130
    assert halfway.is_as_before


def test_an_exception_is_read_on_a_terminal_that_is_as_before(fine, window) -> None:
    shown = window(fine, program=_BROKEN)
    assert shown.ended() == 1
    assert shown.is_as_before
    after = shown.raw[shown.raw.rindex(b"\x1b[?1049l") :].decode()
    assert "ZeroDivisionError" in after
    assert "this is a bug in oidl" in after


def test_stopped_for_the_shell_it_gives_the_terminal_back_and_takes_it_again(halfway: Window, fine) -> None:
    halfway.process.send_signal(signal.SIGTSTP)
    pid, status = os.waitpid(halfway.process.pid, os.WUNTRACED)
    assert (pid, os.WIFSTOPPED(status)) == (halfway.process.pid, True)
    halfway.until(lambda _: halfway.is_as_before)
    halfway.process.send_signal(signal.SIGCONT)
    halfway.until(lambda _: halfway.raw.count(b"\x1b[?1049h") > halfway.raw.count(b"\x1b[?1049l"))
    fine.gate.set()
    assert halfway.ended() == 0
    assert halfway.is_as_before


def test_a_terminal_that_takes_nothing_holds_up_no_image(fine, window, ask, root: Path, wait_until) -> None:
    shown = window(fine, is_stuck=True)
    wait_until(lambda: (root / "oidl.sqlite3").exists())
    wait_until(lambda: _outcome(ask) == "finished")
    assert ask("SELECT count(*) FROM success") == [(24,)]
    shown.start_reading()
    assert shown.ended() == 0
    text = shown.raw.decode(errors="replace")  # what had no room is dropped, wherever that begins
    assert "24 done, 0 failed" in text
    assert "24 images in the list" in text


def _outcome(ask) -> str | None:
    try:
        return next((outcome for (outcome,) in ask("SELECT outcome FROM run")), None)
    except sqlite3.OperationalError:  # it is being made
        return None


# ---- where there can be none


@pytest.mark.parametrize(
    "env",
    [
        {"TERM": "dumb"},
        {"TERM": ""},
        {"PYTHONIOENCODING": "latin-1"},
        {"JPY_PARENT_PID": "1"},
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    ],
)
def test_a_terminal_that_cannot_do_it_gets_lines(env: dict[str, str], fine, window) -> None:
    shown = window(fine, "--limit=2", env=env)
    assert shown.ended() == 0
    assert b"\x1b[?1049h" not in shown.raw
    assert b"2 of 2 images are done" in shown.raw
    assert "PYTHONIOENCODING" in env or b"\x1b" not in shown.raw


@pytest.mark.parametrize("display", ["line", "none"])
def test_what_was_asked_for_is_what_comes(display: str, fine, window) -> None:
    shown = window(fine, "--limit=2", f"--progress={display}")
    assert shown.ended() == 0
    assert b"\x1b[?" not in shown.raw
    assert b"2 of 2 images are done" in shown.raw  # the summary


def test_a_log_on_the_same_terminal_and_a_full_screen_do_not_go_together(fine, window, run) -> None:
    shown = window(fine, "--limit=2", "--log-to-stdout")
    assert shown.ended() == 0
    assert b"\x1b[?1049h" not in shown.raw
    refused = run(fine, "--progress=full")
    assert refused.returncode == 2
    assert "--progress full is not possible: the output is not a terminal" in refused.stderr


# ---- for machines


def test_json_ends_with_the_numbers_of_the_database(mixed, run, ask) -> None:
    ended = run(mixed, "--progress=json", "--max-wait=30", "--max-host-connections=8", "--stall-timeout=5")
    assert ended.returncode == 0
    told = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [each["outcome"] for each in told] == [*[None] * (len(told) - 1), "finished"]
    last = told[-1]
    rows = ask("SELECT subset, status, count(*) FROM download GROUP BY subset, status")
    assert {(subset, status): n for subset, status, n in rows} == {
        (subset, status): n for subset, by in last["by_subset"].items() for status, n in by.items() if n
    }
    reasons = ask("SELECT reason, count(*) FROM failure GROUP BY reason")
    assert last["by_reason"] == dict(reasons) == last["run"]["by_reason"]
    assert last["total"] == len(mixed.images) == last["done"] + last["failed"]
    [(done, failed, size)] = ask("SELECT done, failed, bytes FROM run")
    assert (last["run"]["done"], last["run"]["failed"], last["run"]["bytes_read"]) == (done, failed, size)
    assert last["run"]["bytes_written"] == ask("SELECT sum(bytes) FROM file")[0][0]
    assert last["run"]["retried"] == ask("SELECT count(*) FROM attempt")[0][0] - last["failed"]
    had = [each["image_id"] for line in told for each in line["successes"]]
    assert sorted(had) == sorted(image_id for (image_id,) in ask("SELECT image_id FROM success"))
    missed = [(each["image_id"], each["reason"]) for line in told for each in line["failures"]]
    assert sorted(missed) == sorted(ask("SELECT image_id, reason FROM attempt"))


def test_the_last_json_of_a_run_and_of_its_database_agree(mixed, run, oidl, root: Path) -> None:
    options = ("--max-wait=30", "--max-host-connections=8", "--stall-timeout=5")
    run_json = json.loads(run(mixed, "--progress=json", *options).stderr.splitlines()[-1])
    database_json = json.loads(oidl("status", "--root-dir", root, "--json").stdout)
    of_both = run_json.keys() & database_json.keys()
    of_now = {"time", "elapsed_s", "images_per_s", "read_bytes_per_s", "eta_s", "run", "paces"}
    assert of_both - of_now == {
        *(
            "outcome",
            "total",
            "pending",
            "retry",
            "done",
            "failed",
            "settled_percent",
            "by_subset",
            "by_reason",
            "nodes",
        )
    }
    assert {name: run_json[name] for name in of_both - of_now} == {
        name: database_json[name] for name in of_both - of_now
    }
    assert database_json["elapsed_s"] == pytest.approx(run_json["elapsed_s"], abs=3)
    assert database_json["run"] is None
    assert {each["provider"] for each in run_json["paces"]} == {each["provider"] for each in database_json["paces"]}


def test_json_leaves_stderr_to_machines_and_tells_people_on_stdout(fine, run) -> None:
    ended = run(fine, "--progress=json", "--limit=2")
    assert all(isinstance(json.loads(line), dict) for line in ended.stderr.splitlines())
    assert "2 of 2 images are done" in ended.stdout


def test_json_of_a_run_that_could_not_begin_ends_with_an_error(fine, run) -> None:
    ended = run(fine, "--progress=json", "--where", "no_such_column = 1")
    assert ended.returncode == 2
    last, *rest = ended.stderr.splitlines()
    assert json.loads(last)["outcome"] == "error"
    assert rest[0].startswith("oidl: ")


def test_whoever_reads_no_more_json_does_not_end_the_run(fine, oidl, root: Path, ask) -> None:
    process = oidl.start("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", "--progress=json")
    process.stderr.close()
    assert "24 done, 0 failed" in process.stdout.read()
    assert process.wait(_PATIENCE_S) == 0
    assert ask("SELECT count(*) FROM success") == [(len(fine.images),)]


def test_metrics_end_with_the_numbers_of_the_database(mixed, run, ask, tmp_path: Path) -> None:
    file = tmp_path / "metrics" / "oidl.prom"
    options = ("--max-wait=30", "--max-host-connections=8", "--stall-timeout=5")
    assert run(mixed, f"--metrics-file={file}", *options).returncode == 0
    samples = dict(line.rsplit(" ", 1) for line in file.read_text("utf-8").splitlines() if not line.startswith("#"))
    for subset, status, count in ask("SELECT subset, status, count(*) FROM download GROUP BY subset, status"):
        assert samples[f'oidl_images{{subset="{subset}",status="{status}"}}'] == str(count)
    for reason, count in ask("SELECT reason, count(*) FROM failure GROUP BY reason"):
        assert samples[f'oidl_failures{{reason="{reason}",status="failed"}}'] == str(count)
    assert samples["oidl_read_bytes_total"] == str(ask("SELECT bytes FROM run")[0][0])
    assert samples["oidl_written_bytes_total"] == str(ask("SELECT sum(bytes) FROM file")[0][0])
    assert [path.name for path in file.parent.iterdir()] == ["oidl.prom"]


def test_metrics_that_cannot_be_written_are_said_before_anything_begins(fine, run, ask, tmp_path: Path) -> None:
    ended = run(fine, f"--metrics-file={tmp_path}")
    assert (ended.returncode, fine.requests.total()) == (2, 0)
    assert f"{tmp_path} is a directory" in ended.stderr
