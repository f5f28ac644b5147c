"""A database as JSON for `oidl status --json`, with the keys of a run's snapshot for the same things."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from builders import job

from oidl.model import Failure, NodeProgress, Reason, Status, StatusCount
from oidl.net.pace import PaceState
from oidl.progress.meter import Meter
from oidl.progress.snapshot import run_snapshot
from oidl.progress.statistics import InProgress
from oidl.report.snapshot import database_snapshot
from oidl.state.counts import NOTHING_YET, Counts, PaceRow, RunRow
from oidl.state.nodes import NodeRow
from oidl.state.plan_counts import PlanCounts

AT = datetime(2030, 1, 1, 10, 1, 41, tzinfo=UTC)
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
    bytes_per_s=24_000_000.4,
)
COUNTS = Counts(
    dataset_version="3",
    by_subset={
        "test": {Status.PENDING: 0, Status.RETRY: 0, Status.DONE: 1000, Status.FAILED: 0},
        "train": {Status.PENDING: 7000, Status.RETRY: 500, Status.DONE: 1400, Status.FAILED: 100},
    },
    by_reason={
        "timeout": {Status.PENDING: 0, Status.RETRY: 500, Status.DONE: 0, Status.FAILED: 0},
        "forbidden": {Status.PENDING: 0, Status.RETRY: 1, Status.DONE: 0, Status.FAILED: 99},
    },
    bytes_downloaded=4_800_000_000,
    files={"original": (2400, 4_800_000_000), "thumbs": (2390, 24_000_000)},
    next_attempt_at="2030-01-01T10:05:00.000Z",
    run=RUN,
    paces=(
        PaceRow("flickr", 16, 38.5, 40.0, "2030-01-01T10:01:53.250Z", "2030-01-01T10:01:40.500Z"),
        PaceRow("old", 1, None, None, "2030-01-01T09:00:00.000Z", "2030-01-01T08:00:00.000Z"),
    ),
    skipped_rows=3,
)
ENDED = replace(COUNTS, run=replace(RUN, finished_at="2030-01-01T10:02:00.000Z", outcome="finished"))
PLAN = PlanCounts({Status.DONE: 22, Status.FAILED: 1, Status.RETRY: 0, Status.PENDING: 1}, {"gone": {Status.FAILED: 1}})


def test_the_snapshot_of_a_run_in_progress_has_these_keys_and_no_others() -> None:
    now = database_snapshot(COUNTS, AT, is_running=True)
    assert json.loads(json.dumps(now)) == {
        "time": "2030-01-01T10:01:41.000Z",
        "dataset_version": "3",
        "outcome": None,
        "elapsed_s": 100.5,
        "total": 10_000,
        "pending": 7000,
        "retry": 500,
        "done": 2400,
        "failed": 100,
        "settled_percent": 25.0,
        "by_subset": {
            "test": {"pending": 0, "retry": 0, "done": 1000, "failed": 0},
            "train": {"pending": 7000, "retry": 500, "done": 1400, "failed": 100},
        },
        "by_reason": {"timeout": 500, "forbidden": 100},
        "images_per_s": 12.5,
        "read_bytes_per_s": 24_000_000,
        "eta_s": 600.0,
        "run": {
            "id": 7,
            "started_at": "2030-01-01T10:00:00.000Z",
            "updated_at": "2030-01-01T10:01:40.500Z",
            "done": 1200,
            "failed": 30,
            "throttled": 5,
            "remaining": 7500,
            "bytes_read": 2_400_000_000,
        },
        "paces": [
            {
                "provider": "flickr",
                "node": None,
                "window": 16,
                "rate": 38.5,
                "learned_rate": 40.0,
                "pause_s": 12.2,
                "pause_reason": None,
                "paused_until": "2030-01-01T10:01:53.250Z",
            },
            {
                "provider": "old",
                "node": None,
                "window": 1,
                "rate": None,
                "learned_rate": None,
                "pause_s": 0.0,
                "pause_reason": None,
                "paused_until": "2030-01-01T09:00:00.000Z",
            },
        ],
        "nodes": [],
        "plan": None,
        "next_attempt_at": "2030-01-01T10:05:00.000Z",
        "skipped_rows": 3,
        "bytes_downloaded": 4_800_000_000,
        "files": {"original": 2400, "thumbs": 2390},
        "bytes_on_disk": {"original": 4_800_000_000, "thumbs": 24_000_000},
        "shards": {},
        "packs": [],
        "licenses": None,
    }


def test_it_has_the_keys_of_a_runs_snapshot_for_the_same_things() -> None:
    meter = Meter(lambda: 0.0)
    meter.set_baseline([StatusCount("train", Status.PENDING, None, 9)])
    meter.paced_by(lambda: (PaceState("flickr", 8, None, 0.0),))
    meter.recorded(job(1), Failure(Reason.GONE), Status.FAILED)
    run, database = run_snapshot(meter.statistics(), AT), database_snapshot(COUNTS, AT, is_running=True)
    in_progress = {"written_bytes_per_s", "reading", "downloads", "resizes", "successes", "failures"}
    recorded = {
        "dataset_version",
        "plan",
        "next_attempt_at",
        "skipped_rows",
        "bytes_downloaded",
        "files",
        "bytes_on_disk",
        "shards",
        "packs",
        "licenses",
    }
    assert run.keys() - database.keys() == in_progress
    assert database.keys() - run.keys() == recorded
    assert run["run"].keys() - database["run"].keys() == {
        *("retried", "by_reason", "in_flight", "downloads", "resizes", "bytes_written")
    }
    assert database["run"].keys() - run["run"].keys() == {"id", "started_at", "updated_at", "throttled"}
    assert database["paces"][0].keys() - run["paces"][0].keys() == {"paused_until"}
    assert run["paces"][0].keys() <= database["paces"][0].keys()
    assert run["by_subset"]["train"].keys() == database["by_subset"]["train"].keys()
    for name in run.keys() & database.keys():
        assert isinstance(database[name], type(run[name])) or None in (run[name], database[name]), name


def test_a_node_has_the_keys_that_it_has_in_a_run_and_what_is_not_recorded_is_null() -> None:
    meter = Meter(lambda: 0.0)
    node = NodeProgress("a", "n:1", "n", 4, 70, 2.5, 9, None, 30.0, 5, 1, 12.0, 0.0)
    meter.nodes_from(lambda: (node,), InProgress)
    [live] = run_snapshot(meter.statistics(), AT)["nodes"]
    assert live == {
        "name": "n:1",
        "host": "n",
        "threads": 4,
        "images": 70,
        "images_per_s": 2.5,
        "in_progress": 9,
        "downloads": 5,
        "resizes": 1,
        "lost": None,
    }
    row = NodeRow("n:1", "n", 4, "2030-01-01T10:00:00.000Z", "2030-01-01T10:01:00.000Z", 70, 2.5, 9, None)
    [recorded] = database_snapshot(replace(COUNTS, nodes=(row,)), AT, is_running=True)["nodes"]
    assert recorded == live | {
        "downloads": None,
        "resizes": None,
        "started_at": row.started_at,
        "updated_at": row.updated_at,
    }


def test_without_a_run_in_progress_there_are_no_rates_and_the_last_outcome() -> None:
    for counts, outcome, elapsed_s in (
        (COUNTS, "killed", 100.5),
        (ENDED, "finished", 120.0),
        (replace(COUNTS, run=None), None, None),
    ):
        now = database_snapshot(counts, AT, is_running=False)
        assert (now["outcome"], now["elapsed_s"]) == (outcome, elapsed_s)
        assert [now[name] for name in ("run", "images_per_s", "read_bytes_per_s", "eta_s")] == [None] * 4


def test_before_there_is_a_list_it_has_all_its_keys() -> None:
    now = database_snapshot(NOTHING_YET, AT, is_running=True)
    assert now.keys() == database_snapshot(COUNTS, AT, is_running=True).keys()
    assert (now["total"], now["done"], now["settled_percent"], now["by_subset"], now["run"]) == (0, 0, 0.0, {}, None)


def test_a_run_that_has_no_rate_yet_does_not_know_what_is_left() -> None:
    slow = replace(COUNTS, run=replace(RUN, images_per_s=0.0))
    assert database_snapshot(slow, AT, is_running=True)["eta_s"] is None


def test_a_rate_that_comes_to_endless_time_does_not_know_either() -> None:
    slow = replace(COUNTS, run=replace(RUN, images_per_s=5e-324))
    assert database_snapshot(slow, AT, is_running=True)["eta_s"] is None


def test_images_that_all_wait_for_a_retry_take_no_known_time() -> None:
    waiting = {"train": {Status.PENDING: 0, Status.RETRY: 9, Status.DONE: 1400, Status.FAILED: 0}}
    now = database_snapshot(replace(COUNTS, by_subset=waiting), AT, is_running=True)
    assert (now["run"]["remaining"], now["eta_s"]) == (9, None)
    plan = replace(PLAN, by_status={**PLAN.by_status, Status.PENDING: 0, Status.RETRY: 1})
    assert database_snapshot(replace(COUNTS, plan=plan), AT, is_running=True)["eta_s"] is None
    settled = replace(COUNTS, by_subset={"train": {**waiting["train"], Status.RETRY: 0}})
    assert database_snapshot(settled, AT, is_running=True)["eta_s"] == 0.0


def test_what_is_left_is_of_the_plan() -> None:
    now = database_snapshot(replace(COUNTS, plan=PLAN), AT, is_running=True)
    assert now["plan"] == {
        "images": 24,
        "pending": 1,
        "retry": 0,
        "done": 22,
        "failed": 1,
        "by_reason": {"gone": 1},
        "limit": None,
        "limit_per_class": None,
        "classes": 0,
        "full_classes": 0,
    }
    assert (now["run"]["remaining"], now["eta_s"]) == (1, 0.1)
