"""A run's messages: a line that is rewritten on a terminal, lines and logs elsewhere."""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from oidl.progress.console import Console, log, open_console
from oidl.storage.output import open_log

CLEAR = "\r\x1b[K"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _fresh_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log as a new process has it, and each test leaves it so."""
    monkeypatch.setenv("TERM", "xterm")
    for name in ("JPY_PARENT_PID", "JPY_SESSION_NAME", "MPLBACKEND"):
        monkeypatch.delenv(name, raising=False)
    before = (log.level, log.propagate, list(log.handlers))
    yield
    assert (log.level, log.propagate, list(log.handlers)) == before


def lines_of(text: str) -> list[str]:
    """The messages of a log, without the time; each must have one."""
    found = []
    for line in text.splitlines():
        day, time, zone, level, message = line.split(" ", 4)
        assert (len(day), len(time), zone, level) == (10, 12, "UTC", "INFO")
        assert abs(datetime.now(UTC) - datetime.fromisoformat(f"{day} {time.replace(',', '.')}+00:00")).seconds < 600
        found.append(message)
    return found


# ---- the progress line


def test_on_a_terminal_the_line_takes_the_place_of_the_one_before() -> None:
    screen = Terminal()
    console = Console(screen)
    console.show("1 done")
    console.show("2 done")
    assert console.is_terminal
    assert screen.getvalue() == f"{CLEAR}1 done{CLEAR}2 done"


def test_what_is_said_does_not_stand_behind_a_line() -> None:
    screen = Terminal()
    console = Console(screen)
    console.show("1 done")
    console.say("waiting")
    console.say("again")
    assert screen.getvalue() == f"{CLEAR}1 done{CLEAR}waiting\nagain\n"


def test_the_line_is_taken_away_once() -> None:
    screen = Terminal()
    console = Console(screen)
    console.clear()
    console.show("1 done")
    console.clear()
    console.clear()
    assert screen.getvalue() == f"{CLEAR}1 done{CLEAR}"


def test_elsewhere_every_line_stays_and_has_no_control_characters() -> None:
    screen = io.StringIO()
    console = Console(screen)
    console.show("1 done")
    console.say("waiting")
    console.show("2 done")
    console.clear()
    assert not console.is_terminal
    assert screen.getvalue() == "1 done\nwaiting\n2 done\n"


def test_the_line_of_a_terminal_is_not_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "oidl"):
        Console(Terminal()).show("1 done")
        assert caplog.messages == []
        Console(io.StringIO()).show("2 done")
        Console(None).show("3 done")
        Console(None).say("waiting")
    assert caplog.messages == ["2 done", "3 done", "waiting"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TERM", "dumb"),
        ("TERM", ""),
        ("JPY_PARENT_PID", "12"),
        ("JPY_SESSION_NAME", "/a.ipynb"),
        ("MPLBACKEND", "module://matplotlib_inline.backend_inline"),
    ],
)
def test_a_dumb_terminal_and_a_notebook_are_not_rewritten(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    screen = Terminal()
    console = Console(screen)
    console.show("1 done")
    assert not console.is_terminal
    assert screen.getvalue() == "1 done\n"


def test_what_others_wrote_commands_no_terminal() -> None:
    screen = Terminal()
    Console(screen).say("a \x1b[2J title\nand \x9b31m\u202emore\x07")
    assert screen.getvalue() == "a �[2J title\nand �31m�more�\n"


# ---- while a full screen covers it


def test_what_is_said_under_a_full_screen_waits_and_comes_out_afterwards() -> None:
    screen = Terminal()
    console = Console(screen)
    with suppress(ZeroDivisionError), console.suspended() as waiting:
        console.say("one")
        console.say("two")
        assert (list(waiting), screen.getvalue()) == (["one", "two"], "")
        waiting.popleft()  # somebody has shown it
        raise ZeroDivisionError
    console.say("three")
    assert screen.getvalue() == "two\nthree\n"


def test_it_is_in_the_log_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "oidl"), Console(Terminal()).suspended():
        Console(Terminal()).say("one")
        assert caplog.messages == ["one"]


# ---- the logs


def test_without_a_terminal_all_is_in_the_log_on_stdout_and_there_only(capsys: pytest.CaptureFixture[str]) -> None:
    with open_console(None, log_to_stdout=True) as console:
        console.say("waiting")
        console.show("1 done")
        log.debug("of no interest")
    out, err = capsys.readouterr()
    assert (lines_of(out), err) == (["waiting", "1 done"], "")


def test_with_the_log_switched_off_it_is_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with open_console(None, log_to_stdout=False) as console:
        console.say("waiting")
    assert capsys.readouterr() == ("", "waiting\n")


@pytest.mark.parametrize("log_to_stdout", [True, False])
def test_where_stderr_is_for_machines_people_have_stdout(
    log_to_stdout: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_console(None, log_to_stdout=log_to_stdout, is_stderr_for_machines=True) as console:
        console.say("waiting")
    out, err = capsys.readouterr()
    assert (lines_of(out) if log_to_stdout else out.splitlines(), err) == (["waiting"], "")


def test_who_watches_sees_it_though_the_log_goes_to_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with open_console(None, log_to_stdout=True) as console:
        console.say("waiting")
        console.show("1 done")
    assert screen.getvalue() == f"waiting\n{CLEAR}1 done{CLEAR}"  # and the line is gone at the end
    assert lines_of(capsys.readouterr().out) == ["waiting"]


def test_a_log_file_has_it_too_and_is_added_to(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for word in ("first", "é 公園"):
        with open_console(open_log(tmp_path / "x.log"), log_to_stdout=False) as console:
            console.say(word)
    assert lines_of((tmp_path / "x.log").read_text("utf-8")) == ["first", "é 公園"]
    assert capsys.readouterr().err == "first\né 公園\n"


def test_nobody_elses_logging_says_it_a_second_time(caplog: pytest.LogCaptureFixture) -> None:
    with open_console(None, log_to_stdout=False) as console:
        console.say("waiting")
    assert caplog.messages == []


def test_afterwards_nothing_is_logged_any_more(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_console(open_log(tmp_path / "x.log"), log_to_stdout=True):
        raise ZeroDivisionError
    log.info("too late")
    assert capsys.readouterr().out == (tmp_path / "x.log").read_text() == ""


def test_what_others_wrote_commands_no_terminal_that_a_log_is_read_on(tmp_path: Path) -> None:
    with open_console(open_log(tmp_path / "x.log"), log_to_stdout=False):
        log.warning("failed: %s", "content type text/html\x1b]52;c;ZXZpbA==\x07\x1b[2J \x9b31m\u202e")
    assert (tmp_path / "x.log").read_text("utf-8").endswith("content type text/html�]52;c;ZXZpbA==��[2J �31m�\n")
