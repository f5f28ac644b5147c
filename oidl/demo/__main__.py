"""`python -m oidl.demo --root DIR` serves the files in a directory, on the loopback.

It prints the base URL as its first line, then serves until it is stopped.
"""

import argparse
import signal
from functools import partial
from pathlib import Path

import trio

from oidl.demo.server import serve
from oidl.demo.site import site_of_directory


def main() -> None:
    """Serves until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m oidl.demo", description="Serve a directory on the loopback.")
    parser.add_argument("--root", type=Path, required=True, help="the directory to serve")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    arguments = parser.parse_args()
    trio.run(_serve, arguments.root, arguments.port)


async def _serve(root: Path, port: int) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            print(await nursery.start(partial(serve, site_of_directory(root), port=port)), flush=True)
            await anext(signals)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    main()
