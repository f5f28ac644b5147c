"""The explorer's answers: images that match a filter, their boxes and labels, and their masks as a picture."""

import json
import os
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import numpy
import pytest
from builders import image

from oidl.imaging.boxes import Transform
from oidl.imaging.masks import transform_mask
from oidl.imaging.overlay import MAX_SIDE, draw_masks, overlay_transform
from oidl.imaging.png import mask_png
from oidl.imaging.vips import pyvips
from oidl.state.connection import StateConnection
from oidl.web.app import make_app
from oidl.web.colours import class_colours, css_colour
from oidl.web.database import Database
from oidl.web.events import Events
from oidl.web.feeds import DatabaseFeed

CAT, DOG = "/m/01yrx", "/m/0bt9lr"
CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"


def id_of(number: int) -> str:
    return image(number).image_id


@pytest.fixture
def get(stocked: StateConnection, root: Path, ask) -> Iterator[Callable]:
    """What the application about `stocked` answers to a path."""
    database = Database(stocked.path)
    app = make_app(DatabaseFeed(stocked.path, database, root, lambda plan: ""), database, Events(), root)
    yield lambda target: ask(app, target)
    database.close()


@pytest.fixture
def labelled(stocked: StateConnection) -> StateConnection:
    """Image 1 has a cat in the left upper quarter, a group of dogs, and labels by people and by a machine."""
    stocked.executemany(
        "INSERT INTO class (label_name, display_name) VALUES (?, ?)", [(CAT, "Cat &amp; co"), (DOG, "Dog")]
    )
    stocked.executemany(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, x_min, x_max, y_min, y_max, "
        "is_occluded, is_group_of) VALUES (?, ?, 'xclick', ?, 1, ?, ?, ?, ?, ?, ?)",
        [(id_of(1), 1, CAT, 0, 0.5, 0, 0.5, 1, 0), (id_of(1), 2, DOG, 0.25, 0.75, 0.5, 1, -1, 1)],
    )
    stocked.executemany(
        "INSERT INTO label (image_id, label_name, source, confidence) VALUES (?, ?, ?, ?)",
        [
            (id_of(1), CAT, "machine", 0.7),
            (id_of(1), CAT, "verification", 1),
            (id_of(1), DOG, "machine", 0.6),
            (id_of(1), "/m/owl", "verification", 0),
            (id_of(1), "/m/owl", "machine", 0.9),
            (id_of(1), "/m/fox", "machine", 0),
        ],
    )
    stocked.execute("UPDATE file SET scaled_width = 64, scaled_height = 48 WHERE rendition = 'thumbs'")
    return stocked


def found(answer) -> list[str]:
    return [card["image_id"] for card in json.loads(answer.body)["images"]]


# ---- images


def test_images_come_part_by_part_in_both_directions(get) -> None:
    first = json.loads(get("/api/images?subset=train").body)
    assert [card["image_id"] for card in first["images"]] == [id_of(number) for number in (1, 4, 5, 6)]
    assert first["next"] is None
    assert found(get(f"/api/images?start={id_of(1)}0")) == [id_of(number) for number in (4, 5, 6)]
    assert found(get(f"/api/images?start={id_of(5)}&back=1")) == [id_of(number) for number in (5, 4, 1)]
    assert found(get("/api/images?back=1")) == [id_of(number) for number in (6, 5, 4, 1)]


@pytest.mark.parametrize(
    ("asked", "matching"),
    [
        ("class=cat+%26amp%3B+co", [1]),
        ("class=dog&in=boxes", [1]),
        ("class=dog&in=masks", []),
        ("rendition=prints", [4, 5]),
        ("min=65", []),
        ("max=64&rendition=thumbs", [1, 5, 6]),
        ("reason=any", [2, 3]),
        ("reason=gone", [2]),
        (f"license={CC0}", []),
        ("check=unchecked", [1, 4, 5, 6]),
        ("check=same", []),
    ],
)
def test_every_filter_reaches_the_search(get, labelled: StateConnection, asked: str, matching: list[int]) -> None:
    assert found(get(f"/api/images?{asked}")) == [id_of(number) for number in matching]


def test_an_image_has_the_boxes_in_its_picture(get, labelled: StateConnection) -> None:
    (card,) = json.loads(get("/api/images?class=dog").body)["images"]
    colours = {label_name: css_colour(colour) for label_name, colour in class_colours([CAT, DOG]).items()}
    assert card["picture"] == f"/picture/{id_of(1)}/thumbs"
    assert card["boxes"] == [
        {
            "name": "Cat & co",
            "colour": colours[CAT],
            "flags": ["occluded"],
            "left": 0,
            "top": 0,
            "width": 0.5,
            "height": 0.5,
        },
        {
            "name": "Dog",
            "colour": colours[DOG],
            "flags": ["group"],
            "left": 0.25,
            "top": 0.5,
            "width": 0.5,
            "height": 0.5,
        },
    ]
    assert card["text"]["pixels"] == "64 × 48"
    (original,) = json.loads(get("/api/images?class=dog&rendition=original").body)["images"]
    assert original["picture"] == f"/picture/{id_of(1)}/original"


def test_an_image_that_failed_says_why_and_where_it_was(get) -> None:
    gone, waiting = json.loads(get("/api/images?reason=any").body)["images"]
    assert (gone["picture"], gone["status"], gone["reason"]) == (None, "failed", "gone")
    assert gone["trouble"]["meaning"] == "the photo was removed (410)"
    assert gone["trouble"]["url"] == image(2).original_url
    assert gone["landing_url"] == image(2).original_landing_url
    assert (waiting["status"], waiting["text"]["retry"]) == ("retry", "will be retried by the next run")


def test_an_image_that_is_in_an_object_store_only_says_so(get, stocked: StateConnection) -> None:
    shard = "2017_11/train/thumbs/train-000012.tar"
    stocked.execute("DELETE FROM file WHERE image_id = ? AND rendition = 'original'", (id_of(1),))
    stocked.execute("UPDATE file SET path = ? WHERE image_id = ?", (f"{shard}#1536", id_of(1)))
    stocked.execute(
        "INSERT INTO shard_set (set_id, writer, directory, format, rendition, recipe, created_at) "
        "VALUES (1, 'run', 'd', 'webdataset', 'thumbs', '{}', '')"
    )
    stocked.execute(
        "INSERT INTO shard (set_id, split, number, path, state, is_local, remote_url) VALUES (1, 'train', 12, ?, "
        "'sealed', 0, 's3://bucket/train-000012.tar')",
        (shard,),
    )
    (card, *_) = json.loads(get("/api/images").body)["images"]
    assert (card["picture"], card["remote"]) == (None, "s3://bucket/train-000012.tar")
    one = json.loads(get(f"/api/image/{id_of(1)}").body)
    assert (one["picture"], one["remote"]) == (None, "s3://bucket/train-000012.tar")
    stocked.execute("UPDATE shard SET is_local = 1")
    (card, *_) = json.loads(get("/api/images").body)["images"]
    assert (card["picture"], card["remote"]) == (f"/picture/{id_of(1)}/thumbs", None)


def test_labels_that_are_there_come_first_and_people_overrule_a_machine(get, labelled: StateConnection) -> None:
    labels = json.loads(get(f"/api/image/{id_of(1)}").body)["labels"]
    assert [(label["name"], label["is_there"], label["by"], label["confidence"]) for label in labels] == [
        ("Cat & co", True, "people", 1.0),
        ("Dog", True, "machine", 0.6),
        ("/m/owl", False, "people", 0.0),
    ]


def test_a_class_that_there_is_not_is_answered_with_one_that_there_is(get, labelled: StateConnection) -> None:
    answer = get("/api/images?class=Dogg")
    assert answer.status == 200
    assert json.loads(answer.body)["error"] == "there is no class 'Dogg'; did you mean Dog?"


@pytest.mark.parametrize(
    "asked",
    ["start=x", f"start={'0' * 18}", "start=%00", "start='", "start=%25", "in=thumbs", "check=stolen"]
    + [f"{side}={typed}" for side in ("min", "max") for typed in ("x", "-1", "1e3", "1.5", "²", "12345678", "%00")],
)
def test_what_makes_no_sense_is_refused(get, asked: str) -> None:
    answer = get(f"/api/images?{asked}")
    assert answer.status == 400
    assert json.loads(answer.body)["error"]


@pytest.mark.parametrize("field", ["class", "subset", "license", "rendition", "reason"])
@pytest.mark.parametrize("typed", ["'%20OR%201=1%20--", "%00", "%25", "x" * 5000, "%F0%9F%98%80"])
def test_whatever_is_asked_finds_nothing_and_breaks_nothing(get, field: str, typed: str) -> None:
    answer = get(f"/api/images?{field}={typed}")
    assert answer.status == 200
    assert not json.loads(answer.body).get("images")


def test_a_class_without_a_name_has_its_label(get, labelled: StateConnection) -> None:
    labelled.execute("UPDATE class SET display_name = '' WHERE label_name = ?", (DOG,))
    shown = json.loads(get(f"/api/image/{id_of(1)}").body)
    assert {label["name"] for label in shown["labels"]} == {"Cat & co", DOG, "/m/owl"}


def test_another_database_in_the_place_of_the_first_is_read(get, labelled: StateConnection) -> None:
    """As when a root is deleted and begun again; and meanwhile there is none."""
    assert found(get("/api/images"))
    labelled.execute("VACUUM INTO ?", (str(labelled.path) + ".other",))
    for part in ("", "-wal", "-shm"):
        Path(f"{labelled.path}{part}").rename(f"{labelled.path}.away{part}")
    assert not found(get("/api/images"))
    with closing(sqlite3.connect(f"{labelled.path}.other")) as other, other:
        other.execute("UPDATE image SET title = 'another database'")
    Path(f"{labelled.path}.other").rename(labelled.path)
    assert {card["title"] for card in json.loads(get("/api/images").body)["images"]} == {"another database"}


def test_there_is_to_choose_what_there_is(get, labelled: StateConnection) -> None:
    choices = json.loads(get("/api/choices").body)
    assert choices["subsets"] == [{"name": "test", "images": 2}, {"name": "train", "images": 10}]
    assert choices["renditions"] == [
        {"name": "original", "images": 4},
        {"name": "thumbs", "images": 3},
        {"name": "prints", "images": 2},
    ]
    assert {each["name"] for each in choices["reasons"]} == {"gone", "timeout"}
    assert choices["licenses"] == [{"url": image(1).license, "name": "CC BY 2.0"}]
    assert choices["has_classes"]
    assert json.loads(get("/api/classes?name=c").body) == ["Cat &amp; co"]


# ---- colours


def test_a_class_has_its_colour_in_every_image_and_no_other_class_of_the_image_has_it() -> None:
    names = [f"/m/{number:04}" for number in range(40)]
    alone = {name: class_colours([name])[name] for name in names}
    assert len(set(alone.values())) > 8
    for few in (names[at : at + 6] for at in range(0, 36, 3)):
        together = class_colours(few)
        assert len(set(together.values())) == len(few)
        assert class_colours(reversed(few)) == together
    assert class_colours(names[:3], names)[names[0]] == class_colours(names[:3])[names[0]]


# ---- masks


@pytest.fixture
def masked(labelled: StateConnection, root: Path) -> Path:
    """Image 1 has a mask of a cat, its left upper quarter, and one of a dog that is in no archive."""
    labelled.executemany(
        "INSERT INTO segmentation (image_id, row_number, mask_path, label_name, box_id, box_x_min, box_x_max, "
        "box_y_min, box_y_max) VALUES (?, ?, ?, ?, 'b', 0, 0.5, 0, 0.5)",
        [(id_of(1), 1, "cat.png", CAT), (id_of(1), 2, "dog.png", DOG)],
    )
    mask = numpy.zeros((480, 640), bool)
    mask[:240, :320] = True
    archive = root / "2017_11/train/train-masks-0.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("cat.png", mask_png(mask))
    return archive


def pixels(body: bytes) -> numpy.ndarray:
    return pyvips.Image.new_from_buffer(body, "").numpy()


def test_masks_are_a_picture_of_the_size_of_the_file_in_the_colours_of_their_boxes(get, masked: Path) -> None:
    one = json.loads(get(f"/api/image/{id_of(1)}").body)
    assert [file["masks"] for file in one["files"]] == [f"/masks/{id_of(1)}/thumbs", f"/masks/{id_of(1)}/original"]
    assert [(each["name"], each["masks"]) for each in one["masked"]] == [("Cat & co", 1), ("Dog", 1)]
    answer = get(f"/masks/{id_of(1)}/thumbs")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    drawn = pixels(answer.body)
    assert drawn.shape == (48, 64, 4)
    colour = class_colours([CAT, DOG])[CAT]
    assert (drawn[:24, :32, :3] == colour).all()
    assert (drawn[:24, :32, 3] > 0).all()
    assert not drawn[24:, :, 3].any()
    assert not drawn[:, 32:, 3].any()
    assert drawn[23, 5, 3] == drawn[5, 31, 3] == 255  # the edge
    assert 0 < drawn[10, 10, 3] < 128


@pytest.mark.parametrize("change", ["remove", "damage", "empty", "other"])
def test_without_its_archive_there_is_no_picture_of_masks(get, masked: Path, change: str) -> None:
    assert get(f"/masks/{id_of(1)}/thumbs").status == 200
    if change == "remove":
        masked.unlink()
    elif change == "other":
        masked.rename(masked.with_name("train-masks-1.zip"))
    else:
        os.truncate(masked, 60 if change == "damage" else 0)
    assert get(f"/masks/{id_of(1)}/thumbs").status == 404


def test_an_archive_that_comes_later_is_found(get, masked: Path) -> None:
    body = masked.read_bytes()
    masked.unlink()
    assert get(f"/masks/{id_of(1)}/thumbs").status == 404
    masked.write_bytes(body)
    assert get(f"/masks/{id_of(1)}/thumbs").status == 200


@pytest.mark.parametrize(
    "named", [f"{id_of(1)}/other", f"{id_of(2)}/thumbs", "../x/thumbs", "x/thumbs", f"{id_of(4)}/original"]
)
def test_what_has_no_masks_has_no_picture_of_them(get, masked: Path, named: str) -> None:
    assert get(f"/masks/{named}").status == 404


def test_a_huge_mask_is_not_decoded(get, masked: Path) -> None:
    with zipfile.ZipFile(masked, "w") as file:
        file.writestr("cat.png", mask_png(numpy.ones((4_100, 4_000), bool)))
    assert get(f"/masks/{id_of(1)}/thumbs").status == 404


def test_an_overlay_is_never_longer_than_most_masks() -> None:
    whole = Transform(6, 6_000, 8_000, 100, 50, 4_000, 6_400)
    small = overlay_transform(whole)
    assert (small.width, small.height) == (1_000, MAX_SIDE)
    assert (small.scaled_width, small.scaled_height, small.left, small.top, small.orientation) == (
        1_500,
        2_000,
        25,
        12,
        6,
    )
    assert overlay_transform(small) == small


def test_the_smallest_mask_is_in_front_and_no_mask_is_no_paint() -> None:
    transform = Transform(1, 40, 30, 0, 0, 40, 30)
    large, small = numpy.ones((30, 40), bool), numpy.zeros((30, 40), bool)
    small[10:20, 10:20] = True
    red, blue = (200, 0, 0), (0, 0, 200)
    masks = [(transform_mask(small, transform), red), (transform_mask(large, transform), blue)]
    drawn = pixels(draw_masks(masks, 40, 30))
    assert (drawn[10:20, 10:20, :3] == red).all()
    assert (drawn[:10, :, :3] == blue).all()
    assert not pixels(draw_masks([], 40, 30))[:, :, 3].any()
    assert pyvips.Image.new_from_buffer(mask_png(small), "").avg() == pytest.approx(255 * small.mean())
    assert BytesIO(draw_masks(masks, 40, 30)).read(8) == b"\x89PNG\r\n\x1a\n"
