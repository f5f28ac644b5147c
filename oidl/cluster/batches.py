"""Which images wait for a node, and which life of a node has which: the claims of a run. Pure.

Claims are in the coordinator's memory only. An image has one claim at most, and a result counts only if it comes from
the life that has the claim, so whatever runs twice is recorded once.

If a life ends, what it had is done again by others. Perhaps one of these images was the reason. So a batch
whose node died twice is halved, and the halves are given to a node that has nothing else, one after the other: only
the half with the image that kills is halved again, until it is alone.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from oidl.model import Job

_SUSPECT_DEATHS = 2  # of nodes with a batch: then it is halved
_DEADLY_DEATHS = 6  # of nodes that had one image, with others or alone: some die for other reasons


@dataclass(slots=True, eq=False)
class Batch:
    """Images that were given to a node together, without those that have a result.

    `attempt` counts how often they were given; so many nodes died at it as `deaths` says.
    """

    number: int
    jobs: dict[str, Job]
    attempt: int = 1
    deaths: int = 0


class Batches:
    """The waiting images of a run, and the claims of lives on the others."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._again: deque[Batch] = deque()
        self._suspects: deque[Batch] = deque()
        self._claims: dict[str, tuple[str, Batch]] = {}
        self._batches: dict[str, list[Batch]] = {}  # with images in progress, by life
        self._quarantine: str | None = None  # the life that gets the suspects, and nothing else
        self._number = 0

    def __repr__(self) -> str:
        return f"<Batches: {self.waiting} images waiting, {len(self._claims)} in progress>"

    @property
    def waiting(self) -> int:
        """How many images no life has."""
        return len(self._waiting) + sum(len(batch.jobs) for batch in (*self._again, *self._suspects))

    @property
    def unfinished(self) -> int:
        """How many images wait or are in progress."""
        return self.waiting + len(self._claims)

    @property
    def is_empty(self) -> bool:
        """Whether no image waits, and none is in progress."""
        return not self._claims and not self.waiting

    def count(self, life: str) -> int:
        """How many images this life has."""
        return sum(len(batch.jobs) for batch in self._batches.get(life, ()))

    def add(self, job: Job) -> None:
        """Lets an image wait for a node."""
        self._waiting.append(job)

    def take(self, life: str, most: int) -> list[Job]:
        """Gives images to a life: at most `most`, but a batch that is done again is given as a whole."""
        if self._is_quarantine(life):
            if self.count(life) or not self._suspects:
                return []
            return self._give(life, self._suspects.popleft())
        if most <= 0:
            return []
        if self._again:
            return self._give(life, self._again.popleft())
        jobs = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        return self._give(life, self._new_batch(jobs)) if jobs else []

    def settle(self, life: str, image_id: str) -> Job | None:
        """Ends the claim of a life, which has a result; None if it has no claim: then its result does not count."""
        owner, batch = self._claims.get(image_id, (None, None))
        if owner != life or batch is None:
            return None
        del self._claims[image_id]
        job = batch.jobs.pop(image_id)
        if not batch.jobs:
            self._batches[life].remove(batch)
        return job

    def lose(self, life: str, *, has_died: bool = True) -> list[Job]:
        """Ends a life: what it had waits again. Returns the images that have killed nodes, which do not.

        If it has not died, but left or was excluded, none of its images is to blame.
        """
        deadly: list[Job] = []
        if self._quarantine == life:
            self._quarantine = None
        for batch in self._batches.pop(life, []):
            for image_id in batch.jobs:
                del self._claims[image_id]
            batch.attempt += 1
            batch.deaths += has_died
            if len(batch.jobs) == 1 and batch.deaths >= _DEADLY_DEATHS:
                deadly += batch.jobs.values()
            elif batch.deaths >= _SUSPECT_DEATHS:
                self._suspects.extend(self._halves(batch))
            else:
                self._again.append(batch)
        return deadly

    def drop_waiting(self) -> list[Job]:
        """Removes and returns everything that waits."""
        again = [job for batch in (*self._again, *self._suspects) for job in batch.jobs.values()]
        jobs = [*self._waiting, *again]
        self._waiting.clear()
        self._again.clear()
        self._suspects.clear()
        return jobs

    def _is_quarantine(self, life: str) -> bool:
        """Whether this life gets the suspects; the first that asks while there are some does."""
        if self._quarantine == life and not self._suspects and not self.count(life):
            self._quarantine = None
        elif self._quarantine is None and self._suspects:
            self._quarantine = life
        return self._quarantine == life

    def _give(self, life: str, batch: Batch) -> list[Job]:
        self._batches.setdefault(life, []).append(batch)
        self._claims.update((image_id, (life, batch)) for image_id in batch.jobs)
        return list(batch.jobs.values())

    def _new_batch(self, jobs: list[Job], attempt: int = 1, deaths: int = 0) -> Batch:
        self._number += 1
        return Batch(self._number, {job.image_id: job for job in jobs}, attempt, deaths)

    def _halves(self, batch: Batch) -> Iterator[Batch]:
        jobs = list(batch.jobs.values())
        middle = (len(jobs) + 1) // 2
        for half in (jobs[:middle], jobs[middle:]):
            if half:
                yield self._new_batch(half, batch.attempt, batch.deaths)
