"""The command line: `commands` has one file a command, `options` one a group of options.

`app` names the commands and turns errors into exit codes, `signals` turns Ctrl-C into a `Stop`. Commands are
imported when they are called: `oidl status` must not wait for httpx and libvips.
"""

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from oidl.imports import importing

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line `arguments` (default: the process's) and returns the exit code.

    It is imported when it runs, because that takes long enough for a Ctrl-C, which needs an answer too.
    """
    try:
        with importing(has_own_process=arguments is None):
            from oidl.cli.process import main as run

        return run(arguments)
    except KeyboardInterrupt:
        if arguments is None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # only the end is left
        from oidl.errors import ExitCode

        with suppress(OSError, ValueError, AttributeError):
            print("oidl: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
