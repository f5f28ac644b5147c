"""`oidl demo`: the real `oidl run`, on a small Open Images of our own on loopback.

The server lives here; the run is a process of its own, started as anybody would
start it. Ports are fixed, so that a second demo is the same dataset again and
has nothing left to do.
"""

import os
import signal
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter

from oidl.cli.typed import BY_VALUE, absolute
from oidl.demo.listing import make_demo
from oidl.demo.published import DIRECTORY
from oidl.demo.server import serve
from oidl.demo.site import Site
from oidl.errors import UsageError
from oidl.settings import Display
from oidl.text import counted

_HOSTS = 3


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What `oidl demo` can be told."""

    root_dir: Path = Path("oidl-demo")
    """Where everything is put."""

    images: int = 300
    """How many images the dataset has."""

    port: int = 8610
    """The first of three ports on 127.0.0.1 that it is served at."""

    web: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, show_default=False)] = None
    """Show the run on a web page at `HOST:PORT`. Default: port 8640 of 127.0.0.1, or the next free one."""

    open: bool = False
    """Open that page in a browser."""

    progress: Annotated[Display, BY_VALUE] = Display.AUTO
    """How the run is shown, as with `oidl run`."""


DEFAULTS = DemoOptions()


def demo(options: Annotated[DemoOptions, Parameter(name="*")] = DEFAULTS) -> int:
    """Try it all on a small Open Images that is made on the spot and served on loopback.

    Some of its photos are gone, changed, cut short, slow or rate-limited, as in
    real life.
    """
    if not 1 <= options.images <= 100_000:
        raise UsageError(f"--images must be 1 to 100000, not {options.images}")
    if not 1 <= options.port <= 65_535 - _HOSTS:
        raise UsageError(f"--port must be 1 to {65_535 - _HOSTS}, not {options.port}")
    page = [f"--web={value}" for value in options.web] or ["--web"] if options.web is not None else []
    more = [f"--progress={options.progress}", *page, *(["--open"] if options.open else [])]
    return trio.run(_demo, absolute(options.root_dir), options.images, options.port, more)


async def _demo(root_dir: Path, images: int, port: int, more: list[str]) -> int:
    site = Site()
    dataset = root_dir / "served"
    async with trio.open_nursery() as nursery:
        base_urls = [await _start(nursery, site, port + number) for number in range(_HOSTS)]
        print(f"making {counted(images, 'photo')} …", flush=True)
        made = await trio.to_thread.run_sync(partial(make_demo, dataset, base_urls=base_urls, images=images, site=site))
        catalogue = dataset / "catalogue.toml"
        catalogue.write_text(made.catalogue_toml, "utf-8")
        arguments = [
            "run",
            f"--config={os.devnull}",
            f"--root-dir={root_dir}",
            f"--catalogue={catalogue}",
            "--save-original-images",
            "--max-host-connections=8",
            "--stall-timeout=5",
            "--max-wait=30",
            "--confirm-after=2",
            "--no-log-to-stdout",
            *more,
        ]
        print(f"oidl {' '.join(arguments)}\n", flush=True)
        code = await _run(arguments)
        nursery.cancel_scope.cancel()
    _say_where(root_dir)
    return code


async def _start(nursery: trio.Nursery, site: Site, port: int) -> str:
    try:
        base_url = await nursery.start(partial(serve, site, port=port))
    except OSError as error:
        raise UsageError(
            f"port {port} on 127.0.0.1 cannot be used: {error.strerror}", hint="choose another with --port"
        ) from error
    return str(base_url)


async def _run(arguments: list[str]) -> int:
    """The exit code of `oidl` with `arguments` alone; it gets the Ctrl-C that this process leaves to it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OIDL_")}
    environment["no_proxy"] = "*"  # no proxy leads to this machine's own loopback
    with trio.open_signal_receiver(signal.SIGINT):
        process = await trio.run_process([sys.executable, "-m", "oidl", *arguments], check=False, env=environment)
    return process.returncode


def _say_where(root_dir: Path) -> None:
    database = root_dir / "oidl.sqlite3"
    print(f"""
resized images   {root_dir}/{DIRECTORY}/<subset>/images-resized
originals        {root_dir}/{DIRECTORY}/<subset>/images-original
CSVs             {root_dir}/{DIRECTORY}/<subset>/images-success.csv, images-failure.csv
state database   {database}

Ask it yourself:
  oidl status --root-dir {root_dir}
  sqlite3 {database} "SELECT reason, count(*) FROM failure GROUP BY reason ORDER BY 2 DESC"
  sqlite3 {database} "SELECT path, author, license FROM success JOIN file USING (image_id) LIMIT 5"

Run `oidl demo` again: what is done is not fetched again.""")
