"""A frozen snapshot of a run: the meter returns it and every printer reads it.

Times of day are seconds since the epoch, durations seconds, sizes bytes. Lists
of the past begin with the newest, except `history`, which reads from left to right.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import nlargest
from typing import NamedTuple

from oidl.model import NodeProgress, Reason, Status, WrittenFile
from oidl.net.pace import PaceState


class Second(NamedTuple):
    """One second of a run: images settled, bytes from the network, bytes of finished files."""

    images: int = 0
    bytes_read: int = 0
    bytes_written: int = 0


@dataclass(frozen=True, slots=True)
class Transferring:
    """A download in progress; `expected_bytes` is None if its length is unknown.

    `node` is the name of the node of a cluster that does it, empty on one machine.
    """

    image_id: str
    subset: str
    host: str
    url: str
    received_bytes: int
    expected_bytes: int | None
    elapsed_s: float
    node: str = ""

    @property
    def share(self) -> float | None:
        """The share that has arrived, 0 to 1; None if the length is unknown."""
        return min(1.0, self.received_bytes / self.expected_bytes) if self.expected_bytes else None


@dataclass(frozen=True, slots=True)
class Processing:
    """An image that is being verified and resized; `node` as above."""

    image_id: str
    subset: str
    elapsed_s: float
    node: str = ""


@dataclass(frozen=True, slots=True)
class InProgress:
    """What a node does, or all of them: how many downloads and resizes, and those of them that have taken longest."""

    downloads: int = 0
    resizes: int = 0
    transfers: tuple[Transferring, ...] = ()
    processing: tuple[Processing, ...] = ()


@dataclass(frozen=True, slots=True)
class Success:
    """An image that is done. `width`, `height` and `bytes` are those of the body; `url` is None if it was on disk.

    `files` are the renditions made this time. `transfer_s` is from the first request to the last byte, None without
    a request; `process_s` is a thread's time.
    """

    image_id: str
    subset: str
    files: tuple[WrittenFile, ...]
    url: str | None
    width: int
    height: int
    bytes: int
    finished_at: float
    transfer_s: float | None
    process_s: float | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed try; `status` is `failed` if that is final, `retry` if there will be another."""

    image_id: str
    subset: str
    status: Status
    reason: Reason
    detail: str
    http_status: int | None
    url: str | None
    at: float


@dataclass(frozen=True, slots=True)
class Reading:
    """A list or annotation file on its way to the disk or into the database.

    `rows` are those in the database so far, None if the file is only fetched. `bytes` is None if the file does not
    come from the network, `expected_bytes` if its size is unknown. `is_indexing`: all rows are there and the
    database is sorting them.
    """

    name: str
    rows: int | None
    is_indexing: bool
    bytes: int | None
    expected_bytes: int | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """A snapshot of a run. Rates are per second over the last 20 s.

    About this run: `done` and `failed` images (the failed also `by_reason`), `retried` failed tries that will be
    repeated, `remaining` images that are not settled yet, `in_flight` images at any stage. `bytes_read` counts all
    bytes from the network, including archives; `bytes_written` counts the files of images that are done.

    About all the selected images, including those of earlier runs, as the database has them: `by_subset` (every
    status) and `failures`, the images with status `failed` or `retry`, by reason.

    `reading` is the list or annotation file that is being fetched or loaded, if there is one.

    `goal` is how many images the run should have under its limit, including those of earlier runs; None without one.

    `outcome` is how the run ended, as in `run.outcome`; None while it is active. `page_url` is the address of its web
    page, empty if it has none.

    `nodes` are those of a cluster, those that have ended too; empty without one. Then `transfers` and `processing` are
    those that have taken longest, as each node last reported them; otherwise they are all that are in progress.

    `history` holds the full seconds of the last five minutes, oldest first. `successes` and `failed_tries` are the
    last 100 of each.
    """

    elapsed_s: float
    done: int
    failed: int
    retried: int
    remaining: int
    in_flight: int
    bytes_read: int
    bytes_written: int
    images_per_s: float
    read_bytes_per_s: float
    by_reason: dict[Reason, int]
    paces: tuple[PaceState, ...] = ()
    throttled: int = 0
    written_bytes_per_s: float = 0.0
    by_subset: dict[str, dict[Status, int]] = field(default_factory=dict)
    failures: dict[Reason, dict[Status, int]] = field(default_factory=dict)
    history: tuple[Second, ...] = ()
    transfers: tuple[Transferring, ...] = ()
    processing: tuple[Processing, ...] = ()
    successes: tuple[Success, ...] = ()
    failed_tries: tuple[Failed, ...] = ()
    outcome: str | None = None
    page_url: str = ""
    reading: Reading | None = None
    goal: int | None = None
    nodes: tuple[NodeProgress, ...] = ()

    @property
    def downloads(self) -> int:
        """How many downloads are in progress."""
        return sum(node.downloads or 0 for node in self.nodes) if self.nodes else len(self.transfers)

    @property
    def resizes(self) -> int:
        """How many images are being verified and resized."""
        return sum(node.resizes or 0 for node in self.nodes) if self.nodes else len(self.processing)

    @property
    def is_busy_reading(self) -> bool:
        """Whether `reading` is all there is to report: no image is in flight, and none is known to remain."""
        return self.reading is not None and not self.remaining and not self.in_flight

    @property
    def eta_s(self) -> float | None:
        """Seconds until all images are settled at the present rate; None if nothing moves, or all wait for a retry."""
        # Under a limit, not all images that wait for a retry are among those that remain.
        are_waiting = self.remaining <= self.by_status[Status.RETRY] if self.goal is None else not self.in_flight
        if not self.images_per_s or (self.remaining and are_waiting):
            return None
        return self.remaining / self.images_per_s

    @property
    def by_status(self) -> dict[Status, int]:
        """The selected images by status."""
        return {status: sum(row[status] for row in self.by_subset.values()) for status in Status}

    @property
    def total(self) -> int:
        """How many images are selected; 0 until the image list is loaded."""
        return sum(self.by_status.values())

    @property
    def settled(self) -> int:
        """How many of them are done, or failed for good."""
        by_status = self.by_status
        return by_status[Status.DONE] + by_status[Status.FAILED]

    @property
    def settled_share(self) -> float:
        """`settled` of `total`, 0 to 1."""
        return self.settled / self.total if self.total else 0.0


def slowest(transfers: Iterable[Transferring], processing: Iterable[Processing], most: int) -> InProgress:
    """How many of each there are, and at most `most` of each, those first that have taken longest."""
    every, each_resize = list(transfers), list(processing)
    return InProgress(
        len(every),
        len(each_resize),
        tuple(nlargest(most, every, key=_elapsed)),
        tuple(nlargest(most, each_resize, key=_elapsed)),
    )


def _elapsed(each: Transferring | Processing) -> float:
    return each.elapsed_s
