"""The pictures of the README: the web page while a run is at work, as a browser shows it."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

from oidl.demo.listing import make_demo
from oidl.demo.server import serve
from oidl.demo.site import Site
from oidl.imaging.vips import pyvips

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_VIEWS = (
    ("page", 1200, 1120, "light"),
    ("page-dark", 1200, 1120, "dark"),
    ("page-phone", 390, 844, "light"),
)

_HERE = Path(__file__).parent / "pictures"
_PORT = 8620
_ADDRESS = re.compile(r"the web page is at (http://\S+)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be set."""
    parser.add_argument("--images", type=int, default=900)
    parser.add_argument("--settled", type=int, default=55, help="per cent to wait for")
    parser.add_argument("--out", type=Path, default=_HERE, help="directory of the pictures")


def run(arguments: argparse.Namespace) -> None:
    """Runs `oidl run --web` on a demo dataset, and takes its pictures half way: light, dark, and on a telephone."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="oidl-pictures-") as name,
        served_demo(Path(name), arguments.images) as catalogue,
        run_with_page(Path(name) / "root", catalogue) as url,
    ):
        for path in take(url, arguments.settled, arguments.out):
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def take(url: str, settled: int, out: Path) -> Iterator[Path]:
    """Takes the pictures once `settled` per cent are settled."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        pages = {}
        for name, width, height, scheme in _VIEWS:
            scheme_: Any = scheme
            pages[name] = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme_)
            pages[name].goto(url)
        first = next(iter(pages.values()))
        while float(re.sub("[^0-9.]", "", first.text_content("#share") or "") or 0) < settled:
            first.wait_for_timeout(100)
        for name, page in pages.items():
            picture = pyvips.Image.new_from_buffer(page.screenshot(), "")
            picture.pngsave(str(out / f"{name}.png"), palette=True, effort=10)
            yield out / f"{name}.png"
        browser.close()


@contextmanager
def run_with_page(root: Path, catalogue: Path, *more: str) -> Iterator[str]:
    """The address of the page of an `oidl run` at work, which is stopped in the end."""
    command = [
        sys.executable, "-m", "oidl", "run", f"--config={os.devnull}", f"--root-dir={root}", f"--catalogue={catalogue}",
        "--save-original-images", "--resize-box-size=320", "--max-host-connections=6", "--web", "--no-log-to-stdout",
        "--no-download-metadata", "--min-free=0", *more,
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    try:
        address = next(found[1] for line in process.stderr if (found := _ADDRESS.search(line)))
        reader = threading.Thread(target=process.stderr.read)  # so that it is never full
        reader.start()
        yield address
    finally:
        process.terminate()
        process.wait()


@contextmanager
def served_demo(directory: Path, images: int) -> Iterator[Path]:
    """The catalogue of a demo dataset while it is served on loopback."""
    site = Site()
    base_urls = [f"http://127.0.0.1:{_PORT + number}" for number in range(3)]
    demo = make_demo(directory / "served", base_urls=base_urls, images=images, site=site)
    catalogue = directory / "catalogue.toml"
    catalogue.write_text(demo.catalogue_toml, "utf-8")
    end, ready = trio.Event(), threading.Event()
    token: list[trio.lowlevel.TrioToken] = []

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(3):
                await nursery.start(partial(serve, site, port=_PORT + number))
            token.append(trio.lowlevel.current_trio_token())
            ready.set()
            await end.wait()
            nursery.cancel_scope.cancel()

    thread = threading.Thread(target=trio.run, args=(work,))
    thread.start()
    ready.wait()
    try:
        yield catalogue
    finally:
        token[0].run_sync_soon(end.set)
        thread.join()
