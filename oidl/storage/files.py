"""Stores images as plain files: `<root>/<version>/<subset>/<directory>/<prefix>/<name>.<ext>`, as in `layout`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from oidl.model import ORIGINAL, Job, Member, Rendition, Source
from oidl.model.sample import Sample
from oidl.settings import FileNames, Layout
from oidl.storage.layout import flickr_name, output_path, recorded_path, subset_directory
from oidl.storage.shards.place import read_recorded


class Writer(Protocol):
    """Writes files that are whole when they appear."""

    def write(self, home: Path, path: Path, body: bytes) -> None:
        """Writes `body` to `path`, below `home`. Raises `DiskError`."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """The `Store` of plain files. It looks for originals in `originals_directory`.

    `claim(name, image_id)` says whether the files of an image may have a name. It is called before anything is written
    under a name that is not the ImageID.
    """

    layout: Layout
    writer: Writer
    originals_directory: str
    claim: Callable[[str, str], bool] = field(default=lambda name, image_id: True)

    def put(
        self,
        job: Job,
        rendition: Rendition,
        body: bytes,
        source: Source,
        sample: Callable[[str], Sample],
        *,
        suffix: str | None = None,
        unless_at: str | None = None,
    ) -> tuple[str, Member | None]:
        """As in `Store`."""
        path = output_path(self.layout, rendition, job, self._name(job), source)
        if suffix:
            path = path.with_suffix(suffix)
        if not (rendition.name == ORIGINAL and str(path) == unless_at):
            self.writer.write(subset_directory(self.layout, job.subset, rendition.directory), path, body)
        return recorded_path(self.layout, path), None

    def find_originals(self, job: Job) -> Iterator[tuple[str, bytes]]:
        """As in `Store`: the recorded file first, then a file with the name of an original."""
        for path in self._original_paths(job):
            try:
                body = read_recorded(self.layout.root_dir, path, job.original_size)
            except (OSError, ValueError):  # the latter of a path with a zero byte
                continue
            if len(body) == job.original_size:
                yield str(self.layout.root_dir / path), body

    def has_originals(self, subset: str) -> bool:
        """As in `Store`."""
        return subset_directory(self.layout, subset, self.originals_directory).is_dir()

    def _original_paths(self, job: Job) -> Iterator[str]:
        if job.saved_original is not None:
            yield job.saved_original
        yield str(output_path(self.layout, Rendition(ORIGINAL, self.originals_directory), job, self._name(job)))

    def _name(self, job: Job) -> str:
        """The name of the files of `job`, without a suffix."""
        name = flickr_name(job) if self.layout.name_files_by is FileNames.FLICKR else None
        return name if name and self.claim(name, job.image_id) else job.image_id
