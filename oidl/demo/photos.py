"""The photos of a demo before they are listed: the plan, the file and the server's answers for each.

A photo is made before it is listed, because its size and MD5 are part of the
list. Thumbnails and the mirror's copies are listed without them, and are made
when a client requests one.
"""

import base64
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from oidl.demo.objects import DemoObject, arrange
from oidl.demo.scenarios import PublishedPhoto, Scenario
from oidl.demo.site import CannedResponse
from oidl.imaging.photo import photo
from oidl.imaging.shapes import Seen, seen
from oidl.model import Image

_THUMBNAIL_BOX = 640  # pixels, like Flickr's `_z`
_MIRROR_BOX = 1024
_BY = "https://creativecommons.org/licenses/by/2.0/"
_BY_SA = "https://creativecommons.org/licenses/by-sa/2.0/"
_CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"

# JPEGs as cameras, scanners and print shops write them; used in turn.
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
# Rotated without an EXIF tag: only the list has the orientation.
_UNTAGGED: tuple[dict[str, Any], ...] = ({"orientation": 8, "tagged": False}, {"orientation": 3, "tagged": False})
_ROTATIONS = {1: "0.0", 8: "90.0", 3: "180.0", 6: "270.0"}  # degrees counter-clockwise that make stored pixels upright

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
class Edition:
    """The kinds of photos in a version of the dataset.

    `sizes` are pixels of the upright photo; large ones are rare, because they take long to make.
    """

    sizes: tuple[tuple[int, int], ...]
    licenses: tuple[str, ...]
    looks: tuple[dict[str, Any], ...]
    has_objects: bool


V3 = Edition(
    sizes=((480, 360),) * 12 + ((640, 480),) * 4 + ((400, 400), (600, 400), (720, 260), (1024, 683)),
    licenses=(_BY,),
    looks=_LOOKS,
    has_objects=False,
)
V7 = Edition(
    sizes=((400, 300),) * 18
    + ((480, 360),) * 4
    + ((640, 480),) * 2
    + ((400, 400), (720, 260), (1024, 683), (1280, 853)),
    licenses=(_BY,) * 7 + (_BY_SA,) * 2 + (_CC0,),
    looks=_LOOKS + _UNTAGGED,
    has_objects=True,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about an image except its photo; `image` has no size and MD5 yet.

    `width` and `height` are pixels of the upright photo.
    """

    image: Image
    scenario: Scenario
    file: Path
    seed: int
    width: int
    height: int
    look: dict[str, Any]
    objects: tuple[DemoObject, ...]

    @property
    def orientation(self) -> int:
        """The EXIF orientation of the stored pixels (1–8)."""
        orientation: int = self.look.get("orientation", 1)
        return orientation

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the stored pixels."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)

    def photo(self, box: int | None = None, **look: Any) -> bytes:
        """The photo as a JPEG, within `box` × `box` pixels if given; `look` are arguments of `photo`."""
        scale = min(1.0, box / max(self.width, self.height)) if box else 1.0
        width, height = round(self.width * scale), round(self.height * scale)
        return photo(self.seed, width, height, shapes=[each.shape for each in self.objects], **look)


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo on disk: its length in bytes, its MD5 in base64, and the visible part of each of its objects."""

    bytes: int
    md5: str
    visible: tuple[Seen | None, ...]


def plan(
    rng: random.Random, number: int, scenario: Scenario, base_urls: Sequence[str], directory: Path, edition: Edition
) -> Plan:
    """The plan of the photo with this number; its file will be in `directory`."""
    image_id = f"{rng.getrandbits(64):016x}"
    flickr_id = rng.randrange(10**9, 4 * 10**10)
    album = f"{rng.choice(base_urls)}/{rng.randrange(1000, 8000)}/{flickr_id}"
    profile = f"{rng.randrange(10**7, 10**8)}@N0{rng.randrange(10)}"
    thumbnail_url = f"{album}_{rng.getrandbits(40):010x}_z.jpg{rng.choice(('', '', '', '?zz=1'))}"
    width, height = rng.choice(edition.sizes)
    if rng.random() < 0.3:
        width, height = height, width
    image = Image(
        image_id=image_id,
        # The first is `train`, so that a list of one image resembles most of a long one.
        subset="test" if number % 10 == 5 else "validation" if number % 20 == 10 else "train",
        original_url=f"{album}_{rng.getrandbits(40):010x}_o.jpg",
        original_landing_url=f"https://www.flickr.com/photos/{profile}/{flickr_id}",
        # The subset depends on the last digit only, so every subset has every licence.
        license=edition.licenses[(number + number // 10) % len(edition.licenses)],
        author_profile_url=f"https://www.flickr.com/people/{profile}/",
        author=rng.choice(_AUTHORS),
        title=rng.choice(_TITLES),
        original_size=0,
        original_md5="",
        thumbnail_300k_url="" if rng.random() < 0.04 else thumbnail_url,
    )
    look = edition.looks[number % len(edition.looks)]
    seed = rng.getrandbits(32)
    objects: tuple[DemoObject, ...] = ()
    if edition.has_objects:
        # The list lacks the rotation of photos that are gone.
        image = image._replace(rotation="" if scenario.covers_thumbnail else _ROTATIONS[look.get("orientation", 1)])
        if number % 8 != 3:  # some images of `train` have no boxes
            objects = arrange(random.Random(seed), width / height)
    return Plan(image, scenario, directory / f"{image_id}.jpg", seed, width, height, look, objects)


def make(plan: Plan, *, reuse: bool = False) -> PhotoFile:
    """Writes the photo as it was published; with `reuse`, an existing file is good enough."""
    if reuse and plan.file.exists():
        body = plan.file.read_bytes()
    else:
        body = plan.photo(**plan.look)
        body = body[: int(len(body) * plan.scenario.published_share)]
        plan.file.write_bytes(body)
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    shapes = [each.shape for each in plan.objects]
    return PhotoFile(len(body), md5, seen(shapes, plan.width, plan.height, plan.orientation) if shapes else ())


def answers(plan: Plan, file: PhotoFile) -> dict[str, CannedResponse]:
    """The answers to the paths of the photo and of its thumbnail."""
    published = PublishedPhoto(path(plan.image.original_url), plan.file, file.bytes, plan.seed)
    answer = plan.scenario.answer(published)
    by_path = {published.path: answer}
    if plan.image.thumbnail_300k_url:
        thumbnail = CannedResponse(partial(plan.photo, _THUMBNAIL_BOX))
        by_path[path(plan.image.thumbnail_300k_url)] = answer if plan.scenario.covers_thumbnail else thumbnail
    return by_path


def mirror_answers(plan: Plan) -> dict[str, CannedResponse]:
    """The mirror's copy of the photo, which exists in every scenario."""
    copy = CannedResponse(partial(plan.photo, _MIRROR_BOX, **plan.look))
    return {f"/{plan.image.subset}/{plan.image.image_id}.jpg": copy}


def path(url: str) -> str:
    """The path of `url` without its query, as a server sees it."""
    return "/" + url.split("/", 3)[3].partition("?")[0]
