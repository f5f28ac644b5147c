"""Commands in messages, as they are typed for the root at hand.

Whoever raises an error or writes a closing line knows what to do next, but not by which options the user found
the root. `cli` notes these once, and every command that a message names is written here: what is copied from a message
is about the same root.
"""

import shlex
from contextvars import ContextVar
from pathlib import Path

_HAVE_NO_ROOT = frozenset({"catalogue", "demo"})

_root: ContextVar[tuple[Path | None, Path | None]] = ContextVar("root", default=(None, None))


def note_root(root_dir: Path | None, state_db: Path | None = None) -> None:
    """From now on, in this context, messages are about this root; None is what commands take if they are not told."""
    _root.set((root_dir, state_db))


def command(name: str, arguments: str = "") -> str:
    """The command `oidl NAME`, in backquotes, with the options of the root at hand before its `arguments`."""
    return f"`{command_line(name, arguments)}`"


def command_line(name: str, arguments: str = "", *, root_dir: Path | None = None) -> str:
    """The same without backquotes; for `root_dir`, if that is given, and not for the root at hand."""
    places = (root_dir, None) if root_dir else _root.get()
    options = zip(("--root-dir", "--state-db"), () if name in _HAVE_NO_ROOT else places, strict=False)
    typed = [f"{option} {shlex.quote(str(path))}" for option, path in options if path is not None]
    return " ".join(filter(None, ("oidl", name, *typed, arguments)))
