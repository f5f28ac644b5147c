"""The samples of a shard: each image with what is known about it and what is in it, from its rows and its file.

The rows come from the database, page by page. The samples are made from them without it, so that another machine can do
that. Memory holds one page of rows and one image.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import NamedTuple

from oidl.errors import DiskError, disk_error
from oidl.export.annotations import AnnotationRows, LeftOut, PageAnnotations, read_annotation_rows
from oidl.export.image import Category, LabelledBox
from oidl.export.masks import MaskReader
from oidl.export.pack.context import PackContext
from oidl.export.remote import COPY_BACK, RemoteImages, read_remote_images
from oidl.export.walk import transform_of
from oidl.hints import command
from oidl.imaging.boxes import Transform
from oidl.model import LabelType, Rendition
from oidl.model.sample import Facts, Sample, SampleBox, SampleLabel
from oidl.settings import Selection
from oidl.state.file_annotations import AnnotatedFile
from oidl.state.homes import Home, read_homes
from oidl.state.pack import Member, ShardRow, member_pages
from oidl.storage.ownership import OwnFiles
from oidl.storage.shards.place import place_of, read_recorded

_ATTRIBUTES = ("is_occluded", "is_group_of", "is_depiction", "is_inside")
_UNKNOWN = -1
_SUFFIXES = {"jpeg": "jpg", "tiff": "tif"}


class SamplePage(NamedTuple):
    """Some images of a shard, in their order, and the published annotations of them."""

    members: Sequence[Member]
    annotations: AnnotationRows


@dataclass(frozen=True, slots=True)
class ChosenAnnotations:
    """Which annotations samples have, as in `AnnotationChoice`."""

    label_names: tuple[str, ...] | None
    selection: Selection
    min_visible: float


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """What the samples of a pack are made by, the same for all its shards; `root_dir` is absolute.

    `homes` are the directories of files that are ours, `remote` the images without a copy in the root. Annotations of
    `kinds` are `chosen`, and have `categories`, a mapping by label name.
    """

    root_dir: Path
    version_dir: str
    subsets: tuple[str, ...]
    homes: tuple[Home, ...]
    remote: RemoteImages
    rendition: Rendition
    kinds: tuple[LabelType, ...]
    chosen: ChosenAnnotations
    categories: Mapping[str, Category]

    def mask_reader(self) -> MaskReader:
        """Reads masks from the archives in the root; must be closed."""
        return MaskReader(self._directories)

    def mask_archives(self) -> list[Path]:
        """The archives that masks are read from; none if samples have no masks."""
        if LabelType.SEGMENTATIONS not in self.kinds:
            return []
        return sorted(path for directory in self._directories.values() for path in directory.glob("*.zip"))

    @property
    def _directories(self) -> dict[str, Path]:
        return {subset: self.root_dir / self.version_dir / subset for subset in self.subsets}


@dataclass(slots=True)
class LeftOutCounts:
    """The annotations that were left out, as in `ExportResult`."""

    unseen: Counter[LabelType] = field(default_factory=Counter)
    unread_masks: int = 0
    unread_mask: str = ""

    def add_to(self, total: LeftOut) -> None:
        """Adds these to a `total`."""
        total.unseen.update(self.unseen)
        total.unread_masks += self.unread_masks
        total.unread_mask = total.unread_mask or self.unread_mask


def sample_settings(context: PackContext, categories: Mapping[str, Category]) -> SampleSettings:
    """Those of a pack with annotations of `categories`."""
    request, layout = context.request, context.layout
    return SampleSettings(
        layout.root_dir,
        layout.version_dir,
        tuple(context.subsets),
        tuple(read_homes(context.db, layout)),
        read_remote_images(context.db, layout.root_dir),
        context.rendition,
        tuple(context.kinds),
        ChosenAnnotations(request.label_names, request.selection, request.min_visible),
        categories,
    )


def sample_pages(context: PackContext, shard: ShardRow, settings: SampleSettings) -> Iterator[SamplePage]:
    """The rows of a shard, in its order."""
    for members in member_pages(context.db, shard.shard_id, settings.rendition.name):
        image_ids = [member.image_id for member in members]
        yield SamplePage(members, read_annotation_rows(context.db, image_ids, settings.chosen, settings.kinds))


class Samples:
    """The samples of pages of rows; needs no database."""

    def __init__(self, settings: SampleSettings, masks: MaskReader) -> None:
        self._settings = settings
        self._masks = masks
        self._own = OwnFiles(settings.homes, settings.subsets)

    def of(self, page: SamplePage, left_out: LeftOut) -> Iterator[Sample | str]:
        """The samples of a page in their order; the ImageID of an image whose file is not there, or another one.

        Raises `DiskError` if a file cannot be read, or if the directory of the files is not there.
        """
        by = self._settings
        annotations = PageAnnotations(page.annotations, by.chosen, by.kinds, by.categories, self._masks, left_out)
        for member in page.members:
            yield self._sample(member, annotations) or member.image_id

    def has_sample(self, member: Member) -> bool:
        """Whether the file of an image is there, as its row says. Raises `DiskError` as `of` does."""
        file = member.file
        return bool(file and transform_of(file, self._settings.rendition)) and self._body(member) is not None

    def _sample(self, member: Member, annotations: PageAnnotations) -> Sample | None:
        file, rendition = member.file, self._settings.rendition
        body, where = self._body(member), file and transform_of(file, rendition)
        if file is None or body is None or where is None:
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

    def _body(self, member: Member) -> bytes | None:
        """The bytes of a file; None if it is not there, is not ours, or has another length than its row says."""
        file, root_dir = member.file, self._settings.root_dir
        if file is None or not self._own.has(file.image_id, self._settings.rendition.name, file.path):
            return None
        try:
            body = read_recorded(root_dir, file.path, member.bytes)
        except (FileNotFoundError, NotADirectoryError):
            self._check_local(file.path)
            _check_directory(root_dir / file.path)
            return None
        except OSError as error:
            raise disk_error(root_dir / file.path, error, "read") from error
        return body if len(body) == member.bytes else None

    def _check_local(self, recorded: str) -> None:
        """Raises `DiskError` if an image is not missing, but in a shard that was uploaded after the plan was made."""
        place = place_of(recorded)
        if place and (store := self._settings.remote.store(recorded)):
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
