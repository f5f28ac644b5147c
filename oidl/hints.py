"""Commands in messages, as they must be typed for the current root; and how to install what is missing.

Code that raises an error or prints a closing line knows what to do next, but not the options by which the user gave
the root. `cli` notes these once, and every command in a message is written here, so that a command copied from a
message is about the same root.
"""

import shlex
from contextvars import ContextVar
from pathlib import Path

_HAVE_NO_ROOT = frozenset({"catalogue", "demo"})

_root: ContextVar[tuple[Path | None, Path | None]] = ContextVar("root", default=(None, None))


def note_root(root_dir: Path | None, state_db: Path | None = None) -> None:
    """Makes messages in this context name this root from now on; None means the default of the commands."""
    _root.set((root_dir, state_db))


def install(extra: str) -> str:
    """How to install the optional libraries that `extra` names; it works however oidl was installed itself."""
    return f"install it with `pip install 'oidl[{extra}]'`"


def command(name: str, arguments: str = "") -> str:
    """The command `oidl NAME`, in backquotes, with the options of the current root before its `arguments`."""
    return f"`{command_line(name, arguments)}`"


def command_line(name: str, arguments: str = "", *, root_dir: Path | None = None) -> str:
    """The same without backquotes; for `root_dir` if it is given, otherwise for the current root."""
    paths = (root_dir, None) if root_dir else _root.get()
    options = zip(("--root-dir", "--state-db"), () if name in _HAVE_NO_ROOT else paths, strict=False)
    root_options = [f"{option} {shlex.quote(str(path))}" for option, path in options if path is not None]
    return " ".join(filter(None, ("oidl", name, *root_options, arguments)))
