"""Counts what an audit of the disk looks at and finds; told by the pipeline, read by the printers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from oidl.model import Fault, Finding

_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class AuditStatistics:
    """A moment of an audit.

    `files` of about `total` recorded files were looked at, `undecoded` of them in a format that is not
    decoded here; `seen` files were met in directories. `found` has every fault, `examples` the first few
    of each. `put_back` images are pending again, and `removed` files are gone.
    """

    elapsed_s: float
    files: int
    total: int
    undecoded: int
    seen: int
    found: dict[Fault, int]
    examples: dict[Fault, tuple[Finding, ...]]
    put_back: int
    removed: int


class AuditMeter:
    """The counters of one audit; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self.total = 0
        self._files = 0
        self._undecoded = 0
        self._seen = 0
        self._found: Counter[Fault] = Counter()
        self._examples: dict[Fault, list[Finding]] = {}
        self._put_back = 0
        self._removed = 0

    def looked_at(self, files: int, undecoded: int) -> None:
        """Recorded files were compared with the disk."""
        self._files += files
        self._undecoded += undecoded

    def met(self, files: int) -> None:
        """Files were met in a directory."""
        self._seen += files

    def found(self, finding: Finding) -> None:
        """A difference was found."""
        self._found[finding.fault] += 1
        examples = self._examples.setdefault(finding.fault, [])
        if len(examples) < _EXAMPLES:
            examples.append(finding)

    def repaired(self, put_back: int, removed: int) -> None:
        """Images are pending again, files are gone."""
        self._put_back += put_back
        self._removed += removed

    def statistics(self) -> AuditStatistics:
        """A frozen picture of the counters as they are now."""
        return AuditStatistics(
            elapsed_s=self._clock() - self._started,
            files=self._files,
            total=self.total,
            undecoded=self._undecoded,
            seen=self._seen,
            found={fault: self._found[fault] for fault in Fault},
            examples={fault: tuple(found) for fault, found in self._examples.items()},
            put_back=self._put_back,
            removed=self._removed,
        )
