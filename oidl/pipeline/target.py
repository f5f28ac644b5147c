"""How many images are missing to the limits of a run, and which may be fed for that. Pure.

A limit is a number of images to *have*. An image that is fed takes a place under the limit until it
is known what became of it: one that is done keeps it, one that failed for good leaves it
to the next one, and one that waits for a retry keeps it, as it may still come. So there are never more
images under way than are missing, and the run has the number that was asked for, not that number and what
happened to be in flight.

Images that wait are replaced only when the run would otherwise end (`give_up_waiting`): when nothing is in flight,
and nothing comes due in time. Each replacement takes a place that was given up, so the number holds. One that was
given up and comes due after all needs a free place like any other.

With a limit for each class, an image takes a place in every class that it shows, and is fed if one of them still has
a free place. A class may then get more than its limit, where another one needed the image.

Places are counted, not listed: there is one counter a class, however many images there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from oidl.model import Job, Status


@dataclass(slots=True)
class _Places:
    limit: int
    had: int
    in_flight: int = 0
    waiting: int = 0

    @property
    def free(self) -> int:
        return self.limit - self.had - self.in_flight - self.waiting

    @property
    def is_short(self) -> bool:
        return self.had < self.limit

    def take(self, *, again: bool) -> None:
        self.in_flight += 1
        if again and self.waiting:
            self.waiting -= 1

    def settle(self, status: Status | None) -> None:
        self.in_flight -= 1
        self.had += status is Status.DONE
        self.waiting += status is Status.RETRY


class Target:
    """The places under a limit for all images, and under one for each class; None is no limit.

    `had` is how many images are had already, `had_by_class` the same for each class.
    """

    def __init__(
        self,
        limit: int | None = None,
        had: int = 0,
        limit_per_class: int | None = None,
        had_by_class: Mapping[str, int] | None = None,
    ) -> None:
        self._all = None if limit is None else _Places(limit, had)
        self._classes: dict[str, _Places] | None = None
        if limit_per_class is not None:
            self._classes = {name: _Places(limit_per_class, count) for name, count in (had_by_class or {}).items()}

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that images are counted by; empty if they are not."""
        return tuple(self._classes or ())

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self._all is not None or self._classes is not None

    @property
    def is_met(self) -> bool:
        """Whether all that the limits ask for is had."""
        if self._all and not self._all.is_short:
            return True
        return self._classes is not None and not any(places.is_short for places in self._classes.values())

    @property
    def had(self) -> int:
        """How many images are had, as far as the limit for all of them counts them."""
        return self._all.had if self._all else 0

    @property
    def had_by_class(self) -> dict[str, int]:
        """How many images of each class are had."""
        return {name: each.had for name, each in (self._classes or {}).items()}

    def missing(self) -> int | None:
        """How many images are missing at most; None if there is no limit."""
        counts = [self._all.limit - self._all.had] if self._all else []
        if self._classes is not None:
            counts.append(sum(max(0, places.limit - places.had) for places in self._classes.values()))
        return max(0, min(counts)) if counts else None

    def free(self, of_class: str | None = None) -> int | None:
        """How many more images, of one class or of any, may be fed now; None if there is no limit on that."""
        counts = [self._all.free] if self._all else []
        if of_class is not None and self._classes is not None:
            counts.append(self._classes[of_class].free)
        return max(0, min(counts)) if counts else None

    def short_classes(self, *, again: bool) -> list[str] | None:
        """The classes that have a place for an image, `again` also for one that waited; None if none are counted."""
        if self._classes is None:
            return None
        return [name for name, each in self._classes.items() if each.free > 0 or (again and each.waiting > 0)]

    def admits(self, job: Job, *, again: bool) -> bool:
        """Whether `job` may be fed now; `again` that this run tried it before."""
        return self.has_place(again=again) and (
            self._classes is None
            or any(each.free > 0 or (again and each.waiting > 0) for each in self._of_classes(job))
        )

    def has_place(self, *, again: bool) -> bool:
        """Whether any image may be fed now, as far as the limit for all images goes."""
        return self._all is None or self._all.free > 0 or (again and self._all.waiting > 0)

    def take(self, job: Job, *, again: bool) -> None:
        """`job` is fed."""
        for each in self._of(job):
            each.take(again=again)

    def settle(self, job: Job, status: Status | None) -> None:
        """`job` is recorded as `status`; None if nothing came of it, and it is where it was or waits untried."""
        for each in self._of(job):
            each.settle(status)

    def _of(self, job: Job) -> list[_Places]:
        return [*([self._all] if self._all else []), *self._of_classes(job)]

    def _of_classes(self, job: Job) -> list[_Places]:
        known = self._classes or {}
        return [known[name] for name in job.classes if name in known]

    def give_up_waiting(self) -> bool:
        """Gives the places of images that wait to others; False if none waited."""
        places = [*([self._all] if self._all else []), *(self._classes or {}).values()]
        are_waiting = any(each.waiting for each in places)
        for each in places:
            each.waiting = 0
        return are_waiting
