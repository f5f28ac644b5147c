"""The full screen in a real terminal: tmux keeps the cursor on the last column, where an emulator may not."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oidl.progress.layout import draw
from oidl.progress.meter import Meter
from oidl.progress.view import View

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("tmux"), reason="there is no tmux here")]

# What `oidl run` shows, of numbers that do not move, with a message longer than the screen is wide.
_PROGRAM = """
import sys, trio
from collections import deque
from oidl.progress.meter import Meter
from oidl.progress.screen import Screen
from oidl.progress.terminal import open_terminal

async def show():
    meter = Meter(lambda: 0.0)
    said = deque(["a" * 100 + "b" * 100])
    with open_terminal(sys.stderr) as terminal:
        await Screen(meter, terminal, said, lambda: None).run()

try:
    trio.run(show)
except* KeyboardInterrupt:
    pass
"""
_PATIENCE_S = 30.0


class Tmux:
    """A tmux server of the test's own, with one window."""

    def __init__(self, directory: Path) -> None:
        self._socket = str(directory / "tmux")

    def __call__(self, *arguments: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OIDL_")}
        environment |= {"LANG": "C.UTF-8", "TERM": "xterm-256color"}
        command = ["tmux", "-f", "/dev/null", "-S", self._socket, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout

    def start(self, columns: int, lines: int, *command: str) -> None:
        # A shell stays, so that what is left on the normal screen can be read.
        self("new-session", "-d", "-x", str(columns), "-y", str(lines), "sh")
        self("send-keys", " ".join(f"'{word}'" for word in command), "Enter")

    def until(self, seen: Callable[[str], object]) -> list[str]:
        """The lines of the window as soon as they are `seen`."""
        deadline = time.monotonic() + _PATIENCE_S
        while not seen(text := self("capture-pane", "-p", "-N")):
            assert time.monotonic() < deadline, text
            time.sleep(0.02)
        return text.splitlines()


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    server = Tmux(tmp_path)
    yield server
    server("kill-server")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "screen.py"
    path.write_text(_PROGRAM)
    return path


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (140, 45)])
def test_the_last_column_is_there(tmux: Tmux, program: Path, columns: int, lines: int) -> None:
    tmux.start(columns, lines, sys.executable, str(program))
    seen = tmux.until(lambda text: "q quit" in text and "no image list yet" in text)
    drawn = [
        "".join(span.text for span in line)
        for line in draw(Meter(lambda: 0.0).statistics(), View(), columns, lines).lines
    ]
    full = [number for number, text in enumerate(drawn) if len(text) == columns and text[-1] != " "]
    assert len(full) >= 6
    assert [seen[number].ljust(columns)[-1] for number in full] == [drawn[number][-1] for number in full]


def test_what_is_said_between_frames_is_wrapped_and_not_cut(tmux: Tmux, program: Path) -> None:
    tmux.start(80, 24, sys.executable, str(program))
    tmux.until(lambda text: "q quit" in text)
    tmux("send-keys", "C-c")
    seen = tmux.until(lambda text: "q quit" not in text and "aaa" in text)
    assert "a" * 100 + "b" * 100 in "".join(seen)


@pytest.mark.parametrize("name", ["HUP", "QUIT", "ABRT", "USR1", "USR2"])
def test_a_signal_that_ends_it_leaves_the_terminal_as_it_was(tmux: Tmux, program: Path, name: str) -> None:
    pid = program.with_suffix(".pid")
    program.write_text(f"import os\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\n{_PROGRAM}")
    tmux.start(80, 24, sys.executable, str(program))
    tmux.until(lambda text: "q quit" in text)
    subprocess.run(["kill", f"-{name}", pid.read_text()], check=True)
    tmux.until(lambda text: "q quit" not in text)
    assert tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{wrap_flag}").split() == ["0", "1", "1"]
    tmux("send-keys", "echo it died with $?", "Enter")
    tmux.until(lambda text: f"it died with {128 + signal.Signals['SIG' + name]}" in text)
