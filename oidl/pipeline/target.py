"""Counts how many images are missing to the limits of a run, and decides which may be fed. Pure.

A limit is a number of images to *have*. An image that is fed takes a slot under the limit. If it is done, it keeps
the slot; if it failed for good, it leaves the slot to the next image; if it waits for a retry, it keeps the slot,
because it may still succeed. So there are never more images in flight than are missing, and the run gets the
requested number, not that number plus whatever happened to be in flight.

Waiting images are replaced only if the run would otherwise end (`give_up_waiting`): if nothing is in flight,
and no retry is due in time. Each replacement takes a slot that was given up, so the number stays right. An image that
was given up and falls due after all needs a free slot like any other.

With a limit for each class, an image takes a slot in every class that it shows, and is fed if one of them still has
a free slot. So a class may exceed its limit if another class needed the image.

Slots are counted, not listed: there is one counter per class, however many images there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from oidl.model import Job, Status


@dataclass(slots=True)
class _Slots:
    limit: int
    complete: int
    in_flight: int = 0
    waiting: int = 0

    @property
    def free(self) -> int:
        return self.limit - self.complete - self.in_flight - self.waiting

    @property
    def is_short(self) -> bool:
        return self.complete < self.limit

    def take(self, *, already_tried: bool) -> None:
        self.in_flight += 1
        if already_tried and self.waiting:
            self.waiting -= 1

    def settle(self, status: Status | None) -> None:
        self.in_flight -= 1
        self.complete += status is Status.DONE
        self.waiting += status is Status.RETRY


class Target:
    """The slots under a limit for all images, and under one for each class; None means no limit.

    `complete` is the number of complete images, `complete_by_class` the same for each class.
    """

    def __init__(
        self,
        limit: int | None = None,
        complete: int = 0,
        limit_per_class: int | None = None,
        complete_by_class: Mapping[str, int] | None = None,
    ) -> None:
        self._all = None if limit is None else _Slots(limit, complete)
        self._classes: dict[str, _Slots] | None = None
        if limit_per_class is not None:
            self._classes = {name: _Slots(limit_per_class, count) for name, count in (complete_by_class or {}).items()}

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
        """Whether the limits are met: the user has all requested images."""
        if self._all and not self._all.is_short:
            return True
        return self._classes is not None and not any(slots.is_short for slots in self._classes.values())

    @property
    def complete(self) -> int:
        """How many images the user has, as counted by the limit for all images; 0 without such a limit."""
        return self._all.complete if self._all else 0

    @property
    def complete_by_class(self) -> dict[str, int]:
        """How many images of each class the user has."""
        return {name: each.complete for name, each in (self._classes or {}).items()}

    def missing(self) -> int | None:
        """The most images that may be missing; None if there is no limit."""
        counts = [self._all.limit - self._all.complete] if self._all else []
        if self._classes is not None:
            counts.append(sum(max(0, slots.limit - slots.complete) for slots in self._classes.values()))
        return max(0, min(counts)) if counts else None

    def free(self, of_class: str | None = None) -> int | None:
        """How many more images, of one class or of any, may be fed now; None if there is no limit."""
        counts = [self._all.free] if self._all else []
        if of_class is not None and self._classes is not None:
            counts.append(self._classes[of_class].free)
        return max(0, min(counts)) if counts else None

    def short_classes(self, *, already_tried: bool) -> list[str] | None:
        """The classes with a free slot or, with `already_tried`, one of a waiting image; None without classes."""
        if self._classes is None:
            return None
        return [name for name, each in self._classes.items() if each.free > 0 or (already_tried and each.waiting > 0)]

    def admits(self, job: Job, *, already_tried: bool) -> bool:
        """Whether `job` may be fed now; `already_tried` is true if this run tried it before."""
        return self.has_slot(already_tried=already_tried) and (
            self._classes is None
            or any(each.free > 0 or (already_tried and each.waiting > 0) for each in self._of_classes(job))
        )

    def has_slot(self, *, already_tried: bool) -> bool:
        """Whether the limit for all images allows another image to be fed now."""
        return self._all is None or self._all.free > 0 or (already_tried and self._all.waiting > 0)

    def take(self, job: Job, *, already_tried: bool) -> None:
        """Counts `job` as fed."""
        for each in self._of(job):
            each.take(already_tried=already_tried)

    def settle(self, job: Job, status: Status | None) -> None:
        """Counts `job` as recorded with `status`; None if it has no result: it is unchanged, or waits untried."""
        for each in self._of(job):
            each.settle(status)

    def _of(self, job: Job) -> list[_Slots]:
        return [*([self._all] if self._all else []), *self._of_classes(job)]

    def _of_classes(self, job: Job) -> list[_Slots]:
        known = self._classes or {}
        return [known[name] for name in job.classes if name in known]

    def give_up_waiting(self) -> bool:
        """Frees the slots of waiting images for others; returns False if none waited."""
        slots = [*([self._all] if self._all else []), *(self._classes or {}).values()]
        are_waiting = any(each.waiting for each in slots)
        for each in slots:
            each.waiting = 0
        return are_waiting
