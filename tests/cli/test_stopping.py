"""A second Ctrl-C ends the process within seconds, wherever it is stuck; the first one ends every other command."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pytest

from oidl.cli import app as app_module
from oidl.errors import StateError

pytestmark = pytest.mark.slow

_LIMIT_S = 15.0  # five, and as much again for a busy machine and for what is done after it

# What is stuck, before the program begins.
_DECODER = """
import sys, time
from oidl.cli import main
from oidl.node.process import Processor
def process(*args):
    print("stuck", file=sys.stderr, flush=True)
    time.sleep(1000)
Processor.process = process
sys.exit(main())
"""
_EVENT_LOOP = """
import sys, time
from oidl.cli import main
from oidl.pipeline.feed import Feed
async def run(*args):
    print("stuck", file=sys.stderr, flush=True)
    while True:
        time.sleep(0.05)
Feed.run = run
sys.exit(main())
"""
_EXPORT = """
import sys
from oidl.cli import main
from oidl.state import selection
check = selection.check_where
def check_where(*args):
    check(*args)
    print("stuck", file=sys.stderr, flush=True)
selection.check_where = check_where
sys.exit(main())
"""
_TABLES = "abcdefgh"
_LONG = (
    f"(SELECT 1 FROM {', '.join(f'image {name}' for name in _TABLES)} "
    f"WHERE {' + '.join(f'{name}.original_size' for name in _TABLES)} < 0)"
)


@pytest.fixture
def started(fine, oidl, root) -> Callable[..., subprocess.Popen[str]]:
    def start(program: str, command: str, *arguments: str) -> subprocess.Popen[str]:
        process = oidl.start(command, f"--root-dir={root}", *arguments, program=program)
        assert process.stderr is not None
        for line in process.stderr:
            if line == "stuck\n":
                return process
        raise AssertionError(process.wait())

    return start


def end(process: subprocess.Popen[str], *names: signal.Signals) -> float:
    """Seconds from the last of the signals to the end."""
    for name in names:
        process.send_signal(name)
        time.sleep(0.05)
    began = time.monotonic()
    process.wait(60)
    return time.monotonic() - began


@pytest.mark.parametrize("program", [_DECODER, _EVENT_LOOP], ids=["decoder", "event loop"])
def test_two_signals_end_a_run_that_is_stuck(program: str, started, fine, ask, run) -> None:
    process = started(program, "run", f"--catalogue={fine.catalogue}", "--nodownload-metadata")
    assert end(process, signal.SIGINT, signal.SIGINT) < _LIMIT_S
    assert process.returncode == 130
    if program == _DECODER:
        assert ask("SELECT outcome FROM run") == [("interrupted",)]
    assert run(fine, "--nodownload-metadata").returncode == 0
    assert ask("SELECT count(*) FROM download WHERE status <> 'done'") == [(0,)]


@pytest.mark.parametrize(
    ("command", "options"), [("run", ("--limit=0",)), ("run", ("--dry-run",)), ("export-csv", ()), ("export", ())]
)
def test_one_signal_ends_a_choice_that_takes_long(
    command: str, options: tuple[str, ...], started, fine, oidl, root
) -> None:
    catalogue = (f"--catalogue={fine.catalogue}", "--nodownload-metadata")
    assert oidl("run", f"--root-dir={root}", *catalogue, "--limit=0").returncode == 0
    process = started(_EXPORT, command, f"--where={_LONG}", *options, *(catalogue if command == "run" else ()))
    assert end(process, signal.SIGINT) < _LIMIT_S
    assert process.returncode == 130


# Says on a pipe when it is about to print.
_STOPPED = """
import os, sys
from oidl.cli import main
from oidl.{module} import {function} as words
import oidl.cli.commands.{command} as module
announced = int(sys.argv.pop())
def told(*args, **more):
    os.write(announced, b"now")
    return words(*args, **more)
module.{function} = told
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("command", "module", "function"),
    [
        ("verify", "report.verify", "finding_line"),
        ("verify", "report.verify", "verify_text"),
        ("status", "report.status", "status_text"),
    ],
)
def test_one_signal_ends_a_command_whose_terminal_was_stopped(
    command: str, module: str, function: str, fine, run, oidl, root
) -> None:
    """As Ctrl-S does."""
    assert run(fine, "--nodownload-metadata", "--limit=2").returncode == 0
    if function == "finding_line":
        next(root.rglob("*.jpg")).unlink()
    mine, its = pty.openpty()
    heard, announced = os.pipe()
    termios.tcflow(its, termios.TCOOFF)
    program = _STOPPED.format(command=command, module=module, function=function)
    process = subprocess.Popen(
        [sys.executable, "-c", program, command, f"--root-dir={root}", str(announced)],
        cwd=oidl.cwd,
        stdin=its,
        stdout=its,
        stderr=its,
        pass_fds=[announced],
    )
    try:
        os.close(its)
        os.close(announced)
        assert select.select([heard], [], [], 30)[0]
        assert end(process, signal.SIGINT) < _LIMIT_S
        assert process.returncode == 130
    finally:
        process.kill()
        process.wait()
        os.close(mine)
        os.close(heard)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (BaseExceptionGroup("nursery", [BaseExceptionGroup("inner", [KeyboardInterrupt()])]), 130),
        (ExceptionGroup("nursery", [StateError("locked")]), 6),
        (BaseExceptionGroup("nursery", [KeyboardInterrupt(), ValueError()]), 1),
    ],
    ids=["plain", "in groups", "an error with an exit code", "with a bug"],
)
def test_an_interrupt_is_one_wherever_it_comes_from(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class App:
        def __call__(self, *_: object, **__: object) -> None:
            raise error

    monkeypatch.setattr(app_module, "app", App())
    assert app_module.main([]) == code
