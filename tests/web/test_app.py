"""The answers of the page's server: only files that the database has, and text that stays text."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from builders import image

from oidl.state.connection import StateConnection
from oidl.state.plan import write_plan
from oidl.web.app import make_app
from oidl.web.database import Database
from oidl.web.events import Events
from oidl.web.feeds import DatabaseFeed

from .conftest import JPEG, own_path

STATIC = Path(make_app.__code__.co_filename).parent / "static"


def plan_words(plan: Mapping[str, object]) -> str:
    return " ".join(f"--{option} {value}" for option, value in plan.items())


@pytest.fixture
def get(stocked: StateConnection, root: Path, ask) -> Iterator[Callable]:
    """What the application about `stocked` answers to a path."""
    database = Database(stocked.path)
    app = make_app(DatabaseFeed(stocked.path, database, root, plan_words), database, Events(), root)
    yield lambda target, method="GET": ask(app, target, method)
    database.close()


def id_of(number: int) -> str:
    return image(number).image_id


# ---- pictures


def test_a_picture_is_the_file_that_its_row_names(get, root: Path) -> None:
    thumb = get(f"/picture/{id_of(1)}/thumbs")
    assert (thumb.status, thumb.headers["content-type"]) == (200, "image/jpeg")
    assert thumb.body == (root / own_path(1)).read_bytes()
    original = get(f"/picture/{id_of(1)}/original")
    assert original.body == (root / own_path(1, "original")).read_bytes()  # longer than a piece
    assert original.headers["content-length"] == str(len(original.body))


def test_a_head_has_its_length_and_no_body(get, root: Path) -> None:
    head = get(f"/picture/{id_of(1)}/thumbs", "HEAD")
    assert head.headers["content-length"] == str((root / own_path(1)).stat().st_size)
    assert head.body == b""


@pytest.mark.parametrize(
    "named",
    [
        f"{id_of(1)}/other",
        f"{id_of(0)}/thumbs",
        f"{id_of(1)}/../../etc/passwd",
        f"{id_of(1)}/../../../../../../etc/passwd",
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd/thumbs",
        f"{id_of(1).upper()}x/thumbs",
        f"{id_of(1)}/{own_path(1)}",
        f"{id_of(1)}/thumbs\0",
        f"{id_of(1)}/' OR 1=1 --",
        "/etc/passwd",
        f"{id_of(5)}/thumbs",  # a row that leads out, to what is no picture
        f"{id_of(5)}/original",  # a row that names a picture of somebody else's, in the root
        f"{id_of(5)}/prints",  # the same, by its absolute path
        f"{id_of(6)}/thumbs",  # a row that names the file of another image
        f"{id_of(6)}/original",  # a directory
        f"{id_of(4)}/original",  # an SVG with a script, called .jpg
        f"{id_of(4)}/prints",  # a TIFF, which browsers do not show
    ],
)
def test_nothing_else_is_ever_served(get, named: str) -> None:
    answer = get(f"/picture/{named}")
    assert answer.status == 404
    assert b"root:" not in answer.body
    assert b"svg" not in answer.body


def test_a_pipe_in_the_place_of_a_picture_keeps_nobody_waiting(get, root: Path) -> None:
    (root / own_path(1)).unlink()
    os.mkfifo(root / own_path(1))
    assert get(f"/picture/{id_of(1)}/thumbs").status == 404


# ---- what is known of images


def test_an_image_has_whose_it_is_and_all_that_is_known_of_it(get) -> None:
    found = json.loads(get(f"/api/image/{id_of(1)}").body)
    published = image(1)
    assert found["author"] == "Some One"
    assert found["title"] == 'A "title", with & and é'
    assert (found["license"], found["license_name"]) == (published.license, "CC BY 2.0")
    assert found["landing_url"] == published.original_landing_url
    assert found["picture"] == f"/picture/{id_of(1)}/thumbs"
    assert [file["rendition"] for file in found["files"]] == ["thumbs", "original"]
    assert (found["download"]["bytes"], found["download"]["transfer_s"]) == (5000, 0.25)
    assert (found["download"]["width"], found["download"]["height"]) == (640, 480)
    assert found["failures"] == []
    assert found["text"] == {
        "next_attempt": "",
        "original_size": "1.0 kB",
        "download": "5.0 kB, 640 × 480",
        "transfer": "250 ms, 20.0 kB/s",
        "finished": found["text"]["finished"],
    }
    assert [file["text"]["pixels"] for file in found["files"]] == ["64 × 48", "64 × 48"]


def test_an_image_that_failed_has_its_tries(get) -> None:
    found = json.loads(get(f"/api/image/{id_of(2)}").body)
    assert (found["status"], found["reason"], found["picture"], found["files"]) == ("failed", "gone", None, [])
    assert [(each["reason"], each["detail"], each["http_status"]) for each in found["failures"]] == [
        ("gone", "HTTP 410", 410)
    ]


def test_words_of_others_are_told_as_they_are_in_json(get) -> None:
    answer = get(f"/api/image/{id_of(4)}")
    assert answer.headers["content-type"] == "application/json"
    found = json.loads(answer.body)
    assert (found["title"], found["author"]) == ("<script>alert(1)</script>", "<b>Bold</b>")
    assert [file["picture"] for file in found["files"]] == [f"/picture/{id_of(4)}/original", None]


@pytest.mark.parametrize("image_id", ["ffffffffffffffff", "x", "..", "0" * 17])
def test_an_image_that_is_not_in_the_list_is_not_found(get, image_id: str) -> None:
    assert get(f"/api/image/{image_id}").status == 404


def test_a_search_finds_what_begins_so(get) -> None:
    assert [card["image_id"] for card in json.loads(get("/api/search?id=000000000000000").body)] == [
        id_of(number) for number in range(12)
    ]
    assert [card["image_id"] for card in json.loads(get(f"/api/search?id=%20{id_of(11).upper()}").body)] == [id_of(11)]
    assert json.loads(get("/api/search?id=1").body) == []


@pytest.mark.parametrize("typed", ["", "xyz", "0" * 17, "'", "%25"])
def test_what_is_no_imageid_is_not_searched_for(get, typed: str) -> None:
    answer = get(f"/api/search?id={typed}")
    assert answer.status == 400
    assert "ImageID" in json.loads(answer.body)["error"]


def test_examples_are_by_reason_with_the_latest_first(get) -> None:
    found = json.loads(get("/api/examples").body)
    assert {reason: [each["image_id"] for each in tries] for reason, tries in found.items()} == {
        "timeout": [id_of(3)],
        "gone": [id_of(2)],
    }


def test_runs_are_told(get) -> None:
    (run,) = json.loads(get("/api/runs").body)
    assert (run["id"], run["outcome"], run["done"]) == (1, None, 0)


def test_a_snapshot_agrees_with_the_database(get, stocked: StateConnection) -> None:
    now = json.loads(get("/api/snapshot").body)
    assert {name: now[name] for name in ("total", "pending", "retry", "done", "failed")} == {
        "total": 12,
        "pending": 6,
        "retry": 1,
        "done": 4,
        "failed": 1,
    }
    assert {(row["reason"], row["failed"], row["retry"]) for row in now["reasons"]} == {
        ("gone", 1, 0),
        ("timeout", 0, 1),
    }
    assert [each["reason"] for each in now["failures"]] == ["timeout", "gone"]
    assert {card["image_id"] for card in now["pictures"]} == {id_of(number) for number in (1, 4, 5, 6)}
    assert [each["image_id"] for each in now["successes"]] == [id_of(number) for number in (6, 5, 4, 1)]
    assert now["downloads"] is None


def test_a_snapshot_says_which_root_version_and_plan_it_is_about(get, stocked: StateConnection, root: Path) -> None:
    write_plan(stocked, {"limit": 5})
    about = json.loads(get("/api/snapshot").body)["about"]
    assert about == {"root": str(root), "version": "3", "plan": "--limit 5"}


def test_a_failed_try_names_the_url_to_try_without_its_password(get, stocked: StateConnection) -> None:
    stocked.execute("UPDATE attempt SET url = 'https://me:secret@example.org/x.jpg'")
    now = json.loads(get("/api/snapshot").body)
    assert {each["url"] for each in now["failures"]} == {"https://example.org/x.jpg"}
    stocked.execute("UPDATE attempt SET url = NULL")
    now = json.loads(get("/api/snapshot").body)
    assert [each["url"] for each in now["failures"]] == [image(3).original_url, image(2).original_url]


# ---- the page itself


def test_the_page_and_all_that_it_names_are_there(get) -> None:
    page = get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    names = [part.split('"')[0] for part in page.body.decode().split('="/')[1:]]
    scripts = [path.name for path in STATIC.glob("*.js")]
    imported = {name for script in scripts for name in re.findall(r'from "./(.+)"', (STATIC / script).read_text())}
    assert set(names) == {"icon.svg", "base.css", "page.css", "explorer.css", "page.js"}
    assert imported <= set(scripts) == imported | {"page.js"}
    for name in names + scripts:
        answer = get(f"/{name}")
        assert (answer.status, len(answer.body) > 100) == (200, True)


@pytest.mark.parametrize("target", ["/nothing", "/static/page.js", "/../base.css", "/picture", "/api/image/"])
def test_there_is_nothing_else(get, target: str) -> None:
    assert get(target).status == 404


def test_before_there_is_a_database_it_says_that_nothing_is_there(tmp_path: Path, ask) -> None:
    path = tmp_path / "none.sqlite3"
    database = Database(path)
    app = make_app(DatabaseFeed(path, database, tmp_path, plan_words), database, Events(), tmp_path)
    assert json.loads(ask(app, "/api/snapshot").body)["total"] == 0
    assert ask(app, f"/api/image/{id_of(1)}").status == 404
    assert ask(app, f"/picture/{id_of(1)}/thumbs").status == 404
    for listed in ("runs", "classes"):
        assert json.loads(ask(app, f"/api/{listed}").body) == []
    assert json.loads(ask(app, "/api/images?class=cat").body) == {"images": [], "next": None}
    assert json.loads(ask(app, "/api/choices").body) == {
        "subsets": [],
        "renditions": [],
        "reasons": [],
        "checks": [],
        "licenses": [],
        "has_classes": False,
    }


# ---- pictures in shards


@pytest.fixture
def sharded(stocked: StateConnection, root: Path) -> str:
    """The thumbnail of image 1 is in a shard, which is returned; there are other bytes around it."""
    shard = "2017_11/train/thumbs/train-000012.tar"
    (root / shard).write_bytes(bytes(1536) + JPEG + bytes(500))
    stocked.execute("UPDATE file SET path = ? WHERE image_id = ? AND rendition = 'thumbs'", (f"{shard}#1536", id_of(1)))
    return shard


@pytest.mark.parametrize("suffix", ["", ".part"])
def test_a_picture_in_a_shard_is_shown_as_the_part_of_it_that_its_row_names(
    suffix: str, sharded: str, get, root: Path
) -> None:
    (root / sharded).rename(root / f"{sharded}{suffix}")
    found = json.loads(get(f"/api/image/{id_of(1)}").body)
    assert found["picture"] == f"/picture/{id_of(1)}/thumbs"
    answer = get(found["picture"])
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/jpeg", JPEG)
    assert answer.headers["content-length"] == str(len(JPEG))


def test_a_picture_in_a_shard_of_a_format_that_browsers_do_not_show_is_not_promised(
    sharded: str, get, stocked: StateConnection
) -> None:
    stocked.execute("UPDATE rendition SET format = 'tif' WHERE name = 'thumbs'")
    assert json.loads(get(f"/api/image/{id_of(1)}").body)["picture"] == f"/picture/{id_of(1)}/original"


@pytest.mark.parametrize("place", ["{shard}#0", "{shard}#1537", "{shard}#99999", "/etc/passwd.tar#0", "{shard}"])
def test_a_place_that_is_no_picture_is_not_sent(
    place: str, sharded: str, get, stocked: StateConnection, root: Path
) -> None:
    path = place.format(shard=sharded)
    stocked.execute("UPDATE file SET path = ? WHERE image_id = ? AND rendition = 'thumbs'", (path, id_of(1)))
    assert get(f"/picture/{id_of(1)}/thumbs").status == 404


def test_a_picture_that_is_only_in_an_object_store_is_not_lost(
    sharded: str, get, stocked: StateConnection, root: Path
) -> None:
    stocked.execute("INSERT INTO shard_set VALUES (1, 'run', 'd', 'webdataset', 'thumbs', '{}', '2026', NULL)")
    stocked.execute(
        "INSERT INTO shard (set_id, split, number, path, state, remote_url, is_local) "
        "VALUES (1, 'train', 12, ?, 'sealed', 's3://bucket/cats/x.tar', 0)",
        (sharded,),
    )
    assert get(f"/picture/{id_of(1)}/thumbs").status == 200  # copied back
    (root / sharded).unlink()
    answer = get(f"/picture/{id_of(1)}/thumbs")
    assert (answer.status, b"only in an object store: s3://bucket/cats/x.tar" in answer.body) == (409, True)


def test_a_pipe_in_the_place_of_a_shard_keeps_nobody_waiting(sharded: str, get, root: Path) -> None:
    (root / sharded).unlink()
    os.mkfifo(root / sharded)
    assert get(f"/picture/{id_of(1)}/thumbs").status == 404


def test_a_picture_that_its_shard_is_too_short_for_is_not_sent(sharded: str, get, root: Path) -> None:
    os.truncate(root / sharded, 1536 + len(JPEG) - 1)
    assert get(f"/picture/{id_of(1)}/thumbs").status == 404
