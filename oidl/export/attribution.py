"""`ATTRIBUTION.csv`: the author and the licence of each image of an export.

Values are the published ones, with two exceptions, because people open the file in spreadsheets: control characters
and those that change the text direction become `�`, and a value that a spreadsheet would run as a formula (it begins
with `=`, `+`, `-` or `@`) gets an apostrophe before it.
"""

from pathlib import PurePath
from types import TracebackType
from typing import Self

from oidl.export.format import ExportTarget
from oidl.export.image import LabelledImage
from oidl.export.text import cell, csv_line
from oidl.state.file_annotations import AnnotatedFile

ATTRIBUTION = "ATTRIBUTION.csv"
COLUMNS = ("image_id", "file_name", "title", "author", "author_url", "license", "landing_url")


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


def credit_line(file: AnnotatedFile, path: PurePath | str) -> str:
    """The row of an image that is at `path` of the export."""
    credit = (file.title, file.author, file.author_profile_url, file.license, file.original_landing_url)
    return csv_line((file.image_id, path, *map(cell, credit)))
