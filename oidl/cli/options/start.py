"""Options: what is settled before a run begins."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.groups import LIMITS, PATHS, in_section


@dataclass(frozen=True, kw_only=True)
@in_section(LIMITS)
class StartOptions:
    """Start."""

    new_plan: Annotated[bool, Parameter(negative=(), group=PATHS)] = False
    """Start from the defaults, not from the options of the last run in this root directory."""

    dry_run: bool = False
    """Show what would be fetched, how many bytes and how long it may take, and change nothing."""

    yes: Annotated[bool, Parameter(negative=())] = False
    """Do not ask before downloading all of Open Images, as `oidl run` without options does on a terminal."""
