"""Final failures: `status --failures` lists them, `run --retry-failed` retries them, and nothing else does."""

import json
from pathlib import Path

import pytest

from oidl.demo.site import CannedResponse, status_answer
from oidl.model import Reason


@pytest.fixture
def failed(fine, run):
    """A settled run with two images gone and one not found; returns what they would answer, by path."""
    gone, lost, other = fine.images[0], fine.images[1], fine.images[2]
    bodies = {fine.path_of(listed): fine.site.answers[fine.path_of(listed)].body for listed in (gone, lost, other)}
    for listed, status in ((gone, 410), (lost, 404), (other, 410)):
        fine.site.answers[fine.path_of(listed)] = status_answer(status)
    assert run(fine, "--nodownload-metadata").returncode == 0
    fine.site.requests.clear()
    return bodies


@pytest.mark.parametrize("option", ["--retry-failed", "--always-download", "--max-retries=3"])
def test_a_dry_run_counts_what_a_run_would_ask_for(option: str, failed, fine, run):
    planned = int(run(fine, "--dry-run", option).stdout.split()[0])
    assert planned == {"--retry-failed": 3, "--always-download": len(fine.images) - 3}.get(option, 0)
    run(fine, option)
    assert len(fine.requests) == planned


def test_where_an_image_failed_is_not_where_it_was_had_from(failed, fine, run, ask):
    kept = ("--nodownload-metadata", "--save-original-images")
    run(fine, *kept, "--retry-failed", "tls")
    victim = next(listed for listed in fine.images[3:] if not listed.image.thumbnail_300k_url)
    assert ask("SELECT source FROM download WHERE image_id = ?", victim.image.image_id) == [("original",)]
    other = ("--source=300k", "--original-images-subdirectory=thumbs", "--resized-images-subdirectory=small")
    run(fine, *kept, *other)
    assert ask("SELECT status, source FROM download WHERE image_id = ?", victim.image.image_id) == [("failed", "300k")]
    fine.site.requests.clear()
    run(fine, *kept, "--retry-failed", "not_found")
    assert not fine.requests_of(victim)
    assert ask("SELECT status, source, url FROM download WHERE image_id = ?", victim.image.image_id) == [
        ("done", "local", None)
    ]


def test_run_alone_leaves_them(failed, fine, run):
    assert run(fine).returncode == 0
    assert not fine.requests


def test_all_of_them_are_tried_again_and_nothing_else(failed, fine, run, ask):
    for path, body in failed.items():
        fine.site.answers[path] = CannedResponse(body)
    ended = run(fine, "--retry-failed")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "3 failures will be retried" in ended.stdout
    assert fine.requests == dict.fromkeys(failed, 1)
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]
    assert ask("SELECT status, sum(images) FROM progress GROUP BY 1") == [("done", len(fine.images))]


def test_those_of_a_reason_are_tried_again(failed, fine, run, ask):
    ended = run(fine, "--retry-failed=not_found,tls", "--max-retries=3")
    assert "1 failure will be retried" in ended.stdout
    assert fine.requests == {fine.path_of(fine.images[1]): 1}
    assert ask("SELECT reason, count(*) FROM failure GROUP BY 1") == [("gone", 2), ("not_found", 1)]


def test_where_there_are_none_it_is_said_and_nothing_is_asked_for(failed, fine, run):
    ended = run(fine, "--retry-failed", "tls")
    assert ended.returncode == 0
    assert "no failures to retry" in ended.stdout
    assert not fine.requests


def test_they_are_chosen_as_the_run_is(failed, fine, run, tmp_path: Path):
    (tmp_path / "chosen").write_text(fine.images[2].image.image_id, "utf-8")
    run(fine, "--retry-failed", "--image-ids", tmp_path / "chosen")
    assert fine.requests == {fine.path_of(fine.images[2]): 1}


def test_an_unknown_reason_is_refused_with_those_there_are(failed, fine, run, ask):
    ended = run(fine, "--retry-failed", "gone,lost")
    assert ended.returncode == 2
    assert "there is no reason 'lost'" in ended.stderr
    assert all(reason in ended.stderr for reason in Reason)
    assert ask("SELECT count(*) FROM download WHERE status = 'failed'") == [(3,)]


def test_the_failures_are_listed_one_a_line(failed, fine, oidl, root: Path):
    ended = oidl("status", "--failures", "--root-dir", root)
    assert (ended.returncode, ended.stderr) == (0, "")
    expected = [
        (listed.image.subset, listed.image.image_id, reason, f"HTTP {code}", listed.image.original_url)
        for listed, reason, code in zip(fine.images, ("gone", "not_found", "gone"), (410, 404, 410), strict=False)
    ]
    assert [tuple(line.split("\t")) for line in ended.stdout.splitlines()] == expected
    limited = oidl("status", "--failures", "--first=2", "--root-dir", root)
    assert limited.stdout.splitlines() == ended.stdout.splitlines()[:2]
    rows = [json.loads(line) for line in oidl("status", "--failures", "--json", "--root-dir", root).stdout.splitlines()]
    assert [(row["subset"], row["image_id"], row["reason"], row["detail"], row["url"]) for row in rows] == expected
    assert [row["http_status"] for row in rows] == [410, 404, 410]


def test_what_waits_for_a_retry_is_no_failure_in_that_list(fine, run, oidl, root: Path, ask):
    for listed, wait_s in zip(fine.images, ("100", "200"), strict=False):
        fine.site.answers[fine.path_of(listed)] = status_answer(500, retry_after=wait_s)
    ended = run(fine, "--max-retries=1", "--nodownload-metadata")
    assert oidl("status", "--failures", "--root-dir", root).stdout == ""
    first, last = (
        time[:19].replace("T", " ")
        for time in ask("SELECT min(next_attempt_at), max(next_attempt_at) FROM download")[0]
    )
    assert f"2 images will be retried, the first at {first} UTC, the last at {last} UTC" in ended.stdout


def test_a_limit_is_of_the_list(failed, oidl, root: Path):
    assert oidl("status", "--first=2", "--root-dir", root).returncode == 2
    assert oidl("status", "--failures", "--first=-1", "--root-dir", root).returncode == 2
