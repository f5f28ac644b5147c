"""The values that the coordinator and a node exchange; both ends are the same version of oidl."""

from dataclasses import dataclass, field
from typing import NamedTuple

from oidl.model import Done, Failure, Job, Postponed
from oidl.net.pace import PaceState
from oidl.node.frames import Call, Reply
from oidl.progress.statistics import InProgress
from oidl.storage.shards.files import Range

SILENCE_S = 60.0
"""A node that has not answered for so long is lost."""

ENOUGH = 500
"""With so many results, a node answers at once."""

REPORTED = 10
"""So many downloads in progress, and resizes, are in a report at most; each is some hundred bytes."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long both sides wait for each other; all of it follows from how long a node may be silent."""

    silence_s: float = SILENCE_S

    @property
    def lease_s(self) -> float:
        """A node that has heard nothing for so long ends: its coordinator has died, or has given it up."""
        return self.silence_s / 3

    @property
    def wait_s(self) -> float:
        """The longest time that a node takes to answer, if it has nothing new."""
        return min(2.0, self.lease_s / 3)

    @property
    def keep_s(self) -> float:
        """Between exchanges about nothing, which keep a node alive."""
        return min(4.0, self.lease_s / 4)


class Result(NamedTuple):
    """The result of an image, as in `Outcome`; None if the node has not begun with it, and will not."""

    image_id: str
    result: Done | Failure | Postponed | None
    earlier: tuple[Failure, ...] = ()


class SealOrder(NamedTuple):
    """How a node completes a shard that it has on its own disk: `source` becomes `target`, which may be the same.

    Both paths are relative to the node's directory. `ranges` of the source are the samples that count, one after the
    other if it stays in its place; `end` comes after them. Then it is staged as `staged`.
    """

    shard_id: int
    source: str
    target: str
    ranges: tuple[Range, ...]
    end: bytes
    staged: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the coordinator sends: more jobs, and replies to the node's questions.

    Exchanges of a life have numbers from 1; one that arrives twice gets the same answer, and does nothing else.
    `refused_names` are names that files must not have, with the ImageID that they are refused to. A node that
    `drains` begins nothing new; one that `ends` has no jobs left and stops. `seals` are shards to complete; a node that
    `holds` shards stays until they are staged.
    """

    number: int
    jobs: tuple[Job, ...] = ()
    refused_names: frozenset[tuple[str, str]] = frozenset()
    replies: tuple[Reply, ...] = ()
    drains: bool = False
    ends: bool = False
    seals: tuple[SealOrder, ...] = ()
    holds: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a node: images in progress, and since the last report the bytes read and the throttled answers.

    `active` is what it does with some of the images in progress: the others wait, for their host or for a thread.
    """

    in_progress: int = 0
    bytes_read: int = 0
    throttled: int = 0
    paces: tuple[PaceState, ...] = ()
    active: InProgress = field(default_factory=InProgress)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node sends back.

    `calls` are calls of the methods of `Coordinator`, with number 0 if they need no reply; `texts` are messages for the
    user. One that `has_stopped` processes no images any more, and has closed its shards. If it `has_ended`, `problem`
    says why, empty if it was asked to.
    """

    results: tuple[Result, ...] = ()
    calls: tuple[Call, ...] = ()
    report: Report = Report()
    texts: tuple[str, ...] = ()
    has_stopped: bool = False
    has_ended: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a worker says about itself before it gets any work.

    `versions` are those of what decides the bytes of a file, by name. `can_see` is whether it has the coordinator's
    file on its disk: then they share a filesystem.
    """

    versions: dict[str, str]
    can_see: bool
    threads: int
