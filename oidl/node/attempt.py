"""The values that travel through the stages: an attempt, its body, its outcome."""

from dataclasses import dataclass, replace

from oidl.model import Done, Failure, Fetched, Job, Postponed
from oidl.net.answer import Download
from oidl.net.budget import Reservation
from oidl.net.known_hosts import host_of


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one image at one source; made once, and carried to the end.

    `host` is that of the download's URL. `failures` are those of the sources that were asked before in the same try.
    With `skip_local`, an original on disk is not used, because it turned out to be bad.
    """

    job: Job
    download: Download
    host: str
    failures: tuple[Failure, ...] = ()
    skip_local: bool = False

    @classmethod
    def at(cls, download: Download, job: Job, failures: tuple[Failure, ...] = ()) -> "Attempt":
        """An attempt to get `job` by `download`."""
        return cls(job, download, host_of(download.url), failures)

    def without_local(self) -> "Attempt":
        """The same attempt, without the original on disk."""
        return replace(self, skip_local=True)


@dataclass(frozen=True, slots=True)
class Body:
    """A body on its way to a validator, with its share of the memory budget. `job` has what the validator makes."""

    attempt: Attempt
    job: Job
    fetched: Fetched
    memory: Reservation


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an image; `result` None means that nothing did, because the run stops.

    `earlier` are the failures at the sources that were asked before the one that `result` is of.
    """

    job: Job
    result: Done | Failure | Postponed | None
    earlier: tuple[Failure, ...] = ()
