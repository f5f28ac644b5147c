"""What a version of Open Images consists of: its files, and where each is put. Pure.

The rule of places: a `.tar.gz` has its own directories inside and is unpacked
there; any other file is put, as it is published, into the version's directory,
below its subset if it is of one.

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
    """One file as it is served; `bytes`, `md5` and `sha256` (lower-case hex) are of that, None where not published.

    `approx_bytes` is about its size, where the exact one is not known. `images` says how many rows an image list has
    of each subset, where that is known. `subset` None is a file for all subsets; `extent` says which images a list
    has, None where that is the same in all. `member` is the path inside a tar,
    with `{subset}` in it. Files that `is_optional` are fetched only when named.
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
        """Its size, exactly or about; None where neither is known."""
        return self.bytes or self.approx_bytes

    @property
    def is_tar(self) -> bool:
        """Whether it is to be taken apart."""
        return self.name.endswith((".tar.gz", ".tgz", ".tar"))


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the dataset; `directory` is where its subsets lie, in the archives as under the root.

    `providers` maps patterns of host names to who runs them: such hosts share
    one pace. `mirrors` maps a source to the URL of an image there, with `{subset}` and `{image_id}` in it.
    `mean_original_bytes` is about the size of an original, None where it is not known.
    """

    name: str
    title: str
    directory: str
    subsets: tuple[str, ...]
    files: tuple[PublishedFile, ...]
    providers: dict[str, str] = field(default_factory=dict)
    mirrors: dict[str, str] = field(default_factory=dict)
    mean_original_bytes: int | None = None

    def find(self, kind: FileKind, subset: str | None = None) -> PublishedFile | None:
        """The file of this kind that has `subset`, be it among others; None where none is published.

        Of a kind that comes in many files (masks, narratives) it is the first.
        """
        return next((file for file in self.files if file.kind is kind and file.subset in (subset, None)), None)

    def place(self, kind: FileKind, subset: str | None = None) -> PurePosixPath | None:
        """Where, below the root, that file stands once it is fetched; None where there is none or nobody knows."""
        file = self.find(kind, subset)
        return self.place_of(file, subset) if file else None

    def place_of(self, file: PublishedFile, subset: str | None = None) -> PurePosixPath | None:
        """Where `file` (of a tar: its member for `subset`) stands, below the root, once it is fetched."""
        if not file.is_tar:
            return PurePosixPath(self.directory, file.subset or "", file.name)
        return PurePosixPath(file.member.replace("{subset}", subset or "")) if file.member else None

    def recorded_name(self, file: PublishedFile) -> str:
        """What the database calls `file`: where it stands below the root; names alone are alike in several versions."""
        is_placed = not file.is_tar and file.kind is not FileKind.IMAGE_LIST
        return str(self.place_of(file)) if is_placed else file.name

    def image_lists(self, extent: Extent, subsets: Iterable[str]) -> dict[PublishedFile, tuple[str, ...]]:
        """Which lists to read, and which of `subsets` from each: a subset's own list where there is one.

        Raises `UsageError` where no such list is published.
        """
        lists: dict[PublishedFile, tuple[str, ...]] = {}
        for subset in subsets:
            row_conditions = [
                file
                for file in self.files
                if file.kind is FileKind.IMAGE_LIST
                and file.subset in (subset, None)
                and (file.extent or extent) is extent
            ]
            if not row_conditions:
                raise UsageError(
                    f"V{self.name} has no {extent} image list of {subset}",
                    hint=f"--image-list {Extent.FULL} is in every version",
                )
            file = next((file for file in row_conditions if file.subset), row_conditions[0])
            lists[file] = (*lists.get(file, ()), subset)
        return lists

    def image_counts(self, extent: Extent, subsets: Iterable[str]) -> dict[str, int | None]:
        """By subset, how many images its list has; None where that is not known. Raises as `image_lists` does."""
        lists = self.image_lists(extent, subsets)
        return {subset: file.images.get(subset) for file, parts in lists.items() for subset in parts}

    def annotations(self, kinds: Iterable[FileKind], subsets: Iterable[str]) -> tuple[PublishedFile, ...]:
        """What to fetch beside images: the classes and, of `subsets`, the annotations of `kinds`.

        No kinds are all but those that are optional. Raises `UsageError` for a kind that is not published.
        """
        asked, chosen = set(kinds), set(subsets)
        for kind in sorted(asked.difference(file.kind for file in self.files)):
            raise UsageError(f"V{self.name} has no {kind}", hint="`oidl catalogue` lists what each version has")
        return tuple(
            file
            for file in self.files
            if file.kind is not FileKind.IMAGE_LIST
            and (file.subset is None or file.subset in chosen)
            and (file.kind in asked or (file.kind in CLASS_FILES if asked else not file.is_optional))
        )
