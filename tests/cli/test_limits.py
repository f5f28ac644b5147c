"""Soft stops of a real run: active transfers finish, the exit code says that images remain, the next run resumes."""

import pytest

from oidl.demo.site import CannedResponse, status_answer

HEADER = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,"
    "Author,Title,OriginalSize,OriginalMD5,Thumbnail300KURL"
)


@pytest.fixture
def fine_rows(fine) -> list[str]:
    return [row.decode().rstrip("\r\n") for rows in fine.rows().values() for row in rows]


def test_max_bytes_stops_softly_and_the_next_run_goes_on(fine, run, ask) -> None:
    late = fine.path_of(fine.images[0])
    fine.site.answers[late] = CannedResponse(fine.site.answers[late].body, first=(status_answer(503, retry_after="3"),))
    ended = run(fine, "--max-bytes=1k")
    assert ended.returncode == 3
    assert "(--max-bytes)" in ended.stdout
    assert ask("SELECT outcome FROM run") == [("limit",)]
    assert ask("SELECT count(*) FROM download WHERE status = 'failed'") == [(0,)]
    assert run(fine).returncode == 0
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(24,)]
    assert {path for path, count in fine.requests.items() if count > 1} == {late}


def test_max_duration_that_is_over_before_the_list_is_loaded(fine, run, ask) -> None:
    ended = run(fine, "--max-duration=0s")
    assert ended.returncode == 3
    assert "(--max-duration)" in ended.stdout
    assert not fine.requests
    assert run(fine).returncode == 0


def test_a_server_that_refuses_everything_is_diagnosed(fine, run, ask, tmp_path, base_urls) -> None:
    row = 'train,{}/{}_o.jpg,http://x/,http://x/,http://x/,"A","T",9,1B2M2Y8AsgTpgAmY7PhCfg==,'
    rows = [f"{number:016x},{row.format(base_urls[0], number)}" for number in range(250)]
    for number in range(250):
        fine.site.answers[f"/{number}_o.jpg"] = status_answer(500)
    refused = tmp_path / "list.csv"
    refused.write_text("\n".join([HEADER, *rows, ""]))
    ended = run(fine, f"--images-csv={refused}", "--subset=train", "--no-download-metadata")
    assert ended.returncode == 3
    assert "200 of the last 200 tries failed for the same reason, http_error (--max-failure-rate)" in ended.stdout
    stand = dict(ask("SELECT status, count(*) FROM download GROUP BY 1"))
    assert stand.keys() <= {"retry", "pending"}
    assert stand["retry"] >= 200


def test_a_host_that_is_dead_is_set_aside_and_its_images_wait(fine, run, ask, tmp_path, fine_rows) -> None:
    dead = "http://127.0.0.1:9"  # nobody listens there
    row = 'train,{}/{}_o.jpg,http://x/,http://x/,http://x/,"A","T",9,1B2M2Y8AsgTpgAmY7PhCfg==,'
    rows = [f"{number:016x},{row.format(dead, number)}" for number in range(300)]
    mixed = tmp_path / "list.csv"
    mixed.write_text("\n".join([HEADER, *rows, *fine_rows, ""]))
    ended = run(fine, f"--images-csv={mixed}", "--no-download-metadata", "--max-wait=1")
    assert ended.returncode == 3
    assert "127.0.0.1:9 cannot be reached; oidl tries it again" in ended.stdout
    assert ask("SELECT status, count(*) FROM download GROUP BY 1 ORDER BY 1") == [("done", 24), ("retry", 300)]
    assert ask("SELECT DISTINCT reason FROM download WHERE status = 'retry'") == [("connection",)]
    ((tried,),) = ask("SELECT count(DISTINCT image_id) FROM attempt")
    assert 5 <= tried < 30


def test_a_disk_without_room_is_refused_before_anything_is_fetched(fine, run, root) -> None:
    ended = run(fine, "--min-free=900T")
    assert ended.returncode == 5
    assert "of --min-free\n  free some space there, or lower --min-free; then run it again\n" in ended.stderr
    assert len(ended.stderr.splitlines()) <= 2
    assert not fine.site.requests


@pytest.mark.parametrize("option", ["--min-free=x", "--max-bytes=many", "--max-duration=soon", "--max-failure-rate=0"])
def test_amounts_that_make_no_sense(fine, run, option: str) -> None:
    ended = run(fine, option)
    assert ended.returncode == 2
    assert option.partition("=")[0] in ended.stderr


def test_a_limit_is_had_though_some_fail_and_a_second_run_takes_no_more(fine, run, ask) -> None:
    for listed in sorted(fine.images, key=lambda each: each.image.image_id)[:3]:
        fine.site.answers[fine.path_of(listed)] = status_answer(404)
    ended = run(fine, "--nodownload-metadata", "--limit=5")
    assert (ended.returncode, "5 of 5 images are done" in ended.stdout) == (0, True)
    assert ask("SELECT status, count(*) FROM download WHERE status <> 'pending' GROUP BY 1") == [
        ("done", 5),
        ("failed", 3),
    ]
    asked = sum(fine.requests.values())
    again = run(fine, "--nodownload-metadata", "--limit=5", "--retry-failed")
    assert (again.returncode, "5 of 5 images are done" in again.stdout) == (0, True)
    assert sum(fine.requests.values()) == asked == 8


def test_all_lifts_the_limit_of_the_plan(fine, oidl, root, ask) -> None:
    run = ("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", "--nodownload-metadata")
    assert oidl(*run, "--limit=2").returncode == 0
    ended = oidl(*run, "--limit=ALL")
    assert ended.returncode == 0
    assert "changed: no --limit (was --limit 2)" in ended.stdout
    assert not ask("SELECT 1 FROM plan WHERE option = 'limit'")
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(24,)]
