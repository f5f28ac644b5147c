"""The worker's side of a pack: one life, in a thread of its own, which writes one shard."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from io import StringIO
from pathlib import Path

from oidl.cluster.packing.order import SHARD, ShardOrder, ShardReport, Stored, WrittenShard, new_values
from oidl.errors import OidlError, disk_error
from oidl.export.pack.credits import LicenseSummary, sample_credit
from oidl.export.pack.formats import FORMATS
from oidl.export.pack.samples import LeftOutCounts, Samples, SampleSettings
from oidl.export.pack.write import write_samples
from oidl.model.sample import Sample
from oidl.storage.shards.sealing import durable_file

_RESULT = "result"
_LOOK_S = 1.0  # between looks whether the directory is still there

log = logging.getLogger("oidl")


class _GivenUpError(Exception):
    """The coordinator has died, or has given this life up."""


class ShardJob:
    """Writes the shard of `order`; ends by itself if it is not asked for a report for the lease, by `clock`."""

    def __init__(self, order: ShardOrder, clock: Callable[[], float] = time.monotonic) -> None:
        self._order = order
        self._clock = clock
        self._heard_at = self._looked_at = clock()
        self._samples = 0
        self._ended: ShardReport | None = None
        self._has_ended = threading.Event()

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self.run, name=f"oidl-shard-{self._order.life}", daemon=True).start()

    @property
    def is_forgotten(self) -> bool:
        """Whether there was no report for the lease."""
        return self._clock() - self._heard_at > self._order.timing.lease_s

    def report(self) -> ShardReport:
        """How far it is; waits a little for the end. Called in any thread but its own."""
        if self.is_forgotten and not self._ended:
            return ShardReport(has_given_up=True)  # as soon as it notices
        self._heard_at = self._clock()
        self._has_ended.wait(self._order.timing.wait_s)
        self._heard_at = self._clock()
        return self._ended or ShardReport(self._samples)

    def run(self) -> None:
        """Writes the shard in this thread."""
        try:
            self._ended = ShardReport(self._samples, result=write_shard(self._order, self._note))
        except _GivenUpError:
            log.info("shard %s was given up", self._order.shard)
            self._ended = ShardReport(has_given_up=True)
        except OidlError as error:
            self._ended = ShardReport(error=error.with_traceback(None))  # which would keep files open
        except BaseException as error:
            log.exception("a shard could not be written")
            self._ended = ShardReport(error=OidlError(f"{type(error).__name__}: {error}"))
        finally:
            self._has_ended.set()

    def _note(self) -> None:
        """After each image."""
        self._samples += 1
        now = self._clock()
        if now - self._heard_at > self._order.timing.lease_s:
            raise _GivenUpError
        if now - self._looked_at > _LOOK_S:
            self._looked_at = now
            if not Path(self._order.directory).exists():
                raise _GivenUpError


def write_shard(order: ShardOrder, note: Callable[[], None]) -> Stored:
    """Writes the shard of `order`, and a file with its `WrittenShard`; `note` is called after each image.

    Raises `DiskError`, or another `OidlError` of the pack on one machine.
    """
    directory = Path(order.directory)
    licenses, left_out, credits = LicenseSummary(), LeftOutCounts(), StringIO()

    def added(sample: Sample | None) -> None:
        if sample:
            licenses.note(sample.facts)
            credits.write(sample_credit(order.shard, sample))
        note()

    settings: SampleSettings
    (settings,) = order.settings.read()
    try:
        # A call that Dask repeats finds the file of the first one, and fails.
        with (
            durable_file(directory / SHARD, is_new=True) as file,
            closing(settings.mask_reader()) as masks,
            closing(order.rows.read()) as pages,
        ):
            samples = Samples(settings, masks)
            every = (each for page in pages for each in samples.of(page, left_out))
            writer = FORMATS[order.format].open(file, settings.rendition)
            written, missing = write_samples(writer, every, added)
        made = WrittenShard(written, missing, file.bytes, file.sha256, credits.getvalue(), licenses, left_out)
        with new_values(directory / _RESULT) as values:
            values.add(made)
        return values.stored
    except OSError as error:
        raise disk_error(settings.root_dir / order.shard, error) from error
