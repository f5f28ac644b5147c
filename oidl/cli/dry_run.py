"""What a run would do, for `oidl run --dry-run`; the database is only read, and need not exist."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

from oidl.dataset.published import Version
from oidl.errors import LoadInProgressError
from oidl.pipeline.forecast import make_forecast
from oidl.report.forecast import forecast_text
from oidl.settings import Settings
from oidl.state.connection import StateConnection
from oidl.state.database import open_empty, open_reader
from oidl.text import printable


def dry_run(settings: Settings, version: Version) -> str:
    """The forecast as text. Raises `OidlError` for everything that the run would refuse."""
    with opened_or_empty(settings) as db:
        return forecast_text(make_forecast(db, settings, version, _remark))


@contextmanager
def opened_or_empty(settings: Settings) -> Iterator[StateConnection]:
    """The state database for reading; an empty one in memory if there is none, or if no list is loaded yet."""
    with ExitStack() as opened:
        db = None
        if settings.state_db.exists():
            with suppress(LoadInProgressError):
                db = opened.enter_context(open_reader(settings.state_db))
        yield db or opened.enter_context(closing(open_empty(settings.state_db)))


def _remark(text: str) -> None:
    print(printable(f"oidl: {text}"), file=sys.stderr)
