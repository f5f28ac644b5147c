"""The command line: `commands` has one file a command, `options` one a group of options.

`app` names the commands and turns errors into exit codes, `signals` turns Ctrl-C into a `Stop`. Commands are
imported when they are called: `oidl status` must not wait for httpx and libvips.
"""

from oidl.cli.process import main

__all__ = ["main"]
