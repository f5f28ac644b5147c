"""A root directory in Python, read-only: what `oidl.open` returns.

```python
import oidl

root = oidl.open("cats")
for image in root.images(classes="Cat", subset="train"):
    print(image.path, image.width, image.height, image.boxes)
```

A `Root` holds no connection: each method opens one and closes it at the end. So one handle serves several threads,
can be sent to other processes (such as data loader workers), and works during a run.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from oidl.errors import UsageError
from oidl.export.categories import export_categories
from oidl.export.formats.imagefolder import IMAGEFOLDER
from oidl.export.image import LabelledImage
from oidl.export.labels import find_rendition
from oidl.export.masks import MaskReader
from oidl.export.request import ExportRequest, ExportResult
from oidl.export.walk import LabelledImages
from oidl.hints import command, note_root
from oidl.library.image import RootImage, root_image
from oidl.model import LabelType, LicenseFilter, Rendition
from oidl.settings import Layout, Selection
from oidl.state.annotation_filters import is_annotated, require_annotations
from oidl.state.classes import requested_classes
from oidl.state.connection import StateConnection
from oidl.state.counts import read_counts
from oidl.state.database import check_database, open_reader
from oidl.state.homes import read_homes
from oidl.state.load import loaded_list, requested_subsets
from oidl.state.query import query
from oidl.state.selection import select_images
from oidl.storage.ownership import OwnFiles
from oidl.text import counted

STATE_DB = "oidl.sqlite3"

_USUAL = (LabelType.BOXES, LabelType.LABELS)
_KINDS = (*_USUAL, LabelType.SEGMENTATIONS)


def _absolute(path: Path | str) -> Path:
    """`~` is the home directory, as in the commands."""
    return Path(os.path.expanduser(path)).absolute()


class Root:
    """A root directory whose images `oidl run` downloads. Raises `UsageError` if there is no state database."""

    def __init__(self, root_dir: Path | str, *, state_db: Path | str | None = None) -> None:
        self.root_dir = _absolute(root_dir)
        self.state_db = _absolute(state_db) if state_db else self.root_dir / STATE_DB
        self._given_db = self.state_db if state_db else None
        note_root(self.root_dir, self._given_db)
        check_database(self.state_db)

    def __repr__(self) -> str:
        return f"oidl.open({str(self.root_dir)!r})"

    def counts(self) -> dict[str, int]:
        """The number of images that are `done`, `failed`, `retry` (will be tried again) and `pending`."""
        with self._open() as db:
            return {str(status): images for status, images in read_counts(db).by_status.items()}

    def sql(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[dict[str, Any]]:
        """Yields the rows of a SELECT on the state database as dictionaries.

        `pandas.DataFrame(root.sql("SELECT * FROM failure"))` makes a table of them. Raises `UsageError` for SQL that
        cannot be run.
        """
        note_root(self.root_dir, self._given_db)
        return query(self.state_db, sql, values)

    def images(
        self,
        *,
        classes: str | Sequence[str] = (),
        subset: str | Sequence[str] = (),
        where: str | None = None,
        license: str | Sequence[str] = (),
        include_subclasses: bool = False,
        label_types: str | Sequence[str] | None = None,
        rendition: str | None = None,
        limit: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
    ) -> Iterator[RootImage]:
        """Yields the image files of one rendition, by ImageID, or shuffled by `seed`.

        The default is all image files. `classes` (display names or MIDs), `subset`, `license` (words like `same` or
        `free`) and `where` (SQL over `image`) select images like the options of `oidl export`; annotations are then
        limited to `classes`. `label_types` are the annotations of each image: any of `boxes`, `labels` and
        `segmentations`. Default: the boxes and labels that are in the database. `rendition` is required if there are
        several. Raises `UsageError` if something requested does not exist. Files that do not belong to the root are
        left out, with a warning at the end.
        """
        kinds = None if label_types is None else tuple(map(_label_type, _several(label_types)))
        selection = Selection(
            subsets=_several(subset),
            limit=limit,
            classes=_several(classes),
            include_subclasses=include_subclasses,
            label_types=(kinds or (LabelType.BOXES,)) if classes else (),
            shuffle=shuffle,
            seed=seed,
            where=where,
            license=tuple(map(_license_filter, _several(license))),
        )
        with self._open() as db:
            available = kinds if kinds is not None else tuple(kind for kind in _USUAL if is_annotated(db, kind))
            require_annotations(db, kinds or selection.label_types)
            for image in self._walk(db, selection, available, find_rendition(db, rendition)):
                yield root_image(image, self.root_dir)

    def _walk(
        self, db: StateConnection, selection: Selection, kinds: Sequence[LabelType], rendition: Rendition
    ) -> Iterator[LabelledImage]:
        subsets = requested_subsets(db, selection.subsets)
        label_names = None
        if selection.classes:
            names = requested_classes(db, selection.classes, include_subclasses=selection.include_subclasses)
            label_names = tuple(dict.fromkeys(label_name for label_name, _ in names))
        request = ExportRequest(
            format=IMAGEFOLDER, selection=selection, selected=select_images(db, selection), label_names=label_names
        )
        image_list = loaded_list(db)
        layout = Layout(self.root_dir, image_list.directory if image_list else "")
        own = OwnFiles(read_homes(db, layout), subsets)
        version_dir = self.root_dir / layout.version_dir
        by_label_name = export_categories(db, kinds, label_names).by_label_name
        result = ExportResult(version_dir, rendition.name, kinds, {}, {})
        with closing(MaskReader({each: version_dir / each for each in subsets})) as masks:
            if LabelType.SEGMENTATIONS in kinds:
                masks.require_archives(db, rendition.name, label_names, request.selected)
            walk = LabelledImages(db, request, rendition, subsets, own, kinds, by_label_name, masks, result)
            yield from islice(walk, selection.limit)
        if result.misplaced_files:
            warnings.warn(
                f"left out {counted(result.misplaced_files, 'image')} whose row names a file that oidl did not write "
                f"for it; run {command('verify')} to list them",
                stacklevel=2,
            )

    @contextmanager
    def _open(self) -> Iterator[StateConnection]:
        note_root(self.root_dir, self._given_db)
        with open_reader(self.state_db) as db:
            yield db


def _several(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _label_type(name: str) -> LabelType:
    if name not in _KINDS:
        raise UsageError(f"label_types: there is no {name!r}", hint=f"choose from {', '.join(_KINDS)}")
    return LabelType(name)


def _license_filter(word: str) -> LicenseFilter:
    try:
        return LicenseFilter(word)
    except ValueError:
        raise UsageError(f"license: there is no {word!r}", hint=f"choose from {', '.join(LicenseFilter)}") from None
