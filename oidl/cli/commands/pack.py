"""`oidl pack`: writes the images that are there into shards, for training."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from oidl.cli.options.cluster import ClusterOptions
from oidl.cli.options.groups import OUTPUT, SELECTION, filled, in_section
from oidl.cli.options.paths import PathOptions
from oidl.cli.options.selection import SelectionOptions
from oidl.cli.options.types import A_SHARE, AT_LEAST_ONE, BYTES, absolute, bytes_text
from oidl.cli.selection import before_annotations, label_names, select_images
from oidl.cli.shards_writer import shards_writer
from oidl.cli.signals import stop_requests
from oidl.errors import ExitCode, StoppedError, UsageError, disk_error
from oidl.export.pack.describe import pack_line, packed_text
from oidl.export.pack.formats import FORMATS, PackFormat
from oidl.export.pack.job import pack as pack_shards
from oidl.export.pack.job import packed_kinds
from oidl.export.pack.request import SHARD_SAMPLES, PackRequest, PackResult, Step
from oidl.export.split import BY_SUBSET, parse_split
from oidl.hints import command
from oidl.progress.console import open_console
from oidl.progress.lines import PacedLine
from oidl.settings import Selection
from oidl.state.connection import StateConnection, interruptible
from oidl.state.database import open_reader, open_writer
from oidl.state.lock import writer_lock
from oidl.state.warm import warm_up
from oidl.storage.remote import RemoteStore
from oidl.text import printable, suggestion

_FORMATS = "One of " + ", ".join(f"`{name}`" for name in FORMATS) + "."
_SIZES = ", ".join(f"{bytes_text(each.shard_bytes)} for `{each.name}`" for each in FORMATS.values())
_SHARD_SIZE = f"About how many bytes a shard has at most, like `500M`. Default: {_SIZES}."


@dataclass(frozen=True, kw_only=True)
@in_section(OUTPUT)
class PackOptions:
    """How images are packed."""

    format: Annotated[str, Parameter(help=_FORMATS)] = "webdataset"

    rendition: str | None = None
    """The rendition to pack, as `oidl renditions` names it. Default: the only resized one."""

    limit: Annotated[int | None, AT_LEAST_ONE, Parameter(group=SELECTION)] = None
    """Pack at most this many images."""

    min_visible: Annotated[float, A_SHARE] = 0.0
    """Leave out boxes of which a crop left less than this share, like `0.3`; those cut off entirely always are."""

    with_empty: bool = False
    """With `--classes` or `--label-types`: also pack images that have none of these annotations."""

    split: str = BY_SUBSET
    """`subset` (as published), or percentages of train, validation and test, like `80/20` or `80/10/10`."""

    shard_size: Annotated[int | None, BYTES, AT_LEAST_ONE, Parameter(help=_SHARD_SIZE)] = None

    shard_samples: Annotated[int, AT_LEAST_ONE] = SHARD_SAMPLES
    """How many images a shard has at most."""

    idx: Annotated[bool, Parameter(negative="")] = False
    """Also write an index file for NVIDIA DALI next to each shard (`webdataset`, `tfrecord`)."""

    again: Annotated[bool, Parameter(negative="")] = False
    """Replace the shards that are there by new ones, of the images that are there now."""

    remote: str | None = None
    """Also upload the complete set to an object store: `s3://bucket/prefix`, `gs://…`, `az://…`."""

    dest: Path | None = None
    """Write here instead of `<root-dir>/<version>/pack/<format>/<rendition>`."""

    @property
    def pack_format(self) -> PackFormat:
        """The format that `--format` names. Raises `UsageError`."""
        form = FORMATS.get(self.format.lower())
        if form is None:
            raise UsageError(f"--format: there is no format {self.format!r}", hint=suggestion(self.format, FORMATS))
        if self.idx and not form.has_records:
            raise UsageError(f"DALI cannot read {form.name}", hint="leave out --idx, or choose another --format")
        form.require()
        return form


def pack(
    paths: PathOptions = PathOptions(),
    images: SelectionOptions = SelectionOptions(),
    options: PackOptions = PackOptions(),
    cluster: ClusterOptions = ClusterOptions(),
) -> int:
    """Packs the chosen images, prints what was written and what was left out, and returns the exit code."""
    form, split = options.pack_format, parse_split(options.split, images.seed)
    selection = images.settings(options.limit)
    packed_kinds(selection.label_types)
    with_empty = options.with_empty or not selection.label_types
    with _opened(paths) as db:
        request = filled(
            PackRequest,
            options,
            format=form,
            selection=selection,
            selected=select_images(db, _selecting(selection, with_empty=with_empty)),
            image_ids_sha256=_digest(selection.image_ids),
            label_names=label_names(db, selection),
            with_empty=with_empty,
            split=split,
            shard_bytes=options.shard_size or form.shard_bytes,
            with_idx=options.idx,
            dest=absolute(options.dest) if options.dest else None,
            remote=RemoteStore(options.remote) if options.remote is not None else None,
        )
        result = _pack(db, absolute(paths.root_dir), request, cluster.cluster)
    print(printable(packed_text(result, request)))
    return ExitCode.UNFINISHED if result.absent else ExitCode.SETTLED


def _selecting(selection: Selection, *, with_empty: bool) -> Selection:
    """What chooses the images: without their annotations if those without any are packed too."""
    return before_annotations(selection, with_empty=True) if with_empty else selection


def _pack(db: StateConnection, root_dir: Path, request: PackRequest, cluster: str | None) -> PackResult:
    """Packs, with a progress line on stderr; Ctrl-C stops it after the current image, or the workers of `cluster`."""
    with stop_requests() as is_stopped, open_console(None, log_to_stdout=False) as console:
        line = PacedLine(console.show, is_terminal=console.is_terminal)

        def stopped() -> StoppedError:
            return StoppedError("stopped; any complete shards stay", hint=_resume(again=request.again))

        def check() -> None:
            if is_stopped():
                raise stopped()

        def tell(step: Step, now: PackResult) -> None:
            check()
            line(lambda elapsed_s: pack_line(now, elapsed_s))

        write = shards_writer(cluster, console.say, stopped)
        with interruptible(db, check):
            return pack_shards(db, root_dir, request, tell, write)


def _resume(*, again: bool) -> str:
    but = ", but without --again," if again else ""
    return f"run {command('pack')} with the same options{but} to resume"


def _digest(image_ids: Path | None) -> str:
    """The SHA-256 of the given list, which may have other images later."""
    if image_ids is None:
        return ""
    try:
        with open(image_ids, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise disk_error(image_ids, error, "read") from error


@contextmanager
def _opened(paths: PathOptions) -> Iterator[StateConnection]:
    """The database for writing, with its lock."""
    with open_reader(paths.database):  # a pack neither creates nor updates a database
        pass
    warm_up(paths.database)
    with writer_lock(paths.database), open_writer(paths.database) as db:
        yield db
