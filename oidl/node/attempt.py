"""The values that travel through the stages: an attempt, its body, its outcome."""

from dataclasses import dataclass, replace

from oidl.model import Done, Failure, Fetched, Job, Postponed
from oidl.net.answer import Download
from oidl.net.budget import Reservation
from oidl.net.known_hosts import host_of


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request for an image at one source, created once and carried to the end; a try asks one source after another.

    `host` is that of the download's URL. `failures` are those of the sources that were asked earlier in the same try.
    With `skip_local`, an original on disk is not used, because it turned out to be bad. `deaths` is how often a worker
    died while it processed the image, or had it alone; `losses`, how often one died while it fetched it among others.
    """

    job: Job
    download: Download
    host: str
    failures: tuple[Failure, ...] = ()
    skip_local: bool = False
    deaths: int = 0
    losses: int = 0

    @classmethod
    def at(cls, download: Download, job: Job, failures: tuple[Failure, ...] = ()) -> "Attempt":
        """An attempt to fetch the image of `job` with `download`."""
        return cls(job, download, host_of(download.url), failures)

    def without_local(self) -> "Attempt":
        """The same attempt, without the original on disk."""
        return replace(self, skip_local=True)

    def after_death(self) -> "Attempt":
        """The same attempt, after one more worker died at it."""
        return replace(self, deaths=self.deaths + 1)

    def after_loss(self) -> "Attempt":
        """The same attempt, after one more worker died that fetched it, probably not because of it."""
        return replace(self, losses=self.losses + 1)


@dataclass(frozen=True, slots=True)
class Body:
    """A body for a validator, with its share of the memory budget.

    `job` is that of the attempt, with the original as a further rendition to make if its file must be restored.
    """

    attempt: Attempt
    job: Job
    fetched: Fetched
    memory: Reservation


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a job; `result` is None if the run stopped first, so nothing is known about the image.

    `earlier` are the failures at the sources that were asked before the source of `result`.
    """

    job: Job
    result: Done | Failure | Postponed | None
    earlier: tuple[Failure, ...] = ()
