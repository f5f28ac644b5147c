"""The text of `oidl status` for given counts."""

from dataclasses import replace
from typing import Any

import pytest

from oidl.model import Reason, Status
from oidl.reasons import meaning
from oidl.report.describe import plan_words
from oidl.report.status import status_text
from oidl.state.counts import NOTHING_YET, Counts, PaceRow, PackCounts, RunRow, ShardCounts
from oidl.state.nodes import NodeRow
from oidl.state.plan_counts import PlanCounts


def row(pending: int = 0, retry: int = 0, done: int = 0, failed: int = 0) -> dict[Status, int]:
    return {Status.PENDING: pending, Status.RETRY: retry, Status.DONE: done, Status.FAILED: failed}


RUN = RunRow(
    id=7,
    started_at="2030-01-01T10:00:00.000Z",
    updated_at="2030-01-01T10:01:40.500Z",
    finished_at=None,
    outcome=None,
    done=1200,
    failed=30,
    throttled=5,
    bytes=2_400_000_000,
    images_per_s=12.5,
    bytes_per_s=24_000_000.0,
)
COUNTS = Counts(
    dataset_version="3",
    by_subset={"test": row(done=1000), "train": row(pending=7000, retry=500, done=1400, failed=100)},
    by_reason={"timeout": row(retry=500), "gone": row(failed=80), "forbidden": row(retry=1, failed=600)},
    bytes_downloaded=4_800_000_000,
    files={"original": (2400, 4_800_000_000), "thumbs": (2390, 24_000_000)},
    next_attempt_at="2030-01-01T10:05:00.000Z",
    run=RUN,
    paces=(
        PaceRow("flickr", 16, 38.5, 40.0, None, "2030-01-01T10:01:40.500Z"),
        PaceRow("old", 1, None, None, "2030-01-01T09:00:00.000Z", "2030-01-01T08:00:00.000Z"),
    ),
    skipped_rows=3,
)
ENDED = replace(COUNTS, run=replace(RUN, finished_at="2030-01-01T10:02:00.000Z", outcome="finished"))


def test_removed_images_are_not_to_be_tried_again() -> None:
    removed = {"license": row(failed=6)}
    assert "--retry-failed" not in status_text(replace(COUNTS, by_reason=removed), is_running=False)
    others = removed | {"gone": row(failed=1)}
    assert "--retry-failed` to try the others again." in status_text(
        replace(COUNTS, by_reason=others), is_running=False
    )


def test_the_text_is_these_lines() -> None:
    assert status_text(COUNTS, is_running=True, free_bytes=31_000_000_000).splitlines() == [
        "Open Images V3: 2,500 of 10,000 images settled (25.0 %), 4.8 GB downloaded for those that are done",
        "",
        "                pending      retry       done     failed      total    settled",
        "test                  0          0      1,000          0      1,000      100 %",
        "train             7,000        500      1,400        100      9,000     16.7 %",
        "all               7,000        500      2,400        100     10,000     25.0 %",
        "",
        "3 rows of the image list were skipped when it was loaded: see the table `skipped_row`",
        "",
        "Why images failed:",
        "",
        "    for good    to retry",
        "         600           1  forbidden      the photo is no longer public (403)",
        "           0         500  timeout        no connection, or no data, within the timeout",
        "          80           0  gone           the photo was removed (410)",
        "",
        "Run `oidl run` for those to retry, or `oidl run --retry-failed` for all of them.",
        "",
        "On disk:",
        "",
        "       files        size",
        "       2,400      4.8 GB  original",
        "       2,390     24.0 MB  thumbs",
        "       4,790      4.8 GB  in all, 31.0 GB free",
        "",
        "A run has been active since 2030-01-01 10:00:00 UTC: 1,200 done, 30 failed, 5 requests throttled, "
        "12.5 img/s, 24.0 MB/s, about 10 min 0 s left.",
        "  flickr: 38.5 req/s, up to 16 at once",
        "The next retry is due at 2030-01-01 10:05:00 UTC.",
    ]


def node(number: int, lost: str | None = None) -> NodeRow:
    return NodeRow(f"10.0.0.{number}:4000", f"10.0.0.{number}", 8, "", "", 1200 * number, 12.34, 64, lost)


def test_a_run_on_a_cluster_has_a_line_for_each_node_and_one_for_those_that_ended() -> None:
    gone = [node(3, "has ended"), node(4, "has left the cluster")]
    few = status_text(replace(COUNTS, nodes=(node(1), node(2), *gone)), is_running=True).splitlines()
    at = few.index("  node 10.0.0.1:4000: 1,200 done, 12.3 img/s, 64 in progress")
    assert few[at + 1 : at + 3] == [
        "  node 10.0.0.2:4000: 2,400 done, 12.3 img/s, 64 in progress",
        "  2 nodes ended, the last one: 10.0.0.4:4000 has left the cluster",
    ]
    many = status_text(replace(COUNTS, nodes=tuple(map(node, range(1, 31)))), is_running=True).splitlines()
    assert sum(line.startswith("  node ") for line in many) == 20
    assert "  and 10 nodes more" in many


def test_the_table_of_the_largest_list_fits_a_terminal() -> None:
    whole = {"validation": row(1, 10, 9_178_275, 100), "train": row(pending=9_011_219)}
    lines = status_text(replace(COUNTS, by_subset=whole, by_reason={}, files={}), is_running=True).splitlines()
    assert max(len(line) for line in lines[2:6]) <= 79


def test_what_there_is_none_of_has_no_heading() -> None:
    text = status_text(replace(COUNTS, by_reason={}, files={}), is_running=True)
    assert "Why" not in text
    assert "On disk" not in text


def test_a_retry_whose_time_has_come_is_due_now() -> None:
    text = status_text(replace(COUNTS, next_attempt_at="2020-01-01T10:05:00.000Z"), is_running=True)
    assert text.endswith("The next retry is due now.")


@pytest.mark.parametrize(
    ("counts", "last_lines"),
    [
        (
            ENDED,
            [
                "Last run: finished, 2030-01-01 10:02:00 UTC; 1,200 done, 30 failed, 5 requests throttled.",
                "The next retry is due at 2030-01-01 10:05:00 UTC; `oidl run` resumes.",
            ],
        ),
        (
            replace(COUNTS, next_attempt_at=None),
            ["", "Last run: killed, 2030-01-01 10:01:40 UTC; 1,200 done, 30 failed, 5 requests throttled."],
        ),
        (replace(COUNTS, run=None), ["", "No run yet."]),
    ],
    ids=["ended", "killed", "none"],
)
def test_a_run_that_is_over_is_told_by_how_it_ended(counts: Counts, last_lines: list[str]) -> None:
    counts = replace(counts, paces=())
    assert status_text(counts, is_running=False).splitlines()[-2:] == last_lines


@pytest.mark.parametrize("is_running", [False, True])
def test_before_there_is_a_list_it_says_so(is_running: bool) -> None:
    more = " A run is active." if is_running else ""
    assert status_text(NOTHING_YET, is_running=is_running) == f"The image list is not loaded yet.{more}"


@pytest.mark.parametrize(
    ("done", "pending", "words"),
    [(0, 9_000_000, "0 %"), (1, 9_000_000, "0.1 %"), (8_999_999, 1, "99.9 %"), (9_000_000, 0, "100 %")],
)
def test_all_and_nothing_are_said_only_when_they_are_true(done: int, pending: int, words: str) -> None:
    counts = replace(COUNTS, by_subset={"train": row(done=done, pending=pending)})
    assert f"images settled ({words})" in status_text(counts, is_running=False)


def test_a_pause_that_the_next_run_keeps_is_named_with_the_way_out() -> None:
    far = replace(COUNTS.paces[0], paused_until="9999-01-01T00:00:00.000Z")
    over = replace(COUNTS.paces[0], provider="over", paused_until="2020-01-01T00:00:00.000Z")
    text = status_text(replace(COUNTS, paces=(far, over)), is_running=False)
    assert "flickr is paused until 9999-01-01 00:00:00 UTC" in text
    assert "--retry-now" in text
    assert "over is paused" not in text


def test_a_run_that_has_no_rate_yet_does_not_know_what_is_left() -> None:
    slow = replace(COUNTS, run=replace(RUN, images_per_s=0.0), paces=(), next_attempt_at=None)
    assert status_text(slow, is_running=True).endswith("0.0 img/s, 24.0 MB/s.")


@pytest.mark.parametrize("updated_at", ["soon", ""])
def test_a_time_that_cannot_be_read_is_not_1970(updated_at: str) -> None:
    pace = PaceRow("flickr", 16, 38.5, 40.0, "2030-01-01T10:05:00.000Z", "2030-01-01T10:01:40.500Z")
    counts = replace(COUNTS, run=replace(RUN, updated_at=updated_at), paces=(pace,))
    assert "  flickr: 38.5 req/s, up to 16 at once" in status_text(counts, is_running=True).splitlines()


def test_there_are_words_for_every_reason() -> None:
    for reason in Reason:
        counts = replace(COUNTS, by_reason={reason.value: row(failed=3)})
        assert (
            f"           3           0  {reason:<14} {meaning(reason)}"
            in status_text(counts, is_running=False).splitlines()
        )


def test_a_run_at_work_shows_the_paces_of_its_providers() -> None:
    def last_line(pace: PaceRow) -> str:
        counts = replace(COUNTS, paces=(pace,), next_attempt_at=None)
        return status_text(counts, is_running=True).splitlines()[-1]

    flickr = COUNTS.paces[0]
    assert last_line(flickr) == "  flickr: 38.5 req/s, up to 16 at once"
    assert last_line(replace(flickr, paused_until="2030-01-01T10:02:10.500Z")) == "  flickr: paused for 30 s"
    assert last_line(replace(flickr, rate=None)) == "  flickr: no rate limit, up to 16 at once"
    assert "flickr" not in status_text(ENDED, is_running=False)


def test_rows_of_the_list_that_were_skipped_are_told_of() -> None:
    line = "3 rows of the image list were skipped when it was loaded: see the table `skipped_row`"
    assert line in status_text(COUNTS, is_running=True).splitlines()
    assert "skipped" not in status_text(replace(COUNTS, skipped_rows=0), is_running=True)


def test_a_plan_comes_first_and_what_is_left_is_of_it() -> None:
    by_status = {Status.DONE: 22, Status.FAILED: 1, Status.RETRY: 0, Status.PENDING: 1}
    plan = PlanCounts(by_status, {"gone": {Status.FAILED: 1}})
    counts = replace(COUNTS, plan=plan)
    lines = status_text(counts, is_running=False).splitlines()
    assert lines[0] == "22 of 24 chosen images are done, 1 failed, 1 left."
    assert lines[2].startswith("Open Images V3: 2,500 of 10,000 images in the list settled")


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"limit": 10}, "10 of 10 images are done"),
        ({"limit": 22}, "22 of 22 images are done"),
        ({"limit": 30}, "22 of 30 images are done, 1 failed, 1 left"),
        ({"limit_per_class": 5, "classes": 2, "full_classes": 2}, "2 of 2 classes have 5"),
        ({"limit_per_class": 5, "classes": 9, "full_classes": 2, "short": {"Fox": 3}}, "have 5 (fewer: Fox 3, …)"),
    ],
)
def test_limits_are_told_by_what_is_complete(plan: dict[str, Any], words: str) -> None:
    by_status = {Status.DONE: 22, Status.FAILED: 1, Status.RETRY: 0, Status.PENDING: 1}
    assert plan_words(PlanCounts(by_status, **plan)).endswith(words)
    nothing_left = PlanCounts({**by_status, Status.PENDING: 0}, limit=30)
    assert plan_words(nothing_left) == "22 of 30 images are done, 1 failed; there are no more to try"


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ({"limit": 22}, "because the limit is reached; use `oidl run --limit all` to lift it."),
        ({"limit_per_class": 5, "classes": 2, "full_classes": 2}, "because there are enough of each class."),
        ({}, "The images to retry are not in the plan of this root; see `oidl plan`."),
        ({"limit": 30}, "The images to retry are not in the plan of this root; see `oidl plan`."),
    ],
)
def test_a_retry_that_the_plan_does_not_need_is_not_announced(plan: dict[str, Any], why: str) -> None:
    waiting = 0 if "not in the plan" in why else 1
    by_status = {Status.DONE: 22, Status.FAILED: 0, Status.RETRY: waiting, Status.PENDING: waiting}
    counts = replace(ENDED, plan=PlanCounts(by_status, **plan))
    text = status_text(counts, is_running=False)
    assert any(line.endswith(why) for line in text.splitlines())
    assert "for those to retry" not in text
    assert "The next retry is due" not in text
    failed = status_text(replace(counts, by_reason={"gone": row(failed=80)}), is_running=False)
    assert "Run `oidl run --retry-failed` to try them again." in failed
    needed = replace(ENDED, plan=PlanCounts({**by_status, Status.PENDING: 1}))
    assert "for those to retry" in status_text(needed, is_running=False)


def test_another_command_at_work_is_not_called_a_run() -> None:
    first, second, *_ = status_text(ENDED, is_running=True).split("\n\n")[-1].splitlines()
    assert first == "Another oidl command is using the database."
    assert second.startswith("Last run: finished, ")


def test_shards_their_uploads_and_packs_are_shown() -> None:
    shards = {"original": ShardCounts(1, 3, 5_000_000, 2, 1, 1), "thumbs": ShardCounts(0, 2, 3_000_000, 2, 0, 0)}
    packs = (
        PackCounts("v7/pack/webdataset/thumbs", "webdataset", "thumbs", 3, 42, 24_000_000, None),
        PackCounts("/data/cats", "parquet", "thumbs", 4, 4, 9_000_000, "2030-01-01T10:02:00.000Z"),
    )
    text = status_text(replace(COUNTS, shards=shards, packs=packs), is_running=True)
    assert "      images        size\n       2,400" in text
    assert "\n           3           1      5.0 MB  original\n" in text
    assert "Uploaded to an object store: 4 shards, 1 of them nowhere else; 1 waiting for the next run.\n" in text
    assert (
        "Packed, complete shards of those planned:\n\n"
        "          shards        size\n"
        "         3 of 42     24.0 MB  v7/pack/webdataset/thumbs (webdataset)\n"
        "          4 of 4      9.0 MB  /data/cats (parquet)\n"
    ) in text
    alone = {"original": ShardCounts(1, 3, 5_000_000)}
    assert "object store" not in status_text(replace(COUNTS, shards=alone), is_running=True)
