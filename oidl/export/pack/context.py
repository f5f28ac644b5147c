"""What every part of a pack knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oidl.export.pack.request import OnStep, PackRequest, PackResult, Step
from oidl.model import LabelType, Rendition
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.storage.layout import recorded_path


@dataclass(frozen=True, slots=True)
class PackContext:
    """A pack of `rendition` into `dest`, with annotations of `kinds`; `db` is open for writing."""

    db: StateConnection
    layout: Layout
    version: str
    subsets: Sequence[str]
    request: PackRequest
    rendition: Rendition
    kinds: Sequence[LabelType]
    result: PackResult
    on_step: OnStep

    @property
    def dest(self) -> Path:
        """The directory of the shards."""
        return self.result.dest

    @property
    def directory(self) -> str:
        """The same as recorded in the database."""
        return recorded_path(self.layout, self.dest)

    @property
    def title(self) -> str:
        """The name of the data set, like `Open Images V7`."""
        return f"Open Images V{self.version}"

    def path_of(self, recorded: str) -> Path:
        """The path of a shard that is recorded so."""
        return self.layout.root_dir / recorded

    def did(self, step: Step) -> None:
        """Reports a step that is done."""
        self.on_step(step, self.result)
