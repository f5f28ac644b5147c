"""The samples of a shard: each image with what is known about it and what is in it, from its rows and its file.

Memory holds one page of rows and one image.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

from oidl.errors import DiskError, disk_error
from oidl.export.annotations import PageAnnotations
from oidl.export.image import Category, LabelledBox
from oidl.export.masks import MaskReader
from oidl.export.pack.context import PackContext
from oidl.export.remote import COPY_BACK, read_remote_images
from oidl.export.walk import transform_of
from oidl.hints import command
from oidl.imaging.boxes import Transform
from oidl.model import Rendition
from oidl.model.sample import Facts, Sample, SampleBox, SampleLabel
from oidl.state.file_annotations import AnnotatedFile
from oidl.state.homes import read_homes
from oidl.state.pack import Member, ShardRow, member_pages
from oidl.storage.ownership import OwnFiles
from oidl.storage.shards.place import place_of, read_recorded

_ATTRIBUTES = ("is_occluded", "is_group_of", "is_depiction", "is_inside")
_UNKNOWN = -1
_SUFFIXES = {"jpeg": "jpg", "tiff": "tif"}


class ShardSamples:
    """The samples of the shards of a pack, with annotations of `categories`, a mapping by label name."""

    def __init__(self, context: PackContext, categories: Mapping[str, Category], masks: MaskReader) -> None:
        self._context = context
        self._categories = categories
        self._masks = masks
        self._own = OwnFiles(read_homes(context.db, context.layout), context.subsets)
        self._remote = read_remote_images(context.db, context.layout.root_dir)

    def of(self, shard: ShardRow) -> Iterator[Sample | str]:
        """The samples of `shard` in their order; the ImageID of an image whose file is not there, or another one.

        Raises `DiskError` if a file cannot be read, or if the directory of the files is not there.
        """
        context = self._context
        for page in member_pages(context.db, shard.shard_id, context.rendition.name):
            annotations = PageAnnotations(
                context.db,
                [member.image_id for member in page],
                context.request,
                context.kinds,
                self._categories,
                self._masks,
                context.result,
            )
            for member in page:
                yield self._sample(member, annotations) or member.image_id

    def _sample(self, member: Member, annotations: PageAnnotations) -> Sample | None:
        file, rendition = member.file, self._context.rendition
        if file is None or not self._own.has(file.image_id, rendition.name, file.path):
            return None
        where = transform_of(file, rendition)
        body = self._read(file, member.bytes)
        if body is None or where is None:
            return None
        return Sample(
            body,
            suffix_of(member, file, rendition),
            _facts(member, file),
            tuple(_box(each, where) for each in annotations.boxes(file, where)),
            tuple(
                SampleLabel(category.number, category.label_name, category.name, label.confidence)
                for category, label in annotations.labels(file)
            ),
        )

    def _read(self, file: AnnotatedFile, size: int) -> bytes | None:
        """The bytes of a file; None if it is not there, or has another length than its row says."""
        root_dir = self._context.layout.root_dir
        try:
            body = read_recorded(root_dir, file.path, size)
        except (FileNotFoundError, NotADirectoryError):
            self._check_local(file.path)
            _check_directory(root_dir / file.path)
            return None
        except OSError as error:
            raise disk_error(root_dir / file.path, error, "read") from error
        return body if len(body) == size else None

    def _check_local(self, recorded: str) -> None:
        """Raises `DiskError` if an image is not missing, but in a shard that was uploaded after the plan was made."""
        place = place_of(recorded)
        if place and (store := self._remote.store(recorded)):
            raise DiskError(
                f"{place.shard} is only in {store}",
                hint=f"{COPY_BACK}, or use --again to pack without their images",
            )


def suffix_of(member: Member, file: AnnotatedFile, rendition: Rendition) -> str:
    """The suffix of an image in a shard, without a dot, in one spelling."""
    if file.conversion:
        return "jpg"
    name = rendition.format if rendition.mode else member.format or PurePath(file.path).suffix[1:].lower()
    return _SUFFIXES.get(name, name)


def _check_directory(path: Path) -> None:
    """Raises `DiskError` if it is not a file that is missing, but the directory with the files of all images."""
    directory = path.parent.parent  # above the directories by prefix
    if not directory.is_dir():
        raise DiskError(
            f"the directory {directory}, which has the images, is missing",
            hint=f"mount its disk; if it was deleted, run {command('verify', '--repair')}, then {command('run')}",
        )


def _facts(member: Member, file: AnnotatedFile) -> Facts:
    return Facts(
        image_id=file.image_id,
        subset=file.subset,
        width=file.width,
        height=file.height,
        original_width=member.original_width,
        original_height=member.original_height,
        license=file.license,
        author=file.author,
        author_profile_url=file.author_profile_url,
        title=file.title,
        original_landing_url=file.original_landing_url,
        original_url=file.original_url,
        source=member.source,
        md5=member.md5,
        rotation=_degrees(member.rotation),
        orientation=file.orientation,
        license_verdict=file.license_verdict,
        license_now=file.license_now,
        license_checked=file.license_checked,
    )


def _degrees(rotation: str | None) -> int:
    try:
        return int(float(rotation)) if rotation else _UNKNOWN
    except (ValueError, OverflowError):
        return _UNKNOWN


def _box(each: LabelledBox, where: Transform) -> SampleBox:
    """A box as shares of the file; cut off by the edge of the file, its object is truncated too."""
    box, published = each.box, each.published
    attributes = {name: _flag(getattr(published, name)) for name in _ATTRIBUTES}
    return SampleBox(
        each.category.number,
        each.category.label_name,
        each.category.name,
        box.left / where.width,
        box.right / where.width,
        box.top / where.height,
        box.bottom / where.height,
        is_truncated=1 if each.is_truncated else _flag(published.is_truncated),
        mask=each.mask.counts if each.mask else "",
        **attributes,
    )


def _flag(value: int | None) -> int:
    return _UNKNOWN if value is None else value
