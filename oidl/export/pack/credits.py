"""The rows of `ATTRIBUTION.csv`: made with the samples of a shard, or from the database if it was sealed earlier.

Both are the same text. The first saves a second walk through the database, which takes a third as long as the shards.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from oidl.errors import disk_error
from oidl.export.attribution import credit_line
from oidl.export.pack.context import PackContext
from oidl.export.pack.samples import suffix_of
from oidl.export.text import shown
from oidl.model.sample import Facts, Sample
from oidl.state.file_annotations import AnnotatedFile
from oidl.state.pack import ShardRow, member_pages
from oidl.storage.atomic import nameless_file


@dataclass(slots=True)
class LicenseSummary:
    """What is known about the licences of images, for the card.

    `licenses` are the published ones, `verdicts` counts them by what the last check of the licence found ("" without a
    check), and `checked` are the first and the last time of these checks.
    """

    licenses: set[str] = field(default_factory=set)
    verdicts: Counter[str] = field(default_factory=Counter)
    checked: tuple[str, str] = ("", "")

    def note(self, image: Facts | AnnotatedFile) -> None:
        """Counts an image."""
        self.licenses.add(shown(image.license))
        self.verdicts[image.license_verdict] += 1
        if image.license_checked:
            self._extend(image.license_checked, image.license_checked)

    def add(self, other: "LicenseSummary") -> None:
        """Counts the images of another summary too."""
        self.licenses |= other.licenses
        self.verdicts.update(other.verdicts)
        if any(other.checked):
            self._extend(*other.checked)

    def _extend(self, first: str, last: str) -> None:
        self.checked = min(self.checked[0] or first, first), max(self.checked[1], last)


class Credits:
    """The rows of the shards of a pack; those that are made with samples wait in a file without a name.

    `summary` is of the images whose rows were made or read.
    """

    def __init__(self, context: PackContext) -> None:
        self.summary = LicenseSummary()
        self._context = context
        self._file = nameless_file(context.dest)
        self._begins = 0
        self._ranges: dict[int, tuple[int, int]] = {}  # of complete shards: where their rows begin, and their bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with suppress(OSError):  # rows that do not fit on the disk are not needed any more
            self._file.close()

    def add(self, shard: ShardRow, sample: Sample) -> None:
        """Makes the row of a sample that was written into `shard`. Raises `DiskError`."""
        self.summary.note(sample.facts)
        self._write(sample_credit(shard.path, sample))

    def complete(self, shard: ShardRow) -> None:
        """Keeps the rows that were made since the last shard: `shard` is complete. Raises `DiskError`."""
        ends = self._file.tell()
        self._ranges[shard.shard_id] = self._begins, ends - self._begins
        self._begins = ends

    def add_shard(self, shard: ShardRow, rows: str, summary: LicenseSummary) -> None:
        """Keeps the rows of a shard that another machine made, which is complete. Raises `DiskError`."""
        self.summary.add(summary)
        self._write(rows)
        self.complete(shard)

    def of(self, shard: ShardRow) -> Iterator[str]:
        """The rows of a shard, in its order. Raises `DiskError`."""
        if shard.shard_id in self._ranges:
            begins, size = self._ranges[shard.shard_id]
            try:
                self._file.seek(begins)
                yield self._file.read(size).decode()
            except OSError as error:
                raise disk_error(self._context.dest, error) from error
            return
        for page in member_pages(self._context.db, shard.shard_id, self._context.rendition.name):
            for member in page:
                if file := member.file:  # it may have been deleted after it was packed
                    self.summary.note(file)
                    suffix = suffix_of(member, file, self._context.rendition)
                    yield credit_line(file, _path(shard.path, file.image_id, suffix))

    def _write(self, rows: str) -> None:
        try:
            self._file.write(rows.encode())
        except OSError as error:
            raise disk_error(self._context.dest, error) from error


def sample_credit(shard: str, sample: Sample) -> str:
    """The row of a sample in the shard with this path."""
    return credit_line(sample.facts, _path(shard, sample.key, sample.suffix))


def _path(shard: str, image_id: str, suffix: str) -> str:
    return f"{shard.rpartition('/')[2]}/{image_id}.{suffix}"
