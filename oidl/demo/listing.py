"""A small Open Images: photos on disk, listed and archived in V3's formats, each with a known fate.

All of it follows from the seed and the base URLs. Photos are made when they are
listed, as their size and MD5 are part of the list; thumbnails have neither and
are made when somebody asks for one.
"""

import base64
import hashlib
import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from oidl.demo.archives import archive_path, catalogue, pack
from oidl.demo.fates import FATES, PLACEHOLDER, UNAVAILABLE_PATH, Fate, Published, deal
from oidl.demo.site import Answer, Site
from oidl.imaging.photo import photo
from oidl.model import Image, Reason, Status

_THUMBNAIL_BOX = 640  # pixels, as Flickr's `_z` has
_LICENSE = "https://creativecommons.org/licenses/by/2.0/"

# Pixels of the upright picture; the larger ones are rare, as they take the time to make.
_SIZES = ((480, 360),) * 12 + ((640, 480),) * 4 + ((400, 400), (600, 400), (720, 260), (1024, 683))

# What a camera, a scanner or a print shop makes of a picture; taken in turn.
_LOOKS: tuple[dict[str, Any], ...] = (
    *({},) * 11,
    {"orientation": 6},
    {"progressive": True},
    {"grey": True},
    {"orientation": 8},
    {"quality": 95},
    {"orientation": 3},
    {"cmyk": True},
    {"progressive": True, "orientation": 6},
)

_AUTHORS = (
    "Ada Ridge",
    "Daniel X. O&#x27;Hill",
    "José Peña",
    "Vera &amp; Tom",
    'Max "Haze" Berg',
    "山田 花子",
    "lake, light &amp; co.",
    "",
)
_TITLES = (
    "Morning over the hills",
    "IMG_2047",
    'The "blue" hour',
    "Sunset, again",
    "Ridge &gt; valley &amp; back",
    "Été à la montagne",
    "夕焼け",
    "",
    "#hills #haze #nofilter",
    "Don't look down",
    '"quoted" ',
)


@dataclass(frozen=True, slots=True)
class DemoImage:
    """A listed image, and what a run on its original must come to."""

    image: Image
    fate: Fate

    @property
    def expected_status(self) -> Status:
        """Where the image must stand once it is settled."""
        return self.fate.status

    @property
    def expected_reason(self) -> Reason | None:
        """Why it must have failed; None if it must be done."""
        return self.fate.reason


@dataclass(frozen=True, slots=True)
class Demo:
    """What was made: `images` in ImageID order, and the text of the catalogue (TOML) that leads a run to them."""

    site: Site
    catalogue_toml: str
    images: tuple[DemoImage, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything about an image but its photo; `image` has no size and MD5 yet."""

    image: Image
    fate: Fate
    file: Path
    seed: int
    width: int
    height: int
    look: dict[str, Any]


def make_demo(
    directory: Path,
    *,
    base_urls: Sequence[str],
    images: int = 300,
    seed: int = 3,
    fates: tuple[Fate, ...] = FATES,
    site: Site | None = None,
) -> Demo:
    """Makes `images` photos under `directory` and lists them, spread over the hosts of `base_urls`.

    The answers are added to `site`, if a server has one running already, and
    hold for each of its hosts. The first of `fates` is that of all images which
    the others leave.
    """
    rng = random.Random(seed)
    dealt = deal(images, fates)
    rng.shuffle(dealt)
    (directory / "photos").mkdir(parents=True, exist_ok=True)
    plans = [_plan(rng, number, fate, base_urls, directory / "photos") for number, fate in enumerate(dealt)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # libvips lets go of the GIL
        sizes = list(threads.map(_make_photo, plans))

    site = site or Site()
    site.answers[UNAVAILABLE_PATH] = PLACEHOLDER
    demo_images = []
    for plan, (size_bytes, md5) in zip(plans, sizes, strict=True):
        image = plan.image._replace(original_size=size_bytes, original_md5=md5)
        demo_images.append(DemoImage(image, plan.fate))
        site.answers |= _answers(plan, size_bytes)
    demo_images.sort(key=lambda listed: listed.image.image_id)
    archives = pack([listed.image for listed in demo_images], rng)
    for name, body in archives.items():
        (directory / name).write_bytes(body)
        site.answers[archive_path(name)] = Answer(directory / name, content_type="application/gzip")
    return Demo(site, catalogue(archives, base_urls[0]), tuple(demo_images))


def _plan(rng: random.Random, number: int, fate: Fate, base_urls: Sequence[str], photos: Path) -> _Plan:
    image_id = f"{rng.getrandbits(64):016x}"
    flickr_id = rng.randrange(10**9, 4 * 10**10)
    album = f"{rng.choice(base_urls)}/{rng.randrange(1000, 8000)}/{flickr_id}"
    profile = f"{rng.randrange(10**7, 10**8)}@N0{rng.randrange(10)}"
    thumbnail_url = f"{album}_{rng.getrandbits(40):010x}_z.jpg{rng.choice(('', '', '', '?zz=1'))}"
    width, height = rng.choice(_SIZES)
    if rng.random() < 0.3:
        width, height = height, width
    image = Image(
        image_id=image_id,
        # The first is `train`, so that a list of one image is like most of a long one.
        subset="test" if number % 10 == 5 else "validation" if number % 20 == 10 else "train",
        original_url=f"{album}_{rng.getrandbits(40):010x}_o.jpg",
        original_landing_url=f"https://www.flickr.com/photos/{profile}/{flickr_id}",
        license=_LICENSE,
        author_profile_url=f"https://www.flickr.com/people/{profile}/",
        author=rng.choice(_AUTHORS),
        title=rng.choice(_TITLES),
        original_size=0,
        original_md5="",
        thumbnail_300k_url="" if rng.random() < 0.04 else thumbnail_url,
    )
    look = _LOOKS[number % len(_LOOKS)]
    return _Plan(image, fate, photos / f"{image_id}.jpg", rng.getrandbits(32), width, height, look)


def _make_photo(plan: _Plan) -> tuple[int, str]:
    """Its length in bytes and MD5, once it is on disk as it was published."""
    body = photo(plan.seed, plan.width, plan.height, **plan.look)
    body = body[: int(len(body) * plan.fate.kept)]
    plan.file.write_bytes(body)
    return len(body), base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _answers(plan: _Plan, size_bytes: int) -> dict[str, Answer]:
    published = Published(_path(plan.image.original_url), plan.file, size_bytes, plan.seed)
    answer = plan.fate.answer(published)
    answers = {published.path: answer}
    if plan.image.thumbnail_300k_url:
        scale = min(1.0, _THUMBNAIL_BOX / max(plan.width, plan.height))
        width, height = round(plan.width * scale), round(plan.height * scale)
        thumbnail = Answer(partial(photo, plan.seed, width, height))
        answers[_path(plan.image.thumbnail_300k_url)] = answer if plan.fate.covers_thumbnail else thumbnail
    return answers


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3].partition("?")[0]
