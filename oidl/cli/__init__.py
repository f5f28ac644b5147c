"""The command line: one file a command, which composes the rooms below.

`app` names the commands and turns errors into exit codes, `options` turns what
was typed into `Settings`, `signals` turns Ctrl-C into a `Stop`. Commands are
imported when they are called: `oidl status` must not wait for httpx and libvips.
"""

from oidl.cli.process import main

__all__ = ["main"]
