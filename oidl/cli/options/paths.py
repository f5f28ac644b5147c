"""Where everything lives: the options of every command that reads or writes a root directory."""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import App, ArgumentCollection

from oidl.cli.options.groups import PATHS, in_section
from oidl.cli.options.types import absolute
from oidl.hints import note_root

STATE_DB = "oidl.sqlite3"


@dataclass(frozen=True, kw_only=True)
@in_section(PATHS)
class PathOptions:
    """Paths."""

    root_dir: Path = Path()
    """The directory for everything: images, annotations and the state database."""

    state_db: Path | None = None
    """The SQLite file that records the state of every image. Default: `<root-dir>/oidl.sqlite3`."""

    config: Path | None = None
    """A TOML file of options. Default: `oidl.toml` in the working directory, if there is one."""

    @property
    def database(self) -> Path:
        """The path of the state database."""
        return absolute(self.state_db or self.root_dir / STATE_DB)


def given_paths(arguments: ArgumentCollection) -> tuple[Path | None, Path | None]:
    """The root directory and the state database as flags, environment or file name them; None if none does."""
    given = {argument.name: argument for argument in arguments if argument.tokens}
    root_dir, state_db = (given[name].convert() if name in given else None for name in ("--root-dir", "--state-db"))
    return root_dir, state_db


def note_paths(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Lets messages name commands for this root. One of cyclopts' sources of values that adds none."""
    note_root(*given_paths(arguments))
