"""The files of a version of Open Images, and their paths below the root. Pure.

The rule for paths: a `.tar.gz` contains its own directories and is unpacked
below the root; any other file goes unchanged into the version's directory, below
its subset if it belongs to one.

    version = find_version(read_catalogue(None), "7")
    version.find(FileKind.BOXES, "train").url
    version.place(FileKind.BOXES, "train")     # v7/train/oidv6-train-annotations-bbox.csv
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from oidl.errors import UsageError
from oidl.model import CLASS_FILES, Extent, FileKind


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file as served, with its `bytes`, `md5` and `sha256` (lower-case hex), None if not published.

    `approx_bytes` is its approximate size if the exact one is unknown. `images` has the number of rows of an image
    list per subset, if known. A `subset` of None is a file for all subsets. `extent` says which images a list has,
    None if all lists have the same ones. `member` is the path inside a tar, with `{subset}` in it. Files that
    `is_optional` are fetched only if requested by kind.
    """

    name: str
    url: str
    bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None
    approx_bytes: int | None = None
    kind: FileKind = FileKind.IMAGE_LIST
    subset: str | None = None
    extent: Extent | None = None
    member: str | None = None
    is_optional: bool = False
    images: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def expected_bytes(self) -> int | None:
        """The exact or approximate size; None if neither is known."""
        return self.bytes or self.approx_bytes

    @property
    def is_tar(self) -> bool:
        """Whether the file is a tar, which is unpacked."""
        return self.name.endswith((".tar.gz", ".tgz", ".tar"))


@dataclass(frozen=True, slots=True)
class Mirror:
    """Copies of images on another server, which may lack some.

    `url` has `{image_id}` in it and may have `{subset}`. A response with a status in `absent` means that the mirror
    lacks the image. A copy has `mean_bytes` on average, and never more than `max_bytes`.
    """

    url: str
    absent: frozenset[int]
    mean_bytes: int
    max_bytes: int

    def url_of(self, subset: str, image_id: str) -> str:
        """The URL of the copy of an image."""
        return self.url.replace("{subset}", subset).replace("{image_id}", image_id)


@dataclass(frozen=True, slots=True)
class LicenseServices:
    """What knows the licence of a photo: URLs with `{photo}` (its number), `{owner}`, `{page}` and `{key}` in them.

    `{page}` is the published page, quoted. `released` is the day of the dataset's release, like `2016-09-30`.
    """

    oembed: str
    info: str
    history: str
    page: str
    released: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the dataset; its subsets are in `directory`, in the archives and under the root.

    `providers` maps patterns of host names to their provider: hosts of one provider share one pace. `mirrors` are
    the sources beside Flickr, by name. `mean_original_bytes` is the approximate size of an original, None if unknown.
    `licenses` are the services that know the licences of photos, None if the catalogue names none.
    """

    name: str
    title: str
    directory: str
    subsets: tuple[str, ...]
    files: tuple[PublishedFile, ...]
    providers: dict[str, str] = field(default_factory=dict)
    mirrors: dict[str, Mirror] = field(default_factory=dict)
    mean_original_bytes: int | None = None
    licenses: LicenseServices | None = None

    def find(self, kind: FileKind, subset: str | None = None) -> PublishedFile | None:
        """The file of this kind for `subset`, alone or among others; None if none is published.

        It is the first one of a kind that has many files (masks, narratives).
        """
        return next((file for file in self.files if file.kind is kind and file.subset in (subset, None)), None)

    def place(self, kind: FileKind, subset: str | None = None) -> PurePosixPath | None:
        """The path of that file below the root after it is fetched; None if there is none or the path is unknown."""
        file = self.find(kind, subset)
        return self.place_of(file, subset) if file else None

    def place_of(self, file: PublishedFile, subset: str | None = None) -> PurePosixPath | None:
        """The path of `file` (for a tar: of its member for `subset`) below the root after it is fetched."""
        if not file.is_tar:
            return PurePosixPath(self.directory, file.subset or "", file.name)
        return PurePosixPath(file.member.replace("{subset}", subset or "")) if file.member else None

    def recorded_name(self, file: PublishedFile) -> str:
        """The name of `file` in the database: its path below the root, because versions share file names."""
        is_placed = not file.is_tar and file.kind is not FileKind.IMAGE_LIST
        return str(self.place_of(file)) if is_placed else file.name

    def image_lists(self, extent: Extent, subsets: Iterable[str]) -> dict[PublishedFile, tuple[str, ...]]:
        """The lists to read, and which of `subsets` from each: a subset's own list if it has one.

        Raises `UsageError` if no such list is published.
        """
        lists: dict[PublishedFile, tuple[str, ...]] = {}
        for subset in subsets:
            candidates = [
                file
                for file in self.files
                if file.kind is FileKind.IMAGE_LIST
                and file.subset in (subset, None)
                and (file.extent or extent) is extent
            ]
            if not candidates:
                raise UsageError(
                    f"V{self.name} has no {extent} image list for {subset}",
                    hint=f"use --image-list {Extent.FULL}, which every version has",
                )
            file = next((file for file in candidates if file.subset), candidates[0])
            lists[file] = (*lists.get(file, ()), subset)
        return lists

    def image_counts(self, extent: Extent, subsets: Iterable[str]) -> dict[str, int | None]:
        """The number of images in the list of each subset; None if unknown. Raises like `image_lists`."""
        lists = self.image_lists(extent, subsets)
        return {subset: file.images.get(subset) for file, parts in lists.items() for subset in parts}

    def annotations(self, kinds: Iterable[FileKind], subsets: Iterable[str]) -> tuple[PublishedFile, ...]:
        """The files to fetch in addition to images: the classes, and the annotations of `kinds` for `subsets`.

        Without kinds, all that are not optional. Raises `UsageError` for a kind that is not published.
        """
        requested, subsets = set(kinds), set(subsets)
        for kind in sorted(requested.difference(file.kind for file in self.files)):
            raise UsageError(f"V{self.name} has no {kind}", hint="run `oidl catalogue` to list what each version has")
        return tuple(
            file
            for file in self.files
            if file.kind is not FileKind.IMAGE_LIST
            and (file.subset is None or file.subset in subsets)
            and (file.kind in requested or (file.kind in CLASS_FILES if requested else not file.is_optional))
        )
