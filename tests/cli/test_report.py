"""`oidl report`: one file about the whole database."""

import re
from pathlib import Path


def test_after_a_run_it_tells_what_the_database_has(served, quick_dataset, run, oidl, root: Path, ask) -> None:
    assert run(served(quick_dataset), "--save-original-images").returncode == 0
    ended = oidl("report", "--root-dir", root)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "report.html\n", "")
    html = (oidl.cwd / "report.html").read_text("utf-8")
    cells = re.findall(r"<td[^>]*>([^<]+)</td>", html)
    for subset, images in ask("SELECT subset, count(*) FROM download GROUP BY 1"):
        assert cells[cells.index(subset) :][:6][-1] == f"{images:,}"
    for reason, images in ask("SELECT reason, count(*) FROM download WHERE status = 'failed' GROUP BY 1"):
        assert f">{reason}</code>" in html
        assert f"<title>{images} failed</title>" in html
    for host in {url.split("/")[2] for (url,) in ask("SELECT url FROM download WHERE status = 'done'")}:
        assert host in cells
    assert ask("SELECT count(*) FROM download WHERE status = 'done' AND transfer_s > 0") == ask(
        "SELECT count(*) FROM download WHERE status = 'done'"
    )


def test_it_says_how_long_it_will_take_where_that_is_long(fine, run, oidl, tell, root: Path, tmp_path: Path) -> None:
    run(fine, "--limit=0", "--no-download-metadata")
    tell("UPDATE status_count SET images = 1800000 WHERE subset = 'train' AND status = 'pending'")
    ended = oidl("report", "--root-dir", root, "--out", tmp_path / "here.html")
    assert re.fullmatch(r"reading 1,800,0\d\d rows; about 12 s …\n", ended.stderr)
    assert (tmp_path / "here.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_where_it_cannot_write_it_says_so(fine, run, oidl, root: Path, tmp_path: Path) -> None:
    run(fine, "--limit=0", "--no-download-metadata")
    (tmp_path / "file").write_text("x")
    ended = oidl("report", "--root-dir", root, "--out", tmp_path / "file/report.html")
    assert ended.returncode == 5
    assert "could not be written" in ended.stderr


def test_without_a_list_there_is_nothing_to_report(fine, run, oidl, root: Path) -> None:
    run(fine, "--no-download-images")
    ended = oidl("report", "--root-dir", root)
    assert ended.returncode == 6
    assert "there is no image list in the database yet" in ended.stderr
    assert not (oidl.cwd / "report.html").exists()
