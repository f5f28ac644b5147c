"""Options: which version of Open Images, which of its lists, and which annotations."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from oidl.cli.options.groups import DOWNLOAD, in_section
from oidl.cli.options.lists import list_of
from oidl.cli.options.types import absolute, one_of
from oidl.model import Extent, FileKind

_ANNOTATIONS = list_of("kind of annotation", "boxes,labels", [kind for kind in FileKind if kind != FileKind.IMAGE_LIST])


@dataclass(frozen=True, kw_only=True)
@in_section(DOWNLOAD)
class DatasetOptions:
    """Dataset."""

    dataset_version: str | None = None
    """The version of Open Images, one of the catalogue's. Default: the newest, which is 7."""

    images_csv: str | None = None
    """Your own image list instead: a path or URL of a `.csv`, `.csv.gz` or `.tar.gz` in the version's format."""

    catalogue: Path | None = None
    """A TOML file to use instead of the built-in catalogue, in the same format (mirrors, tests)."""

    image_list: Annotated[Extent, one_of(Extent)] = Extent.FULL
    """Which images of `train` in V4–V7: `full` (9 million), `boxable` (1.7 million), or those with `labels`."""

    annotations: Annotated[tuple[FileKind, ...], _ANNOTATIONS] = ()
    """Kinds to load, like `boxes,labels`. Default: the kinds that choose images, or boxes; for whole subsets, all."""

    @property
    def image_list_source(self) -> str | None:
        """`images_csv` with a path made absolute, so that it names the same list from anywhere; a URL as it is."""
        if self.images_csv is None or self.images_csv.startswith(("http://", "https://")):
            return self.images_csv
        return str(absolute(Path(self.images_csv)))
