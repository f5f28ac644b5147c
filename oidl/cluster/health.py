"""Notices a node whose own network or disk fails: its images fail for one reason, and those of others do not. Pure.

Such results say nothing about the images. Until others have results to compare with, they are held back for a while.
If the same happens on all nodes, the results count: then the run has the problem, and stops as it does on one machine.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from enum import Enum

from oidl.cluster.protocol import Result
from oidl.model import Failure, Job, Reason

_FEW = 10  # results say too little
_ALIKE = 0.95  # share of the results of a node
_OTHERS = 0.5  # share among others' results above which it is not about the node
_RECENT = 100  # results of each node


class Verdict(Enum):
    """What the results of a node mean: they count, the node is the reason, or that is not known yet."""

    COUNT, EXCLUDE, UNCLEAR = range(3)


class Health:
    """What the nodes of a run answered lately."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[Reason | None]] = {}

    def add(self, life: str, results: Iterable[tuple[Job, Result]]) -> None:
        """Notes the results of a node."""
        recent = self._recent.setdefault(life, deque(maxlen=_RECENT))
        recent.extend(_reason(result) for job, result in results if _is_news(job, result))

    def forget(self, life: str) -> None:
        """The node has ended, or is excluded; its results say nothing about others."""
        self._recent.pop(life, None)

    def judge(
        self, life: str, results: Sequence[tuple[Job, Result]], *, is_alone: bool
    ) -> tuple[Verdict, Reason | None]:
        """What `results` of a node mean, which may be the only one, and the reason if they have one in common."""
        reason = _common_reason(results)
        if reason is None:
            return Verdict.COUNT, None
        others = [each for other, recent in self._recent.items() if other != life for each in recent]
        if len(others) < _FEW:
            return (Verdict.COUNT if is_alone else Verdict.UNCLEAR), reason
        share = others.count(reason) / len(others)
        return (Verdict.COUNT if share >= _OTHERS else Verdict.EXCLUDE), reason


def _common_reason(results: Sequence[tuple[Job, Result]]) -> Reason | None:
    """The reason that nearly all of `results` failed for; a disk that one file cannot be written to is enough."""
    reasons = [_reason(result) for job, result in results if _is_news(job, result)]
    if Reason.DISK in reasons:
        return Reason.DISK
    if len(reasons) < _FEW:
        return None
    reason, count = Counter(reasons).most_common(1)[0]
    return reason if count >= _ALIKE * len(reasons) else None


def _reason(result: Result) -> Reason | None:
    return result.result.reason if isinstance(result.result, Failure) else None


def _is_news(job: Job, result: Result) -> bool:
    """Whether a result says something: the image was tried, and has not failed for the same reason before."""
    return result.result is not None and (_reason(result) is None or _reason(result) is not job.reason)
