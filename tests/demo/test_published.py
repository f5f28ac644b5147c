"""A demo's V7: published names and formats, and annotations that are true of the photos."""

import base64
import csv
import hashlib
import io
import json
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import numpy
import pytest
from PIL import Image as Pillow

from oidl.dataset.annotations import read_annotations
from oidl.dataset.catalogue import read_catalogue
from oidl.dataset.classes import read_classes, read_hierarchy
from oidl.dataset.rows import Quoting, ReadReport, read_images
from oidl.demo.classes import BOXABLE, CLASSES, DRAWN
from oidl.demo.listing import Demo, DemoImage, make_demo
from oidl.demo.published import SUBSETS
from oidl.demo.site import CannedResponse
from oidl.imaging.inspect import Picture, inspect
from oidl.model import FileKind, Status

BASE_URLS = ("http://127.0.0.1:8001", "http://127.0.0.1:8002")
COLOURS = {drawn.label_name: drawn.colour for drawn in DRAWN}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(directory: Path) -> Demo:
    return make_demo(directory, base_urls=BASE_URLS, images=160)


@pytest.fixture(scope="module")
def photos(directory: Path, demo: Demo) -> dict[str, numpy.ndarray]:
    """The stored pixels of every coloured photo that is whole."""
    found = {}
    for listed in demo.images:
        image_id = listed.image.image_id
        picture = Pillow.open(io.BytesIO((directory / f"photos/{image_id}.jpg").read_bytes()))
        if picture.mode == "RGB" and listed.scenario.published_share == 1:
            found[image_id] = numpy.asarray(picture).astype(int)
    return found


def rows(directory: Path, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader((directory / path).read_text().splitlines()))


def boxes(directory: Path) -> list[dict[str, str]]:
    paths = (
        "v6/oidv6-train-annotations-bbox.csv",
        "v5/validation-annotations-bbox.csv",
        "v5/test-annotations-bbox.csv",
    )
    return [row for path in paths for row in rows(directory, path)]


def masks(directory: Path) -> list[dict[str, str]]:
    return [row for subset in SUBSETS for row in rows(directory, f"v5/{subset}-annotations-object-segmentation.csv")]


def body(answer: CannedResponse) -> bytes:
    if isinstance(answer.body, Path):
        return answer.body.read_bytes()
    return answer.body if isinstance(answer.body, bytes) else answer.body()


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3].partition("?")[0]


def is_near(found: numpy.ndarray, colour: tuple[int, int, int], distance: int = 60) -> numpy.ndarray:
    return numpy.abs(found - numpy.array(colour)).max(axis=-1) < distance


def test_files_have_the_names_of_the_built_in_catalogue_and_the_bytes_of_the_demo_s(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(demo.catalogue_toml)
    ours, real = read_catalogue(tmp_path / "catalogue.toml")["7"], read_catalogue(None)["7"]
    left_out = {FileKind.NARRATIVES, FileKind.TRANSFER_LISTS}
    facts = [(file.name, file.kind, file.subset, file.extent, file.is_optional) for file in ours.files]
    assert facts == [
        (file.name, file.kind, file.subset, file.extent, file.is_optional)
        for file in real.files
        if file.kind not in left_out
    ]
    for file in ours.files:
        served = body(demo.site.answers[path_of(file.url)])
        assert (file.bytes, file.md5) == (len(served), hashlib.md5(served).hexdigest())
    assert "v7" == ours.directory == tomllib.loads(demo.catalogue_toml)["version"]["7"]["directory"]


@pytest.mark.parametrize("images", [1, 2])
def test_a_demo_of_a_few_photos_has_a_catalogue_too(images: int, tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(make_demo(tmp_path, base_urls=BASE_URLS, images=images).catalogue_toml)
    assert read_catalogue(tmp_path / "catalogue.toml").keys() == {"7"}


def test_image_lists_are_v7_s_and_those_of_fewer_images_are_parts_of_the_full_one(demo: Demo, directory: Path) -> None:
    def read(path: str) -> list[object]:
        skipped = ReadReport()
        every = frozenset(SUBSETS)
        lines = io.StringIO((directory / path).read_text(), newline="")
        found = list(read_images(lines, name=path, subsets=every, known_subsets=every, skipped=skipped))
        assert (skipped.bad, skipped.quoting) == (0, Quoting.MINIMAL)
        return found

    full = read("2018_04/image_ids_and_rotation.csv")
    assert sorted(full) == [listed.image for listed in demo.images] != full
    train = [image for image in full if image.subset == "train"]
    boxable = read("2018_04/train/train-images-boxable-with-rotation.csv")
    labels = read("v6/oidv6-train-images-with-labels-with-rotation.csv")
    assert set(boxable) < set(labels) < set(train)
    for subset in ("validation", "test"):
        assert read(f"2018_04/{subset}/{subset}-images-with-rotation.csv") == [
            image for image in full if image.subset == subset
        ]
    assert {image.rotation for image in full} == {"", "0.0", "90.0", "180.0", "270.0"}
    assert {image.license.split("/")[4] for image in full} == {"by", "by-sa", "zero"}


def test_photos_are_turned_as_the_list_says(demo: Demo, photos: dict[str, numpy.ndarray], directory: Path) -> None:
    for listed in demo.images:
        if listed.image.image_id in photos and listed.image.rotation:
            picture = inspect((directory / f"photos/{listed.image.image_id}.jpg").read_bytes())
            assert isinstance(picture, Picture)
            by_list = {"0.0": 1, "90.0": 8, "180.0": 3, "270.0": 6}[listed.image.rotation]
            assert picture.orientation in (by_list, 1)


def test_a_few_photos_are_larger_than_1024_pixels_and_most_are_small(photos: dict[str, numpy.ndarray]) -> None:
    sides = [max(photo.shape) for photo in photos.values()]
    assert 1 <= sum(side > 1024 for side in sides) <= len(sides) / 12
    assert sum(side <= 480 for side in sides) > len(sides) * 0.7


def test_every_class_has_boxes_and_every_attribute_is_found(directory: Path) -> None:
    found = boxes(directory)
    assert {row["LabelName"] for row in found} == set(COLOURS)
    assert len(COLOURS) == 20
    for flag in ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"):
        assert {row[flag] for row in found} == {"0", "1"}, flag


def test_a_box_has_the_colour_of_its_class_in_its_middle_and_at_each_side(
    directory: Path, photos: dict[str, numpy.ndarray]
) -> None:
    checked = 0
    for row in boxes(directory):
        flags = {row[flag] for flag in ("IsOccluded", "IsTruncated", "IsInside", "IsDepiction")}
        photo = photos.get(row["ImageID"])
        if photo is None or flags != {"0"}:
            continue
        height, width, _ = photo.shape
        left, right = (float(row[side]) * width for side in ("XMin", "XMax"))
        top, bottom = (float(row[side]) * height for side in ("YMin", "YMax"))
        sides = [left, right, top, bottom]
        assert sides == pytest.approx([round(side) for side in sides], abs=0.01), "whole pixels"
        left, right, top, bottom = (round(side) for side in sides)
        own = is_near(photo, COLOURS[row["LabelName"]])
        assert own[(top + bottom) // 2, (left + right) // 2], row
        inside = is_near(photo, COLOURS[row["LabelName"]], 90)[top:bottom, left:right]  # a thin end is blurred
        assert all(edge.any() for edge in (inside[:3], inside[-3:], inside[:, :3], inside[:, -3:])), row
        checked += 1
    assert checked > 100


def test_a_mask_has_exactly_the_pixels_of_its_shape(
    directory: Path, demo: Demo, photos: dict[str, numpy.ndarray]
) -> None:
    zips = {path.name: zipfile.ZipFile(io.BytesIO(path.read_bytes())) for path in directory.glob("v5/*-masks/*.zip")}
    assert len(zips) == 3 * 16
    subsets = {listed.image.image_id: listed.image.subset for listed in demo.images}
    listed = masks(directory)
    assert sum(len(archive.namelist()) for archive in zips.values()) == len(listed) > 100
    for row in listed:
        path, image_id, label_name = row["MaskPath"], row["ImageID"], row["LabelName"]
        assert path == f"{image_id}_{label_name.replace('/', '')}_{row['BoxID']}.png"
        archive = zips[f"{subsets[image_id]}-masks-{image_id[0]}.zip"]
        mask = numpy.asarray(Pillow.open(io.BytesIO(archive.read(path))))
        columns, lines = numpy.flatnonzero(mask.any(0)), numpy.flatnonzero(mask.any(1))
        height, width = mask.shape
        sides = (columns[0] / width, (columns[-1] + 1) / width, lines[0] / height, (lines[-1] + 1) / height)
        assert [float(row[f"Box{side}"]) for side in ("XMin", "XMax", "YMin", "YMax")] == pytest.approx(sides, abs=1e-6)
        if (photo := photos.get(image_id)) is not None:
            assert mask.shape == photo.shape[:2]
            assert is_near(photo[mask], COLOURS[label_name]).mean() > 0.6, "the rest are details, and edges"


def test_masks_belong_to_boxes_and_groups_have_none(directory: Path) -> None:
    corners = ("XMin", "XMax", "YMin", "YMax")
    found = {(row["ImageID"], row["LabelName"], *(row[corner] for corner in corners)): row for row in boxes(directory)}
    with_mask = [
        found[(row["ImageID"], row["LabelName"], *(row[f"Box{corner}"] for corner in corners))]
        for row in masks(directory)
    ]
    assert 0.5 < len(with_mask) / len(found) < 1
    assert {row["IsGroupOf"] for row in with_mask} == {"0"}


def test_labels_name_what_is_drawn_and_deny_what_is_not(directory: Path) -> None:
    drawn: dict[str, set[str]] = {}
    for row in boxes(directory):
        drawn.setdefault(row["ImageID"], set()).add(row["LabelName"])
    for subset in ("train", "val", "test"):
        for row in rows(directory, f"v7/oidv7-{subset}-annotations-human-imagelabels.csv"):
            if row["LabelName"] in COLOURS:
                is_drawn = row["LabelName"] in drawn.get(row["ImageID"], ())
                assert row["Confidence"] == str(int(is_drawn)), row


def test_annotation_files_are_sorted_and_read_back_whole(demo: Demo, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(demo.catalogue_toml)
    tables = Counter[str]()
    known = {listed.image.image_id for listed in demo.images}
    for file in read_catalogue(tmp_path / "catalogue.toml")["7"].files:
        if file.kind not in (
            FileKind.BOXES,
            FileKind.LABELS,
            FileKind.BOXABLE_LABELS,
            FileKind.MACHINE_LABELS,
            FileKind.SEGMENTATIONS,
            FileKind.RELATIONSHIPS,
            FileKind.POINTS,
        ):
            continue
        text = body(demo.site.answers[path_of(file.url)]).decode()
        skipped = ReadReport()
        found = read_annotations([text], name=file.name, skipped=skipped)
        assert found is not None
        image_ids = [image_id for batch in found.batches for image_id in batch[found.columns.index("image_id")]]
        assert image_ids == sorted(image_ids)
        assert set(image_ids) <= known
        assert skipped.bad == 0 < len(image_ids) == skipped.rows
        tables[found.table] += len(image_ids)
    assert tables.keys() == {"box", "label", "segmentation", "relationship", "point"}


def test_classes_and_their_tree_are_read_back(directory: Path) -> None:
    text = (directory / "v7/oidv7-class-descriptions.csv").read_bytes().decode()
    assert text.startswith("LabelName,DisplayName\r\n")
    lines = io.StringIO(text, newline="")
    assert dict(read_classes(lines, "classes")) == CLASSES
    assert "Ducks, geese and swans" in CLASSES.values()
    with (directory / "2018_04/bbox_labels_600_hierarchy.json").open("rb") as file:
        edges = list(read_hierarchy(file, "hierarchy.json"))
    below = {child for _, child, kind in edges if kind == "subcategory"}
    assert below | {"/m/0bl9f"} | {child for _, child, kind in edges if kind == "part"} == BOXABLE.keys()
    assert {drawn.label_name for drawn in DRAWN} <= below


def test_points_say_yes_to_the_class_at_their_pixel(directory: Path, photos: dict[str, numpy.ndarray]) -> None:
    checked = 0
    for row in rows(directory, "v7/oidv7-train-annotations-point-labels.csv"):
        photo = photos.get(row["ImageId"])
        if photo is not None and row["EstimatedYesNo"] == "yes":
            height, width, _ = photo.shape
            x, y = int(float(row["X"]) * width), int(float(row["Y"]) * height)
            assert is_near(photo[y, x], COLOURS[row["Label"]])
            checked += 1
    assert checked > 40


def test_a_caption_is_a_line_of_json_about_a_listed_image(demo: Demo, directory: Path) -> None:
    text = (directory / "localized-narratives/annotations/open_images_test_captions.jsonl").read_text()
    captions = [json.loads(line) for line in text.splitlines()]
    ours = {listed.image.image_id for listed in demo.images if listed.image.subset == "test"}
    assert {caption["image_id"] for caption in captions} <= ours
    assert all(caption["caption"].startswith("In this photo there is a ") for caption in captions)


def _copy(demo: Demo, listed: DemoImage) -> Pillow.Image:
    answer = demo.site.answers[f"/{listed.image.subset}/{listed.image.image_id}.jpg"]
    return Pillow.open(io.BytesIO(body(answer)))


def test_the_mirror_has_copies_of_at_most_1024_pixels_also_of_photos_that_are_gone(
    demo: Demo, photos: dict[str, numpy.ndarray]
) -> None:
    gone = next(listed for listed in demo.images if listed.expected_status is Status.FAILED and listed.annotations)
    assert max(_copy(demo, gone).size) <= 1024
    large = next(
        listed for listed in demo.images if max(photos.get(listed.image.image_id, numpy.zeros(1)).shape) > 1024
    )
    assert max(_copy(demo, large).size) == 1024
    mirrored = [
        listed for listed in demo.images if f"/{listed.image.subset}/{listed.image.image_id}.jpg" in demo.site.answers
    ]
    without = [listed.image.subset for listed in demo.images if listed not in mirrored]
    assert set(without) == {"train"}, "those without boxes"


def test_md5s_are_those_of_the_photos(demo: Demo, directory: Path) -> None:
    for listed in demo.images:
        photo = (directory / f"photos/{listed.image.image_id}.jpg").read_bytes()
        md5 = base64.b64encode(hashlib.md5(photo, usedforsecurity=False).digest()).decode()
        assert (listed.image.original_size, listed.image.original_md5) == (len(photo), md5)
