"""A real browser that looks at the page.

Screenshots are kept in `.artefacts/`. The browser runs in a separate thread,
because its event loop and Trio would both handle signals.
"""

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ARTEFACTS = Path(__file__).parents[2] / ".artefacts"
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def in_browser() -> Iterator[Callable[..., Any]]:
    """Calls a function with a real browser, in the browser's thread."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None or importlib.util.find_spec("playwright") is None:
        pytest.skip("no browser: `apt-get install chromium` brings one, `uv sync` playwright")
    from playwright.sync_api import sync_playwright

    with ThreadPoolExecutor(1) as thread:
        playwright = thread.submit(sync_playwright().start).result()
        browser = thread.submit(
            lambda: playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS.split())
        ).result()
        yield lambda work, *args: thread.submit(work, browser, *args).result(timeout=60)
        thread.submit(browser.close).result()
        thread.submit(playwright.stop).result()


@pytest.fixture
def look(in_browser: Callable[..., Any]) -> Callable[..., Any]:
    """Opens an address and gives the page to a function; the browser may complain of nothing, nor ask elsewhere."""

    def at(
        url: str,
        see: Callable[[Any], Any],
        *,
        width: int = 1280,
        scheme: str = "light",
        ignored: tuple[str, ...] = (),
        **more: Any,
    ) -> Any:
        def work(browser: Any) -> Any:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **more)
            page = context.new_page()
            complaints: list[str] = []
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("dialog", lambda dialog: (complaints.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            page.goto(url)
            seen = see(page)
            home = url.partition("#")[0].partition("?")[0]
            assert [each for each in asked if not each.startswith(home)] == []
            context.close()
            assert [each for each in complaints if not any(word in each for word in ("ERR_", *ignored))] == []
            return seen

        return in_browser(work)

    return at


def shot(page: Any, name: str) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)


def text(page: Any, selector: str) -> str:
    return str(page.inner_text(selector))


def wait(page: Any, condition: Callable[[], object]) -> None:
    for _ in range(300):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("waited in vain")
