"""The texts of the page: written by the server, with the command line's own functions."""

import random
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from oidl.progress.format import duration, size
from oidl.report.describe import share
from oidl.web.text import OUTCOMES, host_of, with_image_text, with_run_text, with_text, with_try_texts

STATIC = Path(__file__).parents[2] / "oidl/web/static"
NOW = datetime(2030, 1, 1, 10, 1, 41, tzinfo=UTC)
COUNTS = {"total": 12, "pending": 6, "retry": 1, "done": 4, "failed": 1}


def page(**changes: Any) -> dict[str, Any]:
    return {
        "outcome": None,
        "is_running": True,
        "elapsed_s": 61.2,
        "eta_s": 8.0,
        "images_per_s": 0.4,
        "read_bytes_per_s": 4000,
        "written_bytes_per_s": None,
        "means": None,
        **COUNTS,
        "by_subset": {"train": {"pending": 0, "retry": 0, "done": 9_178_274, "failed": 0}},
        "downloads": [],
        "resizes": [],
        "paces": [],
        "nodes": [],
        "successes": [],
    } | changes


def test_a_run_in_progress() -> None:
    text = with_text(page())["text"]
    assert text == {
        "state": "a run is active",
        "elapsed": "1 min 1 s",
        "settled": "41.7 %",
        "left": "about 8 s left",
        "images_per_s": "0.4",
        "read_bytes_per_s": "4.0 kB/s",
        "written_bytes_per_s": None,
        "subsets": {"train": "100 %"},
    }


def test_a_run_that_has_ended_shows_its_means() -> None:
    means = {"images_per_s": 28.6, "read_bytes_per_s": 999_950_000.0, "written_bytes_per_s": 0.0}
    text = with_text(page(is_running=False, outcome="finished", means=means), "4 of 12 images are done")["text"]
    assert text["state"] == "last run finished: every image is settled"
    assert text["left"] == "4 of 12 images are done"
    assert [text[name] for name in means] == ["29", "1.0 GB/s", "0 B/s"]


def test_of_a_plan_it_says_how_its_images_stand() -> None:
    assert with_text(page(), "4 of 12 images are done")["text"]["left"] == "4 of 12 images are done · about 8 s left"
    assert with_text(page(eta_s=None))["text"]["left"] == ""


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"total": 0}, "loading the image list"),
        ({"is_running": False}, "no run yet"),
        ({"is_running": False, "outcome": "killed"}, "last run was killed: run it again to resume"),
        ({"is_running": False, "outcome": "by hand"}, "last run ended: by hand"),
    ],
)
def test_the_state_of_the_run(changes: dict[str, Any], state: str) -> None:
    assert with_text(page(**changes))["text"]["state"] == state


def test_before_there_is_a_list_nothing_is_settled() -> None:
    text = with_text(page(total=0, elapsed_s=None, by_subset={}))["text"]
    assert (text["settled"], text["elapsed"], text["subsets"]) == ("–", "", {})


def test_there_are_words_for_every_outcome() -> None:
    assert OUTCOMES.keys() == {
        *("finished", "unfinished", "limit", "interrupted", "metadata", "disk", "bug", "error", "killed")
    }


def test_what_is_in_progress() -> None:
    downloads = [
        {"received_bytes": 250, "expected_bytes": 1000},
        {"received_bytes": 999_600, "expected_bytes": 1_000_000},  # never all of it when it is not
        {"received_bytes": 1500, "expected_bytes": 1000},
        {"received_bytes": 4000, "expected_bytes": None},
    ]
    shown = with_text(page(downloads=downloads, resizes=[{"elapsed_s": 0.0154}, {"elapsed_s": 2.0}]))
    assert [each["text"]["received"] for each in shown["downloads"]] == ["25 %", "99 %", "100 %", "4.0 kB"]
    assert [each["text"]["elapsed"] for each in shown["resizes"]] == ["15 ms", "2.0 s"]
    assert with_text(page(downloads=None, resizes=None))["downloads"] is None


@pytest.mark.parametrize(
    ("rate", "pause_s", "reason", "texts"),
    [
        (None, 0.0, None, {"rate": "any", "pause": ""}),
        (38.234, 0.9, "slow", {"rate": "38.2", "pause": ""}),
        (1234.0, 12.4, None, {"rate": "1230", "pause": "paused for 12 s"}),
        (0.5, 75.0, "too many requests", {"rate": "0.5", "pause": "paused for 1 min 15 s: too many requests"}),
    ],
)
def test_a_pace(rate: float | None, pause_s: float, reason: str | None, texts: dict[str, str]) -> None:
    pace = {"rate": rate, "pause_s": pause_s, "pause_reason": reason}
    assert with_text(page(paces=[pace]))["paces"] == [pace | {"text": texts}]


def test_a_success_with_all_its_numbers_or_none() -> None:
    success = {"bytes": 5000, "width": 640, "height": 480, "transfer_s": 0.25, "process_s": None}
    unknown = dict.fromkeys(success)
    assert [each["text"] for each in with_text(page(successes=[success, unknown]))["successes"]] == [
        {"size": "5.0 kB", "pixels": "640 × 480", "transfer": "250 ms", "process": "–"},
        {"size": "–", "pixels": "–", "transfer": "–", "process": "–"},
    ]


# ---- what is asked for by itself


def test_an_image_that_waits_for_a_retry() -> None:
    download = {
        "bytes": None,
        "width": None,
        "height": None,
        "format": None,
        "transfer_s": None,
        "next_attempt_at": "2030-01-01T10:05:00.000Z",
        "finished_at": None,
    }
    image = with_image_text({"original_size": 999_950, "download": download, "files": [], "failures": []}, NOW)
    assert image["text"] == {
        "next_attempt": "2030-01-01 10:05:00 UTC",
        "original_size": "1.0 MB",
        "download": "",
        "transfer": "",
        "finished": "",
    }


@pytest.mark.parametrize(
    ("time", "ago"), [("2030-01-01T10:00:00.000Z", "1 min 41 s"), ("2031-01-01", "0 s"), ("yesterday", "yesterday")]
)
def test_how_long_ago_a_try_was(time: str, ago: str) -> None:
    (each,) = with_try_texts([{"time": time, "url": "https://c1.staticflickr.com/x.jpg"}], NOW)
    assert each["text"] == {"host": "c1.staticflickr.com", "ago": ago}


@pytest.mark.parametrize("url", [None, "", "not a url", "http://[::1"])
def test_what_names_no_host_has_none(url: str | None) -> None:
    assert not host_of(url)


def test_a_run_of_the_history() -> None:
    run = {"started_at": "2030-01-01T10:00:00.000Z", "elapsed_s": 3700.0, "bytes_read": 21_800_000}
    assert with_run_text(run)["text"] == {"started": "2030-01-01 10:00:00", "elapsed": "1 h 1 min", "read": "21.8 MB"}


# ---- nothing is formatted twice


def test_sizes_times_and_shares_are_those_of_the_command_line() -> None:
    chance = random.Random(16)
    for _ in range(300):
        count, seconds = chance.randrange(10 ** chance.randint(1, 14)), chance.random() * 1e5
        numbers = {"total": count + 1, "pending": 0, "retry": 1, "done": count, "failed": 0}
        text = with_text(page(read_bytes_per_s=count, elapsed_s=seconds, **numbers))["text"]
        assert text["read_bytes_per_s"] == f"{size(count)}/s"
        assert text["elapsed"] == duration(seconds)
        assert text["settled"] == share(count, count + 1)


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.glob("*.js")))
def test_the_scripts_format_nothing_but_whole_numbers(name: str) -> None:
    source = re.sub("//.*", "", (STATIC / name).read_text("utf-8"))
    if name == "draw.js":
        source = source.replace('number.toLocaleString("en-US")', "")
        source = source.replace(".toFixed(", "")  # places in a drawing
    for formatting in ("toFixed", "toPrecision", "toLocale", "Intl", "Date", " kB", " MB", " min", "/s`", " ms"):
        assert formatting not in source
