"""Workers: they hold the connections, decode and write, in this process or in processes of their own.

Everything else about an image is decided by the stages of the node, which need its worker three times: for a
connection to make requests over; for an original on disk; and to process the body. A body never leaves its worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from oidl.errors import OidlError
from oidl.model import Done, Failure, Fetched, Job, OpenShard
from oidl.net.request import Connection


class WorkerDiedError(OidlError):
    """The process of a worker ended while it had work in progress; the message says how, like "was killed (SIGSEGV)".

    `was_processing` means that it was processing the image, which may be the reason. `was_killed` means that another
    process killed it, or the system for lack of memory, so there may be other reasons.
    """

    def __init__(self, message: str, *, was_processing: bool = False, was_killed: bool = False) -> None:
        super().__init__(message)
        self.was_processing = was_processing
        self.was_killed = was_killed


class Worker(Protocol):
    """Makes requests and processes bodies. Its methods raise `WorkerDiedError` if its process ends meanwhile."""

    @property
    def threads(self) -> int:
        """How many bodies it processes at once."""
        ...

    @property
    def load(self) -> int:
        """How many bodies it has to work on."""
        ...

    def new_connection(self) -> Connection:
        """A connection that is not open yet."""
        ...

    async def read_original(self, job: Job) -> Fetched | None:
        """The verified original of `job` from disk, None if there is none that can be trusted."""
        ...

    async def process(self, job: Job, fetched: Fetched) -> Done | Failure:
        """As `Processor.process`."""
        ...

    def drain(self) -> None:
        """Gives up requests that are not sent yet."""
        ...

    async def sync(self) -> None:
        """Returns when everything that is in shards so far is on the disk."""
        ...


class Coordinator(Protocol):
    """What a worker must ask the coordinator, which alone writes to the database."""

    async def claim_name(self, name: str, image_id: str) -> bool:
        """Whether the files of an image may have this name."""
        ...

    async def before_replace(self, files: list[tuple[str, str]]) -> None:
        """Removes the rows of recorded files (ImageID and rendition of each) that are about to be replaced."""
        ...

    async def open_shard(self, rendition: str, subset: str) -> OpenShard:
        """A shard that only this worker appends to."""
        ...

    async def shard_is_full(self, shard_id: int, appended: int) -> None:
        """The worker has appended so many samples to a shard, and will append no more."""
        ...


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of a node, by number; the last is the `quarantine`, if there is one.

    The quarantine gets the images that a worker died at, one at a time.
    """

    members: Sequence[Worker]
    has_quarantine: bool = False

    @property
    def quarantine(self) -> int | None:
        """The number of the quarantine."""
        return len(self.members) - 1 if self.has_quarantine else None

    def least_busy(self) -> Worker:
        """The worker with the fewest bodies; not the quarantine."""
        usual = self.members[: self.quarantine]
        return min(usual, key=lambda worker: worker.load)

    def get(self, number: int | None) -> Worker:
        """The worker with this number; the one with the fewest bodies if that is None."""
        return self.least_busy() if number is None else self.members[number]

    def drain(self) -> None:
        """Gives up requests that are not sent yet."""
        for worker in self.members:
            worker.drain()

    async def sync(self) -> None:
        """Returns when everything that is in shards so far is on the disk."""
        for worker in self.members:
            await worker.sync()

    def new_connection(self, number: int | None) -> Connection:
        """A connection of that worker."""
        return self.get(number).new_connection()
