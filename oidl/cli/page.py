"""The web page as commands need it: checked before anything begins, and told to people."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from oidl.errors import UsageError
from oidl.report.web.address import Address, listen

if TYPE_CHECKING:
    from oidl.report.web.server import Page

_NEEDED = ("starlette", "hypercorn")


def listen_for_page(typed: tuple[str, ...], option: str) -> Address:
    """Takes the port for the page. Raises `UsageError` where that, or the page's libraries, cannot be had."""
    if len(typed) > 1:
        raise UsageError(f"{option} takes one HOST:PORT, not {' '.join(typed)}")
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the web page needs {' and '.join(missing)}",
            hint="pip install hypercorn starlette",
        )
    return listen(typed[0] if typed else "")


async def show_page(page: "Page", address: Address, say: Callable[[str], None], *, is_to_open: bool) -> None:
    """Says where the page is, and serves it until cancelled."""
    import trio

    from oidl.report.web.server import open_in_browser

    say(f"the web page is at {address.url}")
    if address.token:
        say(
            "whoever can reach this machine and knows that address can see the page: it travels unencrypted, "
            "so use it in networks you trust"
        )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(page.serve)
        if is_to_open:
            nursery.start_soon(open_in_browser, address.url)
