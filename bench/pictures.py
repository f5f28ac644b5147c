"""The screenshots in the READMEs: a demo run half way, its page in a browser and its screen in a terminal."""

import argparse
import fcntl
import html
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import trio

from bench.explorer_pictures import shots as explorer_shots
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

_HERE = Path(__file__).parent / "pictures"
_PORT = 8620  # and the two after it are the servers of the photos, the one before is the page's
_PAGE = f"127.0.0.1:{_PORT - 1}"
_COLUMNS, _LINES = 100, 32
_VIEWS = (
    ("page", 1200, 1120, "light"),
    ("page-dark", 1200, 1120, "dark"),
    ("page-phone", 390, 844, "light"),
)
_COLOURS = {
    "default": "#d8d6d0", "black": "#1c2024", "red": "#e07a5f", "green": "#7fbf8e", "brown": "#e3b04b",
    "blue": "#5fa3cc", "magenta": "#b48ead", "cyan": "#7fc1c9", "white": "#e6e4df", "brightblack": "#7b838c",
}  # fmt: skip
_STYLE = "margin:0;padding:18px 22px;background:#14171a;font:14px/1.3 'DejaVu Sans Mono',monospace;display:inline-block"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=1200)
    parser.add_argument("--settled", type=int, default=60, help="per cent to wait for")
    parser.add_argument("--only", choices=("run", "explorer"), help="the pictures of a run, or of the explorer")
    parser.add_argument("--out", type=Path, default=_HERE, help="directory for the screenshots")


def run(arguments: argparse.Namespace) -> None:
    """Runs `oidl run --web` on a pseudo-terminal and takes the screenshots half way; then those of the explorer."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.only != "run":
        for path in _take_explorer(arguments.out):
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    if arguments.only == "explorer":
        return
    with (
        tempfile.TemporaryDirectory(prefix="oidl-pictures-") as name,
        _served_demo(Path(name), arguments.images) as catalogue,
        _run_on_terminal(Path(name) / "root", catalogue) as terminal,
    ):
        for path in _take(terminal, arguments.settled, arguments.out):
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def _take(terminal: Any, settled: int, out: Path) -> Iterator[Path]:
    """Takes the screenshots once `settled` per cent of the images are settled."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        pages = {}
        for name, width, height, scheme in _VIEWS:
            scheme_: Any = scheme
            page = pages[name] = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme_)
            while True:
                try:
                    page.goto(f"http://{_PAGE}/")
                    break
                except Error:  # the server has not started yet
                    page.wait_for_timeout(100)
        first = next(iter(pages.values()))
        while float(re.sub("[^0-9.]", "", first.text_content("#share") or "") or 0) < settled:
            first.wait_for_timeout(100)
        screen = _as_html(terminal)
        shots = {name: page.screenshot() for name, page in pages.items()}
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_content(screen)
        shots["terminal"] = page.locator("pre").screenshot()
        browser.close()
    for name, shot in shots.items():
        yield _saved(out / f"{name}.png", shot)


def _take_explorer(out: Path) -> Iterator[Path]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="oidl-pictures-") as name:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        for picture, shot in explorer_shots(browser, Path(name)):
            yield _saved(out / f"{picture}.png", shot)
        browser.close()


def _saved(path: Path, shot: bytes) -> Path:
    pyvips.Image.new_from_buffer(shot, "").pngsave(str(path), palette=True, effort=10)
    return path


@contextmanager
def _run_on_terminal(root: Path, catalogue: Path) -> Iterator[Any]:
    """The screen (of `pyte`) of an active `oidl run`, which is stopped in the end."""
    import pyte

    screen = pyte.Screen(_COLUMNS, _LINES)
    stream = pyte.ByteStream(screen)
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    command = [
        sys.executable, "-m", "oidl", "run", f"--config={os.devnull}", f"--root-dir={root}", f"--catalogue={catalogue}",
        "--save-original-images", "--resize-box-size=320", "--max-host-connections=6", f"--web={_PAGE}",
        "--no-download-metadata", "--min-free=0", "--progress=full", "--no-log-to-stdout",
    ]  # fmt: skip
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "no_proxy": "*"}
    process = subprocess.Popen(command, stdin=its, stdout=subprocess.DEVNULL, stderr=its, env=environment)
    os.close(its)

    def read() -> None:
        with suppress(OSError):  # its end, on Linux
            while piece := os.read(mine, 65_536):
                stream.feed(piece)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield screen
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(mine)


def _as_html(screen: Any) -> str:
    """The screen with its colours, as an HTML document."""
    lines = []
    for number in range(_LINES):
        cells = [screen.buffer[number][column] for column in range(_COLUMNS)]
        runs = ((look, "".join(cell.data for cell in group)) for look, group in groupby(cells, _look))
        lines.append("".join(f'<span style="{look}">{html.escape(text)}</span>' for look, text in runs))
    return f'<body style="margin:0"><pre style="{_STYLE}">' + "\n".join(lines) + "</pre>"


def _look(cell: Any) -> str:
    front, back = (
        _COLOURS.get(cell.fg, f"#{cell.fg}"),
        "" if cell.bg == "default" else _COLOURS.get(cell.bg, f"#{cell.bg}"),
    )
    if cell.reverse:
        front, back = back or "#14171a", front
    return f"color:{front};" + (f"background:{back};" if back else "") + ("font-weight:bold;" if cell.bold else "")


@contextmanager
def _served_demo(directory: Path, images: int) -> Iterator[Path]:
    """The catalogue of a demo dataset while it is served on loopback."""
    site = Site()
    base_urls = [f"http://127.0.0.1:{_PORT + number}" for number in range(3)]
    demo = make_demo(directory / "served", base_urls=base_urls, images=images, site=site)
    catalogue = directory / "catalogue.toml"
    catalogue.write_text(demo.catalogue_toml, "utf-8")
    end, ready = trio.Event(), threading.Event()
    token: list[trio.lowlevel.TrioToken] = []

    async def job() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(3):
                await nursery.start(partial(serve, site, port=_PORT + number))
            token.append(trio.lowlevel.current_trio_token())
            ready.set()
            await end.wait()
            nursery.cancel_scope.cancel()

    thread = threading.Thread(target=trio.run, args=(job,))
    thread.start()
    ready.wait()
    try:
        yield catalogue
    finally:
        token[0].run_sync_soon(end.set)
        thread.join()
