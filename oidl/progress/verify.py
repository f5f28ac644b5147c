"""Counts what `oidl verify` checks and finds; the pipeline calls it, the printers read it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from oidl.model import Finding, Problem

_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class VerifyStatistics:
    """A snapshot of `oidl verify`.

    `files` of about `total` recorded files were checked, `undecoded` of them in a format that oidl does not decode, and
    `shards` of `total_shards` complete shards as a whole; `remote` images are in shards elsewhere; `seen` files were
    seen in directories. `found` has the count of every problem, `examples` the first few of each. `requeue` images are
    pending again, and `removed` files are gone.
    """

    elapsed_s: float
    files: int
    total: int
    undecoded: int
    shards: int
    total_shards: int
    remote: int
    seen: int
    found: dict[Problem, int]
    examples: dict[Problem, tuple[Finding, ...]]
    requeue: int
    removed: int


class VerifyMeter:
    """The counters of one `oidl verify`; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self.total = self.total_shards = 0
        self._shards = self._remote = 0
        self._files = 0
        self._undecoded = 0
        self._seen = 0
        self._found: Counter[Problem] = Counter()
        self._examples: dict[Problem, list[Finding]] = {}
        self._requeued = 0
        self._removed = 0

    def files_checked(self, files: int, undecoded: int, remote: int = 0) -> None:
        """Recorded files were compared with the disk; those of `remote` shards were not."""
        self._files += files
        self._remote += remote
        self._undecoded += undecoded

    def shard_checked(self) -> None:
        """A complete shard was compared with its row."""
        self._shards += 1

    def files_seen(self, files: int) -> None:
        """Files were seen in a directory."""
        self._seen += files

    def found(self, finding: Finding) -> None:
        """A difference was found."""
        self._found[finding.fault] += 1
        examples = self._examples.setdefault(finding.fault, [])
        if len(examples) < _EXAMPLES:
            examples.append(finding)

    def repaired(self, requeue: int, removed: int) -> None:
        """Images are pending again, files are gone."""
        self._requeued += requeue
        self._removed += removed

    def statistics(self) -> VerifyStatistics:
        """A frozen copy of the counters now."""
        return VerifyStatistics(
            elapsed_s=self._clock() - self._started,
            files=self._files,
            total=self.total,
            undecoded=self._undecoded,
            shards=self._shards,
            total_shards=self.total_shards,
            remote=self._remote,
            seen=self._seen,
            found={fault: self._found[fault] for fault in Problem},
            examples={fault: tuple(found) for fault, found in self._examples.items()},
            requeue=self._requeued,
            removed=self._removed,
        )
