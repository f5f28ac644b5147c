"""What happens to one body: verified, decoded, rendered, written. Runs in a validator's thread.

Every rendition is made before the first file is written, so an image that cannot
be verified or made has no new file at all. Where the disk fills up between two
files, the first stands verified and without a row; the next run writes it again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from oidl.errors import DiskError
from oidl.imaging.convert import converted
from oidl.imaging.geometry import BY_ROTATION
from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.placing import both_turns
from oidl.imaging.rendition import Rendered, render
from oidl.model import ORIGINAL, Done, Failure, Fetched, Reason, Rendition, Source, Work, WrittenFile
from oidl.pipeline.verify import verify
from oidl.settings import FileNames, Imaging, Layout, Originals
from oidl.storage.atomic import AtomicWriter
from oidl.storage.layout import actual_path, flickr_name, output_path, recorded_path, subset_directory


@dataclass(frozen=True, slots=True)
class _Made:
    rendered: Rendered
    conversion: str | None = None


@dataclass(frozen=True, slots=True)
class Processor:
    """Makes the files of one image after another; shared by the validators' threads.

    Where files that are recorded may be replaced by others, `replacing` is told of them before (ImageID and rendition
    of each), so that no row says of a file what it was. `claim` says whether files of an image may have a name
    (the name, the ImageID): it is called before anything is written under a name that is not the ImageID.
    """

    layout: Layout
    originals: Originals
    writer: AtomicWriter
    imaging: Imaging
    replacing: Callable[[list[tuple[str, str]]], None] = field(default=lambda files: None)
    claim: Callable[[str, str], bool] = field(default=lambda name, image_id: True)

    def process(self, work: Work, fetched: Fetched) -> Done | Failure:
        """Everything that `work` lacks, made from `fetched` and written; or the first thing that is wrong.

        A disk that cannot be written is a `Failure` with the reason `disk`.
        """
        is_local = fetched.source is Source.LOCAL
        check_md5 = self.originals.check_md5_if_exists or not is_local
        md5 = verify(work, fetched, check_md5=check_md5)
        if isinstance(md5, Failure):
            return _of(fetched, md5)
        picture = inspect(fetched.body, self.imaging.max_pixels)
        if isinstance(picture, Failure):
            return _of(fetched, replace(picture, is_published=md5 == work.original_md5))
        if self.imaging.discard_png and picture.format == "png":
            return _of(fetched, Failure(Reason.NOT_AN_IMAGE, "a PNG, and --discard-png is set"))
        # Flickr turns its small versions upright; boxes, and the published rotation, are of the original.
        came_turned = BY_ROTATION.get(work.rotation, 1) if fetched.source is Source.THUMBNAIL_300K else 1
        rendered = self._rendered(work, picture, 0 if came_turned != 1 else work.rotation)
        if isinstance(rendered, Failure):
            return _of(fetched, replace(rendered, is_published=md5 == work.original_md5))
        # An original is called by the source that it came from, whichever it was thought to come from.
        kept = self.originals.kept_as(fetched.source)
        renditions = [kept if rendition.mode is None else rendition for rendition in work.lacking]
        if self.originals.always_download:
            self.replacing([(work.image_id, rendition.name) for rendition in renditions])
        try:
            name = self._name(work)
            files = tuple(
                self._write(work, fetched, rendition, name, made, came_turned, picture.orientation)
                for rendition, made in zip(renditions, rendered, strict=True)
            )
        except DiskError as error:
            return _of(fetched, Failure(Reason.DISK, error.message, hint=error.hint))
        return Done(
            source=fetched.source,
            url=None if is_local else fetched.url,
            bytes=len(fetched.body),
            md5=md5,
            width=picture.width,
            height=picture.height,
            files=files,
            format=picture.format,
            bands=picture.bands,
            orientation=picture.orientation,
            is_cmyk=picture.is_cmyk,
            transfer_s=fetched.transfer_s,
        )

    def _rendered(self, work: Work, picture: Picture, rotation: int) -> list[_Made] | Failure:
        """Every rendition that `work` lacks, in its order; originals that are to be converted are."""
        rendered = render(picture, work.lacking, rotation, self.imaging.validation)
        kind = self._conversion(picture)
        if isinstance(rendered, Failure) or kind is None:
            return rendered if isinstance(rendered, Failure) else [_Made(each) for each in rendered]
        made: list[_Made] = []
        for rendition, each in zip(work.lacking, rendered, strict=True):
            if rendition.mode is not None:
                made.append(_Made(each))
                continue
            whole = converted(picture, self.imaging.background, self.imaging.validation)
            if isinstance(whole, Failure):
                return whole
            made.append(_Made(whole, kind))
        return made

    def _conversion(self, picture: Picture) -> str | None:
        """What a saved original is converted from, or None if it is kept as it is."""
        if self.imaging.convert_png and picture.format == "png":
            return "png"
        return "cmyk" if self.imaging.convert_cmyk and picture.is_cmyk else None

    def read_original(self, work: Work) -> Fetched | None:
        """The verified original of `work` from disk, or None if there is none that can be trusted."""
        for path in self._places(work):
            try:
                if path.stat().st_size != work.original_size:
                    continue
                fetched = Fetched(Source.LOCAL, str(path), path.read_bytes())
            except OSError:
                continue
            if isinstance(verify(work, fetched, check_md5=self.originals.check_md5_if_exists), str):
                return fetched
        return None

    def _places(self, work: Work) -> list[Path]:
        places = [output_path(self.layout, Rendition(ORIGINAL, self.originals.directory), work, self._name(work))]
        if work.saved_original is not None:
            places.insert(0, actual_path(self.layout, work.saved_original))
        return places

    def _name(self, work: Work) -> str:
        """What the files of `work` are called."""
        name = flickr_name(work) if self.layout.name_files_by is FileNames.FLICKR else None
        return name if name and self.claim(name, work.image_id) else work.image_id

    def _write(
        self,
        work: Work,
        fetched: Fetched,
        rendition: Rendition,
        name: str,
        made: _Made,
        came_turned: int,
        orientation: int,
    ) -> WrittenFile:
        """`orientation` is what the picture as it came says by EXIF."""
        is_local = fetched.source is Source.LOCAL
        rendered = made.rendered
        path = output_path(self.layout, rendition, work, name, fetched.source)
        if made.conversion:
            path = path.with_suffix(".jpg")
        if not (is_local and rendition.name == ORIGINAL and str(path) == fetched.url):
            home = subset_directory(self.layout, work.subset, rendition.directory)
            self.writer.write(home, path, rendered.body)
        return WrittenFile(
            rendition=rendition.name,
            path=recorded_path(self.layout, path),
            bytes=len(rendered.body),
            width=rendered.width,
            height=rendered.height,
            orientation=both_turns(came_turned, rendered.orientation),
            scaled_width=rendered.scaled_width,
            scaled_height=rendered.scaled_height,
            left=rendered.left,
            top=rendered.top,
            conversion=made.conversion,
            exif_orientation=None if rendition.mode or made.conversion else orientation,
        )


def _of(fetched: Fetched, failure: Failure) -> Failure:
    url = None if fetched.source is Source.LOCAL else fetched.url
    return replace(failure, source=fetched.source, url=url)
