"""Builders of the values that many tests start from: an image, a job, an image list."""

from oidl.model import Image, Job, Rendition, ResizeMode
from oidl.state.load import ImageList

LIST = ImageList("3", "2017_11", "list.csv")
THUMB = Rendition("thumbs", "thumbs", ResizeMode.FILL_CROP, 64, "jpg")


def image(number: int, subset: str = "train", **changes: object) -> Image:
    """A published image; `number` makes its ImageID."""
    published = Image(
        image_id=f"{number:016x}",
        subset=subset,
        original_url=f"https://c1.staticflickr.com/1/{number}_0a1b2c_o.jpg",
        original_landing_url=f"https://www.flickr.com/photos/someone/{number}",
        license="https://creativecommons.org/licenses/by/2.0/",
        author_profile_url="https://www.flickr.com/people/someone/",
        author="Some One",
        title='A "title", with &amp; and é',
        original_size=1000 + number,
        original_md5="1B2M2Y8AsgTpgAmY7PhCfg==",
        thumbnail_300k_url=f"https://c1.staticflickr.com/1/{number}_0a1b2c_z.jpg",
    )
    return published._replace(**changes)


def job(number: int = 1, missing_renditions: tuple[Rendition, ...] = (THUMB,), **changes: object) -> Job:
    """The job that the feed would send for `image(number)`."""
    published = image(number)
    values: dict[str, object] = {
        "image_id": published.image_id,
        "subset": published.subset,
        "original_url": published.original_url,
        "original_size": published.original_size,
        "original_md5": published.original_md5,
        "thumbnail_300k_url": published.thumbnail_300k_url,
        "missing_renditions": missing_renditions,
    }
    return Job(**(values | changes))
