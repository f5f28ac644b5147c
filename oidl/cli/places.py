"""Where everything lives: the options of every command."""

from dataclasses import dataclass
from pathlib import Path

from oidl.cli.sections import PLACES, in_section
from oidl.cli.typed import absolute

STATE_DB = "oidl.sqlite3"


@dataclass(frozen=True, kw_only=True)
@in_section(PLACES)
class PlaceOptions:
    """Where everything lives."""

    root_dir: Path = Path()
    """Where everything lives."""

    state_db: Path | None = None
    """The state database; `<root-dir>/oidl.sqlite3` if not given."""

    config: Path | None = None
    """A TOML file of options; `oidl.toml` in the working directory if not given."""

    @property
    def database(self) -> Path:
        """The path of the state database."""
        return absolute(self.state_db or self.root_dir / STATE_DB)
