"""Which display a run gets on which stream, and that `oidl demo` passes its options on."""

import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
import trio.testing

from oidl.cli import displays
from oidl.cli.commands.demo import DemoOptions, demo
from oidl.cli.displays import DisplayOptions, choose_display
from oidl.cli.options.output import ProgressOptions
from oidl.errors import UsageError
from oidl.progress import terminal
from oidl.progress.console import Console
from oidl.progress.meter import Meter
from oidl.settings import Display


@pytest.fixture
def _capable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "why_not_capable", lambda stream: None)


@pytest.mark.usefixtures("_capable", "capfd")
def test_a_terminal_that_can_do_it_gets_a_full_screen() -> None:
    assert choose_display(Display.AUTO, log_to_stdout=False) is Display.FULL
    assert choose_display(Display.AUTO, log_to_stdout=True) is Display.FULL  # the log goes to a file


@pytest.mark.usefixtures("_capable")
def test_what_reads_a_pipe_may_write_to_the_same_terminal_so_a_full_screen_is_to_be_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = os.pipe()
    with os.fdopen(ends[0]), os.fdopen(ends[1], "w") as pipe, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", pipe)
        assert choose_display(Display.AUTO, log_to_stdout=True) is Display.LINE
        assert choose_display(Display.FULL, log_to_stdout=True) is Display.FULL


def test_elsewhere_a_full_screen_cannot_be_had_and_all_else_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "why_not_capable", lambda stream: "it runs in the background")
    assert choose_display(Display.AUTO, log_to_stdout=False) is Display.LINE
    with pytest.raises(UsageError, match="--progress full is not possible: it runs in the background"):
        choose_display(Display.FULL, log_to_stdout=False)
    for display in (Display.LINE, Display.JSON, Display.NONE):
        assert choose_display(display, log_to_stdout=False) is display


def test_a_process_in_the_background_is_no_place_for_a_full_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    with os.fdopen(master), os.fdopen(slave, "w", encoding="utf-8") as stream:
        monkeypatch.setenv("TERM", "xterm")
        assert terminal.why_not_capable(stream) is None  # it controls nobody here
        monkeypatch.setattr(os, "tcgetpgrp", lambda fd: os.getpgrp() + 1)
        assert terminal.why_not_capable(stream) == "it runs in the background"


def test_the_end_of_a_run_waits_two_seconds_for_a_reader_of_json_that_takes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_over = threading.Event()
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=lambda text: is_over.wait()))

    async def main() -> float:
        meter, console = Meter(trio.current_time), Console(None)
        async with displays.open_displays(DisplayOptions(Display.JSON), meter, console, lambda: None):
            await trio.sleep(3)
            began = trio.current_time()
        return trio.current_time() - began

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == pytest.approx(2)
    is_over.set()


def test_the_demo_runs_with_the_display_that_it_was_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ports: tuple[int, ...]
) -> None:
    started: list[list[str]] = []

    async def run_process(command: list[str], **_: object) -> SimpleNamespace:
        started.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(trio, "run_process", run_process)
    demo(DemoOptions(root_dir=tmp_path, images=3, port=ports[0]), ProgressOptions(progress=Display.LINE))
    assert "--progress=line" in started[0]
