"""A small Open Images: photos on disk, listed in the formats of V7 or of V3, each with a known scenario.

Everything follows from the seed and the base URLs. The photos of V7 have objects,
and annotations; those of V3 have only hills, and their lists are in archives.
"""

import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from oidl.cores import usable_cores
from oidl.demo import archives, photos, published
from oidl.demo.annotations import AnnotatedImage, annotate
from oidl.demo.licenses import license_answers
from oidl.demo.scenarios import PLACEHOLDER, REALISTIC, UNAVAILABLE_PATH, Scenario, assign
from oidl.demo.site import CannedResponse, Site, content_type
from oidl.model import Image, Reason, Status

_EDITIONS = {archives.VERSION: photos.V3, published.VERSION: photos.V7}


@dataclass(frozen=True, slots=True)
class DemoImage:
    """A listed image, the scenario of its original, and its annotations (only V7 has them)."""

    image: Image
    scenario: Scenario
    annotations: AnnotatedImage | None = None

    @property
    def expected_status(self) -> Status:
        """The status that the image must have when it is settled."""
        return self.scenario.status

    @property
    def expected_reason(self) -> Reason | None:
        """The reason with which it must fail; None if it must be done."""
        return self.scenario.reason


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo: its `images` in ImageID order, and the text of the catalogue (TOML) with which a run finds them."""

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
    scenarios: tuple[Scenario, ...] = REALISTIC,
    site: Site | None = None,
    reuse: bool = False,
) -> Demo:
    """Makes `images` photos under `directory` and lists them as `version` ("7" or "3") does.

    They are spread over the hosts of `base_urls`. The answers are added to `site`,
    which a server may be serving already, and apply to each of its hosts. The first
    of `scenarios` applies to all images that the others leave. `reuse` keeps the
    photos of an earlier call with the same arguments.
    """
    edition = _EDITIONS[version]
    rng = random.Random(seed)
    assigned = assign(images, scenarios)
    rng.shuffle(assigned)
    (directory / "photos").mkdir(parents=True, exist_ok=True)
    plans = [
        photos.plan(rng, number, scenario, base_urls, directory / "photos", edition)
        for number, scenario in enumerate(assigned)
    ]
    with ThreadPoolExecutor(usable_cores()) as threads:  # libvips releases the GIL
        files = list(threads.map(partial(photos.make, reuse=reuse), plans))

    site = site or Site()
    site.answers[UNAVAILABLE_PATH] = PLACEHOLDER
    demo_images = []
    for plan, photo in zip(plans, files, strict=True):
        site.answers |= photos.answers(plan, photo)
        site.answers |= license_answers(plan.image)
        image = plan.image._replace(original_size=photo.bytes, original_md5=photo.md5)
        annotated = annotate(rng, image, plan.stored_size, plan.objects, photo.visible) if edition.has_objects else None
        if annotated is not None and (annotated.boxes or image.subset != "train"):
            site.answers |= photos.mirror_answers(plan)
        demo_images.append(DemoImage(image, plan.scenario, annotated))
    by_id = tuple(sorted(demo_images, key=lambda image: image.image.image_id))
    if edition.has_objects:
        lists = published.publish([image.annotations for image in demo_images if image.annotations is not None])
        catalogue = published.catalogue(lists, base_urls[0])
        _serve(site, directory, {published.path_of(file): body for file, body in lists.items()})
    else:
        packed = archives.pack([image.image for image in by_id], rng)
        catalogue = archives.catalogue(packed, base_urls[0])
        _serve(site, directory, {archives.archive_path(name): body for name, body in packed.items()})
    return Demo(site, catalogue, by_id)


def _serve(site: Site, directory: Path, files: Mapping[str, bytes]) -> None:
    """Writes `files` at their relative paths and adds them to `site`."""
    for path, body in files.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        site.answers[f"/{path}"] = CannedResponse(file, content_type=content_type(file))
