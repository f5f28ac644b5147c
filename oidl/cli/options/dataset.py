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
    """The version of Open Images, `1` to `7`. Default: 7, or the newest of `--catalogue`."""

    images_csv: str | None = None
    """Your own image list, a path or URL: a `.csv`, `.csv.gz` or `.tar.gz` in the format of the published one."""

    catalogue: Path | None = None
    """A TOML file that replaces the built-in list of versions, files and mirrors (see `oidl help versions`)."""

    image_list: Annotated[Extent, one_of(Extent)] = Extent.FULL
    """Which `train` images of V4–V7: `full` (9 million), `boxable` (1.7 million with boxes), or those with `labels`."""

    annotations: Annotated[tuple[FileKind, ...], _ANNOTATIONS] = ()
    """Kinds of annotations, like `boxes,masks`. Default: those that choose images, or boxes; for whole subsets, all."""

    @property
    def image_list_source(self) -> str | None:
        """`images_csv` with a path made absolute, so that it names the same list from anywhere; a URL as it is."""
        if self.images_csv is None or self.images_csv.startswith(("http://", "https://")):
            return self.images_csv
        return str(absolute(Path(self.images_csv)))
