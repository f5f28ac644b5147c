"""What Dask loads in the workers that oidl starts: Ctrl-C is for the coordinator."""

import signal


def dask_setup(worker: object) -> None:
    """As Dask calls it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
