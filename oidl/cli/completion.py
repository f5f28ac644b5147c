"""`oidl --install-completion`: the shell completes commands, options and values after Tab."""

from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from cyclopts.completion.detect import ShellDetectionError, detect_shell

from oidl.cli.options.types import one_of
from oidl.errors import UsageError
from oidl.text import printable


class Shell(StrEnum):
    """The shells that there are scripts for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_STARTUP = {Shell.BASH: ".bashrc", Shell.ZSH: ".zshrc"}
"""The files below the home directory that load the script, if a shell does not find it by itself."""

_NEXT = "open a new shell to use it"
_NEXT_OF_ZSH = f"{_NEXT}; zsh needs `autoload -Uz compinit && compinit` in ~/.zshrc, which most set-ups have"


def install(*, shell: Annotated[Shell | None, one_of(Shell)] = None) -> None:
    """Writes the script for the shell, and prints which files were written.

    Parameters
    ----------
    shell
        `bash`, `zsh` or `fish`. Default: the shell that runs this command.
    """
    from oidl.cli.app import app

    shell = shell or _this_shell()
    startup = Path.home() / _STARTUP.get(shell, "")
    before = _content(startup)
    print(printable(f"wrote {app.install_completion(shell=shell.value)}"))
    if _content(startup) != before:
        print(printable(f"added a line to {startup} that loads it"))
    print(_NEXT_OF_ZSH if shell is Shell.ZSH else _NEXT)


def _this_shell() -> Shell:
    with suppress(ShellDetectionError, ValueError):  # there is no script for powershell
        return Shell(detect_shell())
    raise UsageError("the shell that runs this command is unknown", hint=f"choose one with --shell: {', '.join(Shell)}")


def _content(path: Path) -> bytes:
    """The content of a file; empty if it is no file."""
    return path.read_bytes() if path.is_file() else b""
