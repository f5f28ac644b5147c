"""`ATTRIBUTION.csv`: the author and the licence of each image of an export.

Values are the published ones, with two exceptions, because people open the file in spreadsheets: control characters
and those that change the text direction become `�`, and a value that a spreadsheet would run as a formula (it begins
with `=`, `+`, `-` or `@`) gets an apostrophe before it.
"""

from pathlib import PurePath
from types import TracebackType
from typing import Protocol, Self

from oidl.export.format import ExportTarget
from oidl.export.image import LabelledImage
from oidl.export.text import cell, csv_line, shown

ATTRIBUTION = "ATTRIBUTION.csv"
COLUMNS = ("image_id", "file_name", "title", "author", "author_url", "license", "landing_url")


class Credited(Protocol):
    """An image as published: an `AnnotatedFile`, or the facts of a sample."""

    @property
    def image_id(self) -> str:
        """Its ImageID."""

    @property
    def title(self) -> str:
        """The title that its author gave it."""

    @property
    def author(self) -> str:
        """The name of its author."""

    @property
    def author_profile_url(self) -> str:
        """The page of its author."""

    @property
    def license(self) -> str:
        """The URL of its licence."""

    @property
    def original_landing_url(self) -> str:
        """Its page."""


class Attribution:
    """The file while it is written. `licenses` and `suffixes` are those of the images written so far."""

    def __init__(self, target: ExportTarget) -> None:
        self.licenses: set[str] = set()
        self.suffixes: set[str] = set()
        self._file = target.open_text(ATTRIBUTION)
        self._file.write(csv_line(COLUMNS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._file.close()

    def add(self, image: LabelledImage) -> None:
        """Writes the row of an image."""
        self.licenses.add(image.file.license)
        self.suffixes.add(image.path.suffix)
        self._file.write(credit_line(image.file, image.path))


def credit_line(image: Credited, path: PurePath | str) -> str:
    """The row of an image that is at `path` of the export."""
    credit = (image.title, image.author, image.author_profile_url, image.license, image.original_landing_url)
    return csv_line((image.image_id, path, *(cell(shown(each)) for each in credit)))
