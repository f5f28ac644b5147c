"""`oidl run` as it is typed. Help must not wait for httpx and libvips: what it does is imported when it is called."""

from oidl.cli.options.run import RunOptions
from oidl.cli.process import has_own_process
from oidl.imports import importing


def run(options: RunOptions = RunOptions()) -> int:
    """Runs until everything is settled or something stops it; returns the exit code."""
    with importing(has_own_process=has_own_process()):
        from oidl.cli.running import run_root

    return run_root(options)
