"""`oidl run` as it is typed. What it does is imported when it is done: help must not wait for httpx and libvips."""

from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.run import RunOptions

DEFAULTS = RunOptions()


def run(options: Annotated[RunOptions, Parameter(name="*")] = DEFAULTS) -> int:
    """Download, verify and resize; goes on where an earlier run stopped.

    What is done is kept in the state database, so it can be stopped at any
    moment and started again. Ctrl-C finishes the transfers in hand; a second
    one stops at once.
    """
    from oidl.cli.session import run_root

    return run_root(options)
