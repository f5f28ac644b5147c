"""What a run will do, in words: three lines that tell the exact from the approximate and the unknown."""

from pathlib import Path

import pytest

from oidl.forecast import FilesToFetch, Forecast, Room, Share
from oidl.report.forecast import forecast_lines, forecast_text

GB = 10**9


def _images(**changes: object) -> str:
    return forecast_lines(Forecast(**changes))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("1 image to fetch, 2.0 GB", {"subsets": {"test": Share(1, 2 * GB)}}),
        ("3 images to fetch, about 2.0 GB", {"subsets": {"test": Share(3, 2 * GB)}, "is_exact": False}),
        ("at most 3 images to fetch, 2.0 GB", {"subsets": {"test": Share(3, 2 * GB)}, "is_most": True}),
        (
            "5 of 20 images to fetch (--limit), about 500 MB",
            {"subsets": {"test": Share(10, GB), "train": Share(10, GB)}, "limit": 5},
        ),
        ("3 images to fetch, 2.0 GB", {"subsets": {"test": Share(3, 2 * GB)}, "limit": 5}),
        (
            "1 image to fetch, 500 MB, 2 images to make from originals on disk",
            {"subsets": {"test": Share(3, GB / 2, local=2)}},
        ),
        ("0 images to fetch, 2 images to make from originals on disk", {"subsets": {"test": Share(2, 0, local=2)}}),
        ("7 images to fetch", {"subsets": {"test": Share(7, None)}}),
        ("images to fetch: unknown until the image list is loaded", {"subsets": {"test": None}}),
        ("9 images to fetch (--limit)", {"subsets": {"test": None}, "limit": 9}),
        (
            "0 images to fetch; their lists about 1.0 GB and 1 file of unknown size",
            {"lists": FilesToFetch("their lists", GB, is_exact=False, unknown=1)},
        ),
    ],
)
def test_the_images(line: str, changes: dict[str, object]) -> None:
    assert _images(annotations=(FilesToFetch("boxes", 1),), **changes) == line


def test_annotations_have_their_sizes() -> None:
    exact, about, unknown = (
        FilesToFetch("boxes", 2 * GB),
        FilesToFetch("labels", GB, is_exact=False),
        FilesToFetch("points", 0, unknown=3),
    )

    def line(*kinds: FilesToFetch) -> str:
        return forecast_lines(Forecast({"test": Share(1, 1)}, annotations=kinds))[1]

    assert line() == "no annotations to fetch"
    assert line(exact) == "annotations to fetch: boxes 2.0 GB"
    assert line(unknown) == "annotations to fetch: points of unknown size"
    assert line(exact, exact) == "annotations to fetch: boxes 2.0 GB, boxes 2.0 GB; 4.0 GB in all"
    assert line(exact, about, unknown) == (
        "annotations to fetch: boxes 2.0 GB, labels about 1.0 GB, points of unknown size; "
        "about 3.0 GB in all, plus files of unknown size"
    )


def test_room_and_time() -> None:
    fits, not_there = Room(Path("/a"), GB, 2 * GB), Room(Path("/b"), 2 * GB, -GB)
    subsets = {"test": Share(4000, 10 * GB)}
    assert forecast_lines(Forecast(subsets, rooms=(fits, not_there)))[2] == (
        "on disk about 1.0 GB of 2.0 GB available at /a; on disk about 2.0 GB, too much: 0 B available at /b; "
        "takes about 8 min 20 s at 20.0 MB/s and at most 40 images/s, which is a guess"
    )
    assert forecast_lines(Forecast(subsets, learned_pace=8.0))[2] == (
        "takes about 8 min 20 s at the pace of the last run, 8.0 images/s"
    )
    few = Forecast({"test": Share(4000, GB)}, lists=FilesToFetch("their list", 2 * GB))
    assert "takes about 3 min 20 s at 20.0 MB/s" in forecast_lines(few)[2]  # 100 s at 40 images/s, and the list
    assert forecast_lines(Forecast({"test": None}, rooms=(fits,)))[2] == (
        "the time it takes is unknown until the image list is loaded"
    )


def test_nothing_to_do_is_one_line() -> None:
    assert forecast_lines(Forecast({"test": Share(0, 0)})) == [
        "0 images and no annotations to fetch: everything is on disk already"
    ]


def test_a_dry_run_has_tables() -> None:
    text = forecast_text(Forecast({"train": Share(1200, GB), "test": None}, {"Cat": Share(7, 1000)}))
    assert [line.split() for line in text.splitlines()[-6:]] == [
        ["subset", "images", "bytes"],
        ["train", "1,200", "1.0", "GB"],
        ["test", "?", "?"],
        [],
        ["class", "images", "bytes"],
        ["Cat", "7", "1.0", "kB"],
    ]
    assert "nothing was fetched or written: this is a dry run" in text
