"""`oidl run` as it is typed. Help must not wait for httpx and libvips: what it does is imported when it is called."""

from oidl.cli.options.run import RunOptions


def run(options: RunOptions = RunOptions()) -> int:
    """Download, verify and resize images; resume an earlier run.

    The state database records what is done, so a run can be stopped at any
    moment and started again. Ctrl-C finishes the transfers in progress; a second
    one stops at once.
    """
    from oidl.cli.running import run_root

    return run_root(options)
