"""Samples for shards, from what is known of an image when its files are stored. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from oidl.imaging.boxes import Transform, transform_box
from oidl.imaging.inspect import Picture
from oidl.imaging.rendition import Rendered
from oidl.model import Fetched, Job
from oidl.model.sample import Facts, Sample, SampleBox

_WHOLE = 0.999  # visible share of a whole box; rounding costs a little


class ImageContext(NamedTuple):
    """What is known of an image when its files are stored; `prerotation` is what Flickr has turned it by."""

    job: Job
    fetched: Fetched
    md5: str
    picture: Picture
    prerotation: int


def sample_of(context: ImageContext, rendered: Rendered, orientation: int, suffix: str) -> Sample:
    """The sample with `rendered`, an image of the published one turned by `orientation` (EXIF's 1–8)."""
    job, picture, published = context.job, context.picture, context.job.published
    assert published
    where = Transform(
        orientation,
        rendered.scaled_width,
        rendered.scaled_height,
        rendered.left,
        rendered.top,
        rendered.width,
        rendered.height,
    )
    facts = Facts(
        image_id=job.image_id,
        subset=job.subset,
        width=rendered.width,
        height=rendered.height,
        original_width=picture.width,
        original_height=picture.height,
        license=published.license,
        author=published.author,
        author_profile_url=published.author_profile_url,
        title=published.title,
        original_landing_url=published.original_landing_url,
        original_url=job.original_url,
        source=str(context.fetched.source),
        md5=context.md5,
        rotation=published.rotation,
        orientation=orientation,
        license_verdict=published.license_verdict,
        license_now=published.license_now,
        license_checked=published.license_checked,
    )
    return Sample(rendered.body, suffix, facts, tuple(_placed(published.boxes, where)), published.labels)


def _placed(boxes: tuple[SampleBox, ...], where: Transform) -> Iterator[SampleBox]:
    """The parts of `boxes` that are in the file, as shares of its sides; those that were cropped off are left out."""
    for box in boxes:
        if seen := transform_box(box.x_min, box.x_max, box.y_min, box.y_max, where):
            yield replace(
                box,
                is_truncated=1 if seen.visible < _WHOLE else box.is_truncated,
                x_min=seen.left / where.width,
                x_max=seen.right / where.width,
                y_min=seen.top / where.height,
                y_max=seen.bottom / where.height,
            )
