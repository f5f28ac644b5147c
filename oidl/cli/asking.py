"""The question before a run without options or plan, which would download everything to the working directory."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from oidl.cli.dry_run import opened_or_empty
from oidl.dataset.published import Version
from oidl.errors import StateError, StoppedError
from oidl.hints import command, command_line
from oidl.pipeline.forecast import make_forecast
from oidl.progress.repaint import is_in_notebook
from oidl.report.forecast import forecast_lines
from oidl.settings import Settings
from oidl.text import printable


def ask_first(settings: Settings, version: Version) -> bool:
    """Says what the run will do, and asks if it should go on; returns False if there is no terminal to ask on.

    Raises `StoppedError` if the answer is not yes, and as `make_forecast` does.
    """
    if is_in_notebook() or not (
        _is_terminal(sys.stdin) and _is_terminal(sys.stdout)
    ):  # a notebook cell takes no answer
        return False
    lines: list[str] = []
    # The run itself updates or refuses a database with another schema.
    with suppress(StateError), opened_or_empty(settings) as db:
        lines = forecast_lines(make_forecast(db, settings, version))
    print(printable("\n".join([f"This will download all of {version.title} to {settings.root_dir}:", *lines])))
    print("Continue? [y/N] ", end="", flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):  # Ctrl-D
        print()
    if answer.strip().lower() not in ("y", "yes"):
        example = command_line("run", "--subset validation --limit 100", root_dir=Path("openimages"))
        raise StoppedError(
            "nothing was downloaded, and nothing was written",
            hint=f"choose what to download and where, as in `{example}`; {command('run', '--help')} lists all options",
        )
    return True


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
