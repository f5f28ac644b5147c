"""The user's browser."""

import logging
import webbrowser

import trio

log = logging.getLogger("oidl")


async def open_in_browser(url: str) -> None:
    """Opens `url` in the user's browser, if there is one, without waiting for it."""
    try:
        await trio.to_thread.run_sync(webbrowser.open, url, abandon_on_cancel=True)
    except (webbrowser.Error, OSError) as error:
        log.warning("no browser could be opened: %s", error)
