"""A moment of a run, frozen: what the meter gives and every printer reads.

Times of day are seconds since the epoch, spans are seconds, sizes bytes. Lists
of the past have the newest first, but `history`, which is read from left to right.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from oidl.model import Reason, Status, WrittenFile
from oidl.net.pace import PaceState


class Second(NamedTuple):
    """What one second saw: images settled, bytes from the network, bytes of finished files."""

    images: int = 0
    bytes_read: int = 0
    bytes_written: int = 0


@dataclass(frozen=True, slots=True)
class Transferring:
    """A download in progress; `expected_bytes` is None where nobody has said how long it is."""

    image_id: str
    subset: str
    host: str
    url: str
    received_bytes: int
    expected_bytes: int | None
    elapsed_s: float

    @property
    def share(self) -> float | None:
        """How much of it is here, 0 to 1, as far as that can be said."""
        return min(1.0, self.received_bytes / self.expected_bytes) if self.expected_bytes else None


@dataclass(frozen=True, slots=True)
class Processing:
    """An image that is being verified and resized."""

    image_id: str
    subset: str
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Success:
    """An image that is done. `width`, `height` and `bytes` are of what came, `url` None if that was on disk already.

    `files` are the renditions made this time. `transfer_s` is from the first request to the last byte, None where
    there was none; `process_s` is a thread's time.
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
    """A try that failed: for good (`status` is `failed`), or to be made again (`retry`)."""

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
    """A list or annotation file on its way to the disk or, as far as `rows` says, into the database.

    `rows` is None where none are counted, `bytes` where it does not come from the network, `expected_bytes` where
    nobody has said how many there are. `is_indexing`: the rows are all in, and are now put in order.
    """

    name: str
    rows: int | None
    is_indexing: bool
    bytes: int | None
    expected_bytes: int | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """A moment of a run. Rates are per second over the last 20 s.

    Of this run: `done` and `failed` images (`by_reason` tells the failed apart), `retried` tries that failed and may
    be made again, `remaining` images to be settled yet, `in_flight` ones in hand at any stage. `bytes_read` are all
    that came from the network, archives too; `bytes_written` are those of the files of images that are done.

    Of all the selected images, earlier runs included and as the database has them: `by_subset` (every status) and
    `failures`, the images that stand as `failed` or `retry`, by reason.

    `reading` is the list or annotation file that is fetched or loaded, if one is.

    `goal` is how many images the run is to have under its limit, those of earlier runs included; None without one.

    `outcome` is how the run ended, as in `run.outcome`; None while it goes on.

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
    reading: Reading | None = None
    goal: int | None = None

    @property
    def is_busy_reading(self) -> bool:
        """Whether there is nothing to be told of but `reading`: no image is in hand, or to be done that is known."""
        return self.reading is not None and not self.remaining and not self.in_flight

    @property
    def eta_s(self) -> float | None:
        """Seconds until all is settled at the present rate, or None if nothing moves."""
        return self.remaining / self.images_per_s if self.images_per_s else None

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
