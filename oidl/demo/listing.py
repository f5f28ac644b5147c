"""A small Open Images: photos on disk, listed in the formats of V7 or of V3, each with a known fate.

All of it follows from the seed and the base URLs. V7 has objects on its photos,
and their annotations; V3 has hills alone, in archives.
"""

import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from oidl.cores import usable_cores
from oidl.demo import archives, photos, published
from oidl.demo.annotations import Annotated, annotate
from oidl.demo.scenarios import FATES, PLACEHOLDER, UNAVAILABLE_PATH, Scenario, deal
from oidl.demo.site import CannedResponse, Site, content_type
from oidl.model import Image, Reason, Status

_EDITIONS = {archives.VERSION: photos.V3, published.VERSION: photos.V7}


@dataclass(frozen=True, slots=True)
class DemoImage:
    """A listed image, what a run on its original must come to, and its annotations (V7 alone has any)."""

    image: Image
    fate: Scenario
    annotated: Annotated | None = None

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


def make_demo(
    directory: Path,
    *,
    base_urls: Sequence[str],
    images: int = 300,
    version: str = published.VERSION,
    seed: int = 3,
    fates: tuple[Scenario, ...] = FATES,
    site: Site | None = None,
    reuse: bool = False,
) -> Demo:
    """Makes `images` photos under `directory` and lists them as `version` ("7" or "3") does.

    They are spread over the hosts of `base_urls`. The answers are added to `site`,
    if a server has one running already, and hold for each of its hosts. The first
    of `fates` is that of all images which the others leave. `reuse` takes the photos
    that lie there from an earlier call with the same arguments.
    """
    edition = _EDITIONS[version]
    rng = random.Random(seed)
    dealt = deal(images, fates)
    rng.shuffle(dealt)
    (directory / "photos").mkdir(parents=True, exist_ok=True)
    plans = [
        photos.plan(rng, number, fate, base_urls, directory / "photos", edition) for number, fate in enumerate(dealt)
    ]
    with ThreadPoolExecutor(usable_cores()) as threads:  # libvips lets go of the GIL
        made = list(threads.map(partial(photos.make, reuse=reuse), plans))

    site = site or Site()
    site.answers[UNAVAILABLE_PATH] = PLACEHOLDER
    listed = []
    for plan, photo in zip(plans, made, strict=True):
        site.answers |= photos.answers(plan, photo)
        image = plan.image._replace(original_size=photo.bytes, original_md5=photo.md5)
        annotated = annotate(rng, image, plan.stored_size, plan.things, photo.shown) if edition.has_objects else None
        if annotated is not None and (annotated.boxes or image.subset != "train"):
            site.answers |= photos.mirrored(plan)
        listed.append(DemoImage(image, plan.fate, annotated))
    by_id = tuple(sorted(listed, key=lambda image: image.image.image_id))
    if edition.has_objects:
        files = published.publish([image.annotated for image in listed if image.annotated is not None])
        catalogue = published.catalogue(files, base_urls[0])
        _serve(site, directory, {published.path_of(file): body for file, body in files.items()})
    else:
        packed = archives.pack([image.image for image in by_id], rng)
        catalogue = archives.catalogue(packed, base_urls[0])
        _serve(site, directory, {archives.archive_path(name): body for name, body in packed.items()})
    return Demo(site, catalogue, by_id)


def _serve(site: Site, directory: Path, files: Mapping[str, bytes]) -> None:
    """Writes `files`, by their relative path, and lets `site` answer for them."""
    for path, body in files.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        site.answers[f"/{path}"] = CannedResponse(file, content_type=content_type(file))
