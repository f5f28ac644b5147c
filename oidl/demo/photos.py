"""The photos of a demo before they are listed: what each is like, its file on disk, and what a server answers for it.

A photo is made when it is listed, because its size and MD5 are part of the list;
thumbnails and the mirror's copies have neither and are made when a client asks
for one.
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
from oidl.demo.scenarios import Published, Scenario
from oidl.demo.site import CannedResponse
from oidl.imaging.photo import photo
from oidl.imaging.shapes import Seen, seen
from oidl.model import Image

_THUMBNAIL_BOX = 640  # pixels, as Flickr's `_z` has
_MIRROR_BOX = 1024
_BY = "https://creativecommons.org/licenses/by/2.0/"
_BY_SA = "https://creativecommons.org/licenses/by-sa/2.0/"
_CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"

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
# Turned without an EXIF tag: only the list knows.
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
    """What photos are like in a version of the dataset.

    `sizes` are pixels of the upright photo, the large ones rare because they take long to make.
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
    """Everything about an image but its photo; `image` has no size and MD5 yet.

    `width` and `height` are pixels of the upright photo.
    """

    image: Image
    fate: Scenario
    file: Path
    seed: int
    width: int
    height: int
    look: dict[str, Any]
    things: tuple[DemoObject, ...]

    @property
    def orientation(self) -> int:
        """How the pixels are stored, as EXIF says it (1–8)."""
        orientation: int = self.look.get("orientation", 1)
        return orientation

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the stored pixels."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)

    def photo(self, box: int | None = None, **look: Any) -> bytes:
        """The photo as a JPEG, within `box` × `box` pixels if given; `look` as `photo` takes it."""
        scale = min(1.0, box / max(self.width, self.height)) if box else 1.0
        width, height = round(self.width * scale), round(self.height * scale)
        return photo(self.seed, width, height, shapes=[thing.shape for thing in self.things], **look)


@dataclass(frozen=True, slots=True)
class Made:
    """A photo on disk: its length in bytes, its MD5 in base64, and what is seen of each of its objects."""

    bytes: int
    md5: str
    shown: tuple[Seen | None, ...]


def plan(
    rng: random.Random, number: int, fate: Scenario, base_urls: Sequence[str], directory: Path, edition: Edition
) -> Plan:
    """What the photo with this number is to be; `directory` is where its file will lie."""
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
        # The first is `train`, so that a list of one image is like most of a long one.
        subset="test" if number % 10 == 5 else "validation" if number % 20 == 10 else "train",
        original_url=f"{album}_{rng.getrandbits(40):010x}_o.jpg",
        original_landing_url=f"https://www.flickr.com/photos/{profile}/{flickr_id}",
        # The subset follows from the last digit; so each licence is found in each.
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
    things: tuple[DemoObject, ...] = ()
    if edition.has_objects:
        # The turn of a photo that is gone is not known.
        image = image._replace(rotation="" if fate.covers_thumbnail else _ROTATIONS[look.get("orientation", 1)])
        if number % 8 != 3:  # of the images of `train` some have no boxes
            things = arrange(random.Random(seed), width / height)
    return Plan(image, fate, directory / f"{image_id}.jpg", seed, width, height, look, things)


def make(plan: Plan, *, reuse: bool = False) -> Made:
    """What the photo is like, once it is on disk as it was published; one that lies there will do if `reuse`."""
    if reuse and plan.file.exists():
        body = plan.file.read_bytes()
    else:
        body = plan.photo(**plan.look)
        body = body[: int(len(body) * plan.fate.kept)]
        plan.file.write_bytes(body)
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    shapes = [thing.shape for thing in plan.things]
    return Made(len(body), md5, seen(shapes, plan.width, plan.height, plan.orientation) if shapes else ())


def answers(plan: Plan, made: Made) -> dict[str, CannedResponse]:
    """What is answered under the paths of the photo and of its thumbnail."""
    published = Published(path(plan.image.original_url), plan.file, made.bytes, plan.seed)
    answer = plan.fate.answer(published)
    found = {published.path: answer}
    if plan.image.thumbnail_300k_url:
        thumbnail = CannedResponse(partial(plan.photo, _THUMBNAIL_BOX))
        found[path(plan.image.thumbnail_300k_url)] = answer if plan.fate.covers_thumbnail else thumbnail
    return found


def mirrored(plan: Plan) -> dict[str, CannedResponse]:
    """The mirror's copy of the photo, which is there whatever became of the photo."""
    copy = CannedResponse(partial(plan.photo, _MIRROR_BOX, **plan.look))
    return {f"/{plan.image.subset}/{plan.image.image_id}.jpg": copy}


def path(url: str) -> str:
    """The path that a server is asked for by `url`."""
    return "/" + url.split("/", 3)[3].partition("?")[0]
