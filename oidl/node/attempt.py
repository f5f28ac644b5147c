"""The values that travel through the stages: an attempt, its body, its outcome."""

from dataclasses import dataclass, replace

from oidl.model import Done, Failure, Fetched, Postponed, Work
from oidl.net.answer import Download
from oidl.net.budget import Reservation
from oidl.net.permits import host_of


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one image at one source; made once, and carried to the end.

    `host` is that of the download's URL. `failures` are those of the sources that were asked before in the same try.
    With `skip_local`, an original on disk is not used, because it turned out to be bad.
    """

    work: Work
    download: Download
    host: str
    failures: tuple[Failure, ...] = ()
    skip_local: bool = False

    @classmethod
    def at(cls, download: Download, work: Work, failures: tuple[Failure, ...] = ()) -> "Attempt":
        """An attempt to get `work` by `download`."""
        return cls(work, download, host_of(download.url), failures)

    def without_local(self) -> "Attempt":
        """The same attempt, without the original on disk."""
        return replace(self, skip_local=True)


@dataclass(frozen=True, slots=True)
class Body:
    """A body on its way to a validator, with its share of the memory budget. `work` has what the validator makes."""

    attempt: Attempt
    work: Work
    fetched: Fetched
    memory: Reservation


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an image; `result` None means that nothing did, because the run stops.

    `earlier` are the failures at the sources that were asked before the one that `result` is of.
    """

    work: Work
    result: Done | Failure | Postponed | None
    earlier: tuple[Failure, ...] = ()
