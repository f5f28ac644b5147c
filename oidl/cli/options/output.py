"""Options: how a run is shown, and what it writes about itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import OUTPUT, in_section
from oidl.cli.options.types import one_of
from oidl.settings import Display


@dataclass(frozen=True, kw_only=True)
@in_section(OUTPUT)
class ProgressOptions:
    """How a run is shown."""

    progress: Annotated[Display, one_of(Display)] = Display.AUTO
    """`full` (a screen), `line`, `json` (one object per second on stderr), `none`, or `auto`: `full` if possible."""

    web: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, show_default=False)] = None
    """Show the run on a web page, at `HOST:PORT`. Without a value: port 8640 of 127.0.0.1, or the next free one."""

    open: bool = False
    """Open the page in a browser."""


@dataclass(frozen=True, kw_only=True)
@in_section(OUTPUT)
class OutputOptions:
    """Output."""

    export_csv: bool = True
    """Write `images-success.csv` and `images-failure.csv` when the run ends."""

    metrics_file: Path | None = None
    """Write the numbers of the run to this file every 5 seconds, in the text format of Prometheus."""

    log_file: Path | None = None
    """Append the log of the run to this file."""

    log_to_stdout: bool | None = None
    """Print the log to stdout. Default: on if stdout is not a terminal."""
