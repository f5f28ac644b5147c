"""Processes one body: verify, decode, render, store. Runs in a validator's thread.

Every rendition is made before the first file is written, so an image that cannot
be verified or rendered gets no new file at all. If the disk fills up between two
files, the first is whole and has no row; the next run writes it again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from oidl.errors import DiskError
from oidl.imaging.boxes import compose_orientations
from oidl.imaging.canvas import Canvases
from oidl.imaging.convert import converted
from oidl.imaging.geometry import BY_ROTATION
from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.rendition import Rendered, render
from oidl.model import Blame, Done, Failure, Fetched, Job, Reason, Rendition, Source, WrittenFile
from oidl.node.integrity import verify
from oidl.node.samples import ImageContext, sample_of
from oidl.settings import Imaging, SourceSettings
from oidl.storage.store import Store


@dataclass(frozen=True, slots=True)
class _Output:
    rendered: Rendered
    conversion: str | None = None


@dataclass(frozen=True, slots=True)
class Processor:
    """Makes the files of images; the validators' threads share it.

    `before_replace` is called with recorded files (ImageID and rendition of each) before others replace them, so that
    no row describes a file that is gone.
    """

    store: Store
    originals: SourceSettings
    imaging: Imaging
    before_replace: Callable[[list[tuple[str, str]]], None] = field(default=lambda files: None)
    canvases: Canvases = field(default_factory=Canvases)

    def process(self, job: Job, fetched: Fetched) -> Done | Failure:
        """Makes everything that `job` lacks from `fetched` and stores it; returns the result or the first failure.

        If the disk cannot be written, that is a `Failure` with the reason `disk`.
        """
        is_local = fetched.source == Source.LOCAL
        check_md5 = self.originals.check_md5_if_exists or not is_local
        md5 = verify(job, fetched, check_md5=check_md5)
        if isinstance(md5, Failure):
            return _of(fetched, md5)
        picture = inspect(fetched.body, self.imaging.max_pixels)
        if isinstance(picture, Failure):
            return _of(fetched, _blamed(job, md5, picture))
        if self.imaging.discard_png and picture.format == "png":
            return _of(fetched, Failure(Reason.NOT_AN_IMAGE, "a PNG, and --discard-png is set"))
        # Flickr turns its small versions upright; boxes and the published rotation refer to the original.
        prerotation = BY_ROTATION.get(job.rotation, 1) if fetched.source == Source.THUMBNAIL_300K else 1
        rendered = self._rendered(job, picture, 0 if prerotation != 1 else job.rotation)
        if isinstance(rendered, Failure):
            return _of(fetched, _blamed(job, md5, rendered))
        renditions = self.renditions(job, fetched)
        if self.originals.always_download:
            self.before_replace([(job.image_id, rendition.name) for rendition in renditions])
        context = ImageContext(job, fetched, md5, picture, prerotation)
        try:
            files = tuple(
                self._write(context, rendition, output) for rendition, output in zip(renditions, rendered, strict=True)
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

    def renditions(self, job: Job, fetched: Fetched) -> list[Rendition]:
        """What `job` lacks; a kept original is named after its actual source, even if another one was expected."""
        original = self.originals.rendition_for(fetched.source)
        return [original if rendition.mode is None else rendition for rendition in job.missing_renditions]

    def _rendered(self, job: Job, picture: Picture, rotation: int) -> list[_Output] | Failure:
        """Every rendition that `job` lacks, in its order, with originals converted if the settings say so."""
        rendered = render(picture, job.missing_renditions, rotation, self.imaging.validation, self.canvases)
        kind = self._conversion(picture)
        if isinstance(rendered, Failure) or kind is None:
            return rendered if isinstance(rendered, Failure) else [_Output(each) for each in rendered]
        outputs: list[_Output] = []
        for rendition, each in zip(job.missing_renditions, rendered, strict=True):
            if rendition.mode is not None:
                outputs.append(_Output(each))
                continue
            whole = converted(picture, self.imaging.background, self.imaging.validation)
            if isinstance(whole, Failure):
                return whole
            outputs.append(_Output(whole, kind))
        return outputs

    def _conversion(self, picture: Picture) -> str | None:
        """What a saved original is converted from, None if it is kept unchanged."""
        if self.imaging.convert_png and picture.format == "png":
            return "png"
        return "cmyk" if self.imaging.convert_cmyk and picture.is_cmyk else None

    def read_original(self, job: Job) -> Fetched | None:
        """The verified original of `job` from disk, None if there is none that can be trusted."""
        for path, body in self.store.find_originals(job):
            fetched = Fetched(Source.LOCAL, path, body)
            if isinstance(verify(job, fetched, check_md5=self.originals.check_md5_if_exists), str):
                return fetched
        return None

    def _write(self, context: ImageContext, rendition: Rendition, output: _Output) -> WrittenFile:
        """Stores a rendition."""
        job, fetched, rendered = context.job, context.fetched, output.rendered
        local = fetched.url if fetched.source == Source.LOCAL else None
        suffix = ".jpg" if output.conversion else None
        orientation = compose_orientations(context.prerotation, rendered.orientation)
        path, member = self.store.put(
            job,
            rendition,
            rendered.body,
            fetched.source,
            partial(sample_of, context, rendered, orientation),
            suffix=suffix,
            unless_at=local,
        )
        return WrittenFile(
            rendition=rendition.name,
            path=path,
            bytes=len(rendered.body),
            width=rendered.width,
            height=rendered.height,
            orientation=orientation,
            scaled_width=rendered.scaled_width,
            scaled_height=rendered.scaled_height,
            crop_left=rendered.left,
            crop_top=rendered.top,
            conversion=output.conversion,
            exif_orientation=None if rendition.mode or output.conversion else context.picture.orientation,
            member=member,
        )


def _blamed(job: Job, md5: str, failure: Failure) -> Failure:
    """`failure`, blamed on the image if the bytes are the published ones."""
    return replace(failure, blame=Blame.IMAGE) if md5 == job.original_md5 else failure


def _of(fetched: Fetched, failure: Failure) -> Failure:
    url = None if fetched.source == Source.LOCAL else fetched.url
    return replace(failure, source=fetched.source, url=url)
