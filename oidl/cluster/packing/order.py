"""The values that the coordinator of a pack and its workers exchange; both ends are the same version of oidl."""

import pickle
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from oidl.cluster.protocol import Timing
from oidl.errors import DiskError, OidlError, disk_error
from oidl.export.pack.credits import LicenseSummary
from oidl.export.pack.samples import LeftOutCounts
from oidl.node.frames import pickled
from oidl.state.pack import Written

SHARD = "shard"
"""The name of a shard in the directory of its life."""


class StoredValue(NamedTuple):
    """A pickled value in a file: its length in bytes, and its SHA-256 in hex."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A file with values, one after the other."""

    path: str
    values: tuple[StoredValue, ...]

    def read(self) -> Generator[Any, None, None]:
        """The values, one in memory at a time. Raises `DiskError` if the file is not the one that was written."""
        path = Path(self.path)
        try:
            with open(path, "rb") as file:
                for value in self.values:
                    data = file.read(value.bytes)
                    # Unpickling runs what the file says, so it must be what the other side wrote.
                    if sha256(data).hexdigest() != value.sha256:
                        raise DiskError(f"{path} is not as it was written", hint="check the shared filesystem")
                    yield pickle.loads(data)
        except OSError as error:
            raise disk_error(path, error, "read") from error


class ValueWriter:
    """Writes values into a file, one by one."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._values: list[StoredValue] = []

    def add(self, value: object) -> None:
        """Adds a value. Raises `OSError`."""
        data = pickled(value)
        self._file.write(data)
        self._values.append(StoredValue(len(data), sha256(data).hexdigest()))

    @property
    def stored(self) -> Stored:
        """What is in the file; others see all of it when it is closed."""
        return Stored(str(self._path), tuple(self._values))


@contextmanager
def new_values(path: Path) -> Iterator[ValueWriter]:
    """A new file for values. Raises `OSError`, also if there is a file at `path`."""
    with open(path, "xb") as file:
        yield ValueWriter(path, file)


@dataclass(frozen=True, slots=True)
class PackFacts:
    """What a worker says about itself before it gets any work: versions by name, and what it does not see, or "".

    A `problem` says why it cannot write the format at all.
    """

    versions: dict[str, str]
    unseen: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ShardOrder:
    """A shard to write in the directory of a life.

    `shard` is its recorded path and `format` the name of its format. The files have `SampleSettings` and the
    `SamplePage`s of its images.
    """

    life: str
    directory: str
    shard: str
    format: str
    settings: Stored
    rows: Stored
    timing: Timing


@dataclass(slots=True)
class WrittenShard:
    """A shard that is complete in the directory of its life: what a pack on one machine knows then.

    `credits` are its rows of `ATTRIBUTION.csv`.
    """

    written: list[Written]
    missing: list[str]
    size_bytes: int
    sha256: str
    credits: str
    licenses: LicenseSummary
    left_out: LeftOutCounts = field(default_factory=LeftOutCounts)


@dataclass(frozen=True, slots=True)
class ShardReport:
    """How far a life is: samples so far; its `WrittenShard` when it is complete, or why it never will be.

    If it `has_given_up`, it has heard nothing for too long.
    """

    samples: int = 0
    result: Stored | None = None
    error: OidlError | None = None
    has_given_up: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether the life is over."""
        return self.has_given_up or self.result is not None or self.error is not None
