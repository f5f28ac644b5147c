"""The web page of a command: takes its port before anything begins, shows its address, and serves it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from oidl.cli.options.output import ProgressOptions
from oidl.cli.planning import plan_line
from oidl.errors import UsageError
from oidl.hints import install
from oidl.web.address import Address, listen

if TYPE_CHECKING:
    from oidl.progress.meter import Meter
    from oidl.settings import Settings

_NEEDED = "starlette"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page to serve: its address, and if a browser should open it."""

    address: Address
    is_to_open: bool


def request_page(options: ProgressOptions) -> PageRequest | None:
    """The page that `--web` asks for, if it does. Raises `UsageError` if there can be none."""
    if options.web is None:
        if options.open:
            raise UsageError("--open requires --web", hint="add --web")
        return None
    return PageRequest(listen_for_page(options.web, "--web"), options.open)


def listen_for_page(typed: tuple[str, ...], option: str) -> Address:
    """Takes the port for the page. Raises `UsageError` if it is taken, or the page's library is not installed."""
    if len(typed) > 1:
        raise UsageError(f"{option} takes one HOST:PORT, not {' '.join(typed)}")
    if find_spec(_NEEDED) is None:
        raise UsageError(f"the web page needs {_NEEDED}, not installed here", hint=install("web"))
    return listen(typed[0] if typed else "")


@asynccontextmanager
async def open_page(
    request: PageRequest | None, meter: "Meter", settings: "Settings", say: Callable[[str], None]
) -> AsyncIterator[None]:
    """Serves the page of the run inside, and shows how the run ended before it closes."""
    if request is None:
        yield
        return
    import trio

    from oidl.web.process import PageProcess
    from oidl.web.snapshot import about_json

    about = about_json(settings.root_dir, settings.dataset_version, plan_line(settings.plan))
    page = PageProcess(request.address, meter, settings.state_db, settings.root_dir, about, say)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_page, page.serve, request, say)
        yield
        await page.publish_final()
        nursery.cancel_scope.cancel()


async def serve_page(serve: Callable[[], Awaitable[None]], request: PageRequest, say: Callable[[str], None]) -> None:
    """Says where the page is, and serves it until cancelled."""
    import trio

    from oidl.web.browser import open_in_browser

    address = request.address
    say(
        f"the web page is at {address.url}"
        + (f" (port {address.occupied_port} is taken)" if address.occupied_port else "")
    )
    if address.token:
        say(
            "everyone who can reach this machine and knows that address can see the page: it travels unencrypted, "
            "so use it in networks you trust"
        )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        if request.is_to_open:
            nursery.start_soon(open_in_browser, address.url)
