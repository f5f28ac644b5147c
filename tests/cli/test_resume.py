"""A run resumes where the one before it stopped, and requests nothing that is done."""

from dataclasses import replace
from pathlib import Path

from oidl.demo.site import CannedResponse, ServerFault, status_answer


def test_a_limited_run_has_what_it_was_asked_for_and_the_next_one_the_rest(
    fine, run, ask, exported_as_published
) -> None:
    ended = run(fine, "--limit", "10")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "10 of 10 images are done" in ended.stdout
    assert ask("SELECT status, count(*) FROM download GROUP BY 1 ORDER BY 1") == [("done", 10), ("pending", 14)]
    assert sum(fine.requests.values()) == 10
    assert run(fine).returncode == 0
    assert fine.requests == {fine.path_of(listed): 1 for listed in fine.images}
    assert fine.site.requests[fine.list_path] == 1
    exported_as_published(fine)
    assert ask("SELECT outcome FROM run ORDER BY id") == [("finished",), ("finished",)]


def test_limit_zero_loads_the_list_and_stops(fine, run, ask, root: Path) -> None:
    ended = run(fine, "--limit=0")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not fine.requests
    assert ask("SELECT count(*) FROM image") == [(len(fine.images),)]
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("pending", len(fine.images))]


def test_a_settled_dataset_sends_no_request_at_all(served, quick_dataset, run, ask) -> None:
    quick = served(quick_dataset)
    assert run(quick, "--save-original-images").returncode == 0
    before = ask("SELECT * FROM download"), ask("SELECT * FROM file")
    quick.site.requests.clear()
    ended = run(quick, "--save-original-images")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not quick.site.requests
    assert (ask("SELECT * FROM download"), ask("SELECT * FROM file")) == before


def test_a_failure_that_may_pass_is_tried_again_by_the_next_run(fine, run, ask, tell) -> None:
    """With one try a run, a broken server leaves a retry behind; the next run, when it is due, has it."""
    victim = fine.images[0]
    body = fine.site.answers[fine.path_of(victim)].body
    fine.site.answers[fine.path_of(victim)] = status_answer(500)
    ended = run(fine, "--max-retries=1")
    assert ended.returncode == 3
    assert "1 image will be retried" in ended.stdout
    assert ask("SELECT status, reason, http_status FROM download WHERE status <> 'done'") == [
        ("retry", "http_error", 500)
    ]
    fine.site.answers[fine.path_of(victim)] = CannedResponse(body)
    assert run(fine, "--max-retries=1").returncode == 0
    assert ask("SELECT status, attempts, reason FROM download WHERE image_id = ?", victim.image.image_id) == [
        ("done", 2, None)
    ]
    assert fine.requests[fine.path_of(victim)] == 2


def test_an_interrupted_download_of_the_list_goes_on_where_it_stopped(fine, oidl, run, ask, root, wait_until) -> None:
    whole = replace(fine.site.answers[fine.list_path], headers={"ETag": '"the same"'})
    fine.site.answers[fine.list_path] = replace(whole, first=(replace(whole, behaviour=ServerFault.CUT),))
    assert run(fine, "--limit=0").returncode == 0
    assert [status for path, status in fine.site.log if path == fine.list_path] == [200, 206]
    assert ask("SELECT count(*) FROM image") == [(len(fine.images),)]
    assert not list(root.glob("*.part*"))
