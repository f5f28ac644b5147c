"""Help: short with `-h`, complete with `--help`, and without repetition in both."""

import os
import pty
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
from typed import run_options

from oidl.cli.command_help import HELP, summary
from oidl.cli.options.run import OPTIONS
from oidl.cli.short_help import EXAMPLES, SHORT_HELP
from oidl.cli.short_help import OPTIONS as USED


def test_the_short_help_fits_on_a_screen_and_leads_to_the_long_one(oidl: Any) -> None:
    ended = oidl("run", "-h")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{SHORT_HELP}\n", "")
    lines = SHORT_HELP.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 90
    assert lines[-1] == "`oidl run --help` has all options, `oidl help` is the manual."


def test_the_short_help_has_ten_options_and_three_examples_that_the_program_takes() -> None:
    assert {option.split()[0].removeprefix("--") for option in USED} <= OPTIONS
    assert (len(USED), len(EXAMPLES)) == (10, 3)
    for example in EXAMPLES.values():
        run_options(shlex.split(example)[1:])


def test_the_short_help_is_there_whatever_else_is_typed_or_set(oidl: Any) -> None:
    (oidl.cwd / "oidl.toml").write_text("nonsense")
    ended = oidl("run", "--limit=3", "-h", env={"OIDL_LIMT": "1"})
    assert ended.stdout == f"{SHORT_HELP}\n"
    assert oidl("run", "-h", "--help").stdout == oidl("run", "--help").stdout != ended.stdout


@pytest.mark.parametrize("command", ["", "status", "export", "renditions remove"])
def test_other_help_is_short_as_it_is(command: str, oidl: Any) -> None:
    assert oidl(*command.split(), "-h").stdout == oidl(*command.split(), "--help").stdout


@pytest.mark.parametrize("command", ["", "run", "status", "export", "renditions remove", "annotations load"])
def test_how_variables_are_named_and_where_the_exit_codes_are_is_said_once(command: str, oidl: Any) -> None:
    said = " ".join(oidl(*command.split(), "--help").stdout.split())
    assert "env var" not in said
    assert said.count("OIDL_") == said.count("OIDL_ROOT_DIR") == 1
    assert said.count("`oidl help exit-codes` lists all of them") == 1


def test_the_demo_which_takes_nothing_from_the_environment_says_nothing_of_it(oidl: Any) -> None:
    assert "OIDL_" not in oidl("demo", "--help").stdout


@pytest.mark.parametrize(
    ("env", "has_colours", "has_codes"),
    [({}, True, True), ({"NO_COLOR": "1"}, False, True), ({"TERM": "dumb"}, False, False)],
)
def test_help_has_no_colours_where_they_are_not_wanted(
    env: dict[str, str], has_colours: bool, has_codes: bool, oidl: Any
) -> None:
    mine, its = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OIDL_", "NO_COLOR", "FORCE_"))}
    command = [sys.executable, "-m", "oidl", "status", "--help"]
    subprocess.run(command, stdout=its, env=clean | {"TERM": "xterm-256color"} | env, cwd=oidl.cwd, check=True)
    os.close(its)
    shown = b""
    with suppress(OSError):  # when all of it is read
        while piece := os.read(mine, 65_536):
            shown += piece
    os.close(mine)
    assert b"--watch" in shown
    assert bool(re.search(rb"\x1b\[(?:\d+;)*3[0-8]", shown)) is has_colours
    assert (b"\x1b" in shown) is has_codes


@pytest.mark.parametrize(
    ("command", "variable"), [("renditions remove", "OIDL_NAME"), ("annotations load", "OIDL_FILES")]
)
def test_what_is_no_option_is_only_typed(command: str, variable: str, oidl: Any) -> None:
    ended = oidl(*command.split(), env={variable: "images-resized"})
    assert ended.returncode == 2
    assert f"there is no variable {variable}\n" in ended.stderr


@pytest.mark.parametrize("command", [("--help",), ("run", "-h"), ("run", "--help"), ("status", "--help"), ("-V",)])
def test_help_does_not_wait_for_what_only_a_run_needs(command: tuple[str, ...]) -> None:
    heavy = "httpx", "numpy", "pyvips", "sqlite3", "trio"
    program = f"""
import sys
from contextlib import suppress
from oidl.cli import main
main({command!r})
print(*[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    slow = ended.stderr.split()
    assert slow == (["sqlite3"] if command[0] == "status" else [])


@pytest.mark.parametrize("command", HELP)
def test_the_help_of_a_command_has_its_whole_text_and_the_list_its_first_line(command: str, oidl: Any) -> None:
    shown = " ".join(oidl(*command.split(), "--help").stdout.split())
    assert " ".join(HELP[command].split()) in shown
    *above, name = command.split()
    listed = " ".join(oidl(*above, "--help").stdout.replace("│", " ").split())
    assert f" {name} {summary(command)} " in listed


def test_defaults_are_shown_as_they_are_typed_and_not_at_all_for_what_is_off(oidl: Any) -> None:
    shown = " ".join(oidl("run", "--help").stdout.replace("│", " ").split())
    assert "[default: on]" in shown
    assert "[default: 1G]" in shown
    assert not re.search(r"\[default: (True|False|None|\"\"|\d+\.0)\]", shown)
    assert "[default" not in oidl("web", "--help").stdout.partition("Paths")[0]
