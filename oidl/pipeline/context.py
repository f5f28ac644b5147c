"""The values that every part of a run needs."""

from collections.abc import Callable
from dataclasses import dataclass

import trio

from oidl.dataset.published import Version
from oidl.node.stop import Stop
from oidl.pipeline.writer import StateWriter
from oidl.progress.meter import Meter
from oidl.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """The settings, the dataset version, the open state database, and where to report; `say` shows a message."""

    settings: Settings
    version: Version
    state: StateWriter
    meter: Meter
    stop: Stop
    say: Callable[[str], None]

    def say_from_thread(self, text: str) -> None:
        """`say`, for use in a worker thread."""
        trio.from_thread.run_sync(self.say, text)
