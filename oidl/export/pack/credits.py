"""The rows of `ATTRIBUTION.csv`: made with the samples of a shard, or from the database if it was sealed earlier.

Both are the same text. The first saves a second walk through the database, which takes a third as long as the shards.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from oidl.errors import disk_error
from oidl.export.attribution import credit_line
from oidl.export.pack.context import PackContext
from oidl.export.pack.samples import suffix_of
from oidl.export.text import shown
from oidl.model.sample import Sample
from oidl.state.pack import ShardRow, member_pages
from oidl.storage.atomic import nameless_file


class Credits:
    """The rows of the shards of a pack; those that are made with samples wait in a file without a name."""

    def __init__(self, context: PackContext) -> None:
        self.licenses: set[str] = set()
        self._context = context
        self._file = nameless_file(context.dest)
        self._begins = 0
        self._ranges: dict[int, tuple[int, int]] = {}  # of complete shards: where their rows begin, and their bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._file.close()

    def add(self, shard: ShardRow, sample: Sample) -> None:
        """Makes the row of a sample that was written into `shard`. Raises `DiskError`."""
        self.licenses.add(shown(sample.facts.license))
        line = credit_line(sample.facts, _path(shard, sample.key, sample.suffix))
        try:
            self._file.write(line.encode())
        except OSError as error:
            raise disk_error(self._context.dest, error) from error

    def complete(self, shard: ShardRow) -> None:
        """Keeps the rows that were made since the last shard: `shard` is complete. Raises `DiskError`."""
        ends = self._file.tell()
        self._ranges[shard.shard_id] = self._begins, ends - self._begins
        self._begins = ends

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
                    self.licenses.add(shown(file.license))
                    suffix = suffix_of(member, file, self._context.rendition)
                    yield credit_line(file, _path(shard, file.image_id, suffix))


def _path(shard: ShardRow, image_id: str, suffix: str) -> str:
    name = shard.path.rpartition("/")[2]
    return f"{name}/{image_id}.{suffix}"
