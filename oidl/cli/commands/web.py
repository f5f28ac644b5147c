"""`oidl web`: serves the web page of a database, during a run or not."""

from contextlib import suppress
from dataclasses import dataclass

import trio

from oidl.cli.options.groups import flattened
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.types import absolute
from oidl.cli.planning import plan_line
from oidl.cli.signals import cancel_on_signal
from oidl.cli.web_page import PageRequest, listen_for_page, serve_page
from oidl.errors import LoadInProgressError
from oidl.state.database import check_database


@flattened
@dataclass(frozen=True, kw_only=True)
class WebOptions:
    """The options of `oidl web`."""

    address: str = ""
    """The address of the page, `HOST:PORT`. Default: port 8640 of 127.0.0.1, or the next free one."""

    open: bool = False
    """Open the page in a browser."""


def web(paths: PathOptions = PathOptions(), options: WebOptions = WebOptions()) -> None:
    """Serves the page of a database until Ctrl-C."""
    with suppress(LoadInProgressError):
        check_database(paths.database)
    address = listen_for_page((options.address,) if options.address else (), "--address")
    trio.run(_serve, paths, PageRequest(address, options.open))


async def _serve(paths: PathOptions, request: PageRequest) -> None:
    from oidl.web.database import Database
    from oidl.web.feeds import DatabaseFeed
    from oidl.web.server import Page

    database = Database(paths.database)
    root_dir = absolute(paths.root_dir)
    page = Page(request.address, DatabaseFeed(paths.database, database, root_dir, plan_line), database, root_dir)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(cancel_on_signal, nursery.cancel_scope)
            await serve_page(page.serve, request, lambda text: print(text, flush=True))
            nursery.cancel_scope.cancel()
    finally:
        database.close()
