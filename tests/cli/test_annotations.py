"""Annotations from the command line: loaded once, chosen by, killed at; and what a dry run says."""

from pathlib import Path
from typing import Any

import pytest

SKY = "/m/01bqvp"
LABELS = "ImageID,Source,LabelName,Confidence\n"


@pytest.fixture
def load(oidl, root: Path) -> Any:
    def start(loopback, *arguments: object) -> Any:
        return oidl("annotations", "load", f"--root-dir={root}", f"--catalogue={loopback.catalogue}", *arguments)

    return start


def _skies(ask) -> set[str]:
    rows = ask("SELECT DISTINCT image_id FROM label WHERE label_name = ? AND confidence = 1", SKY)
    return {image_id for (image_id,) in rows}


def test_annotations_are_loaded_once_and_nothing_else_is_fetched(fine, load, ask) -> None:
    ended = load(fine)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ask("SELECT count(*) FROM label") == [(3 * len(fine.images),)]
    assert ask("SELECT display_name FROM class WHERE label_name = ?", SKY) == [("Sky",)]
    assert ask("SELECT display_name FROM class WHERE label_name = '/m/01c_0l'") == [("Ducks, geese and swans",)]
    assert not fine.requests
    asked = dict(fine.site.requests)
    before = ask("SELECT * FROM annotation_file")
    assert load(fine).returncode == 0
    assert ask("SELECT * FROM annotation_file") == before
    assert dict(fine.site.requests) == asked


def test_a_class_is_all_that_is_fetched_and_its_labels_come_by_themselves(fine, run, ask) -> None:
    ended = run(fine, "--classes=sky", "--label-types=labels", "--verified-only", "--no-download-metadata")
    assert (ended.returncode, ended.stderr) == (0, "")
    done = {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")}
    assert done == _skies(ask)
    assert 0 < len(done) < len(fine.images)
    assert sum(fine.requests.values()) == len(done)


def test_a_limit_takes_the_next_of_the_chosen_each_time(fine, run, ask) -> None:
    choice = ("--classes=sky", "--verified-only", "--shuffle", "--seed=4")
    assert run(fine, *choice, "--limit=2").returncode == 3
    first = {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")}
    assert len(first) == 2
    assert first < _skies(ask)
    assert run(fine, *choice).returncode == 0
    assert len(ask("SELECT image_id FROM download WHERE status = 'done'")) == len(_skies(ask))


def test_a_class_that_there_is_not_is_said_before_any_image(fine, run) -> None:
    ended = run(fine, "--classes=Sunste", "--verified-only")
    assert ended.returncode == 2
    assert "there is no class 'Sunste'" in ended.stderr
    assert "did you mean Sunset" in ended.stderr
    assert not fine.requests


def test_only_the_annotations_of_chosen_images_are_loaded_when_asked(fine, run, ask, tmp_path: Path) -> None:
    chosen = [listed.image.image_id for listed in fine.images[:3]]
    (tmp_path / "ids.txt").write_text("\n".join(chosen))
    assert run(fine, f"--image-ids={tmp_path / 'ids.txt'}", "--load-annotations").returncode == 0
    assert {image_id for (image_id,) in ask("SELECT image_id FROM label")} == set(chosen)
    assert run(fine, "--load-annotations", "--limit=0").returncode == 3
    assert ask("SELECT count(*) FROM label") == [(3 * len(fine.images),)]


def test_files_of_ones_own_and_images_in_no_list(fine, load, run, ask, oidl) -> None:
    assert run(fine, "--limit=0").returncode == 3
    listed = fine.images[0].image.image_id
    (oidl.cwd / "mine.csv").write_text(
        f"{LABELS}{listed},me,{SKY},1\n{'f' * 16},me,{SKY},1\n" + f"{listed},me,/m/9,1\n" * 200 + "bad\n"
    )
    ended = load(fine, "mine.csv")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "mine.csv line 204: 1 fields instead of 4" in ended.stdout
    assert ask("SELECT count(*) FROM label WHERE source = 'me'") == [(2,)]
    assert load(fine, "mine.csv", "--all").returncode == 0
    assert ask("SELECT count(*) FROM label WHERE source = 'me'") == [(3,)]
    assert ask("SELECT images, skipped FROM annotation_file") == [("all", 1)]


def test_a_file_with_too_many_bad_rows_is_exit_4_and_leaves_nothing(fine, load, run, ask, oidl) -> None:
    assert run(fine, "--limit=0").returncode == 3
    (oidl.cwd / "mine.csv").write_text(f"{LABELS}{fine.images[0].image.image_id},me,{SKY},1\nbad\n")
    ended = load(fine, "mine.csv")
    assert ended.returncode == 4
    assert "1 of the first 2 rows of mine.csv are bad" in ended.stderr
    assert ask("SELECT count(*) FROM label") == [(0,)]
    assert ask("SELECT count(*) FROM annotation_file") == [(0,)]


_KILLED = """
import os, signal, sys
from oidl.state import annotations
add = annotations._add
def killed(db, table, columns, batches):
    def until():
        for batch in batches:
            yield batch
            os.kill(os.getpid(), signal.SIGKILL)
    return add(db, table, columns, until() if table == "label" else batches)
annotations._add = killed
from oidl.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_load_that_was_killed_ends_as_if_it_had_not_been(fine, load, ask, oidl, root: Path, tmp_path: Path) -> None:
    arguments = ("annotations", "load", f"--catalogue={fine.catalogue}")
    killed = oidl.process(*arguments, f"--root-dir={root}", program=_KILLED)
    assert killed.returncode == -9
    assert ask("SELECT count(*) FROM label") == [(0,)]
    assert load(fine).returncode == 0
    assert oidl(*arguments, f"--root-dir={tmp_path / 'other'}").returncode == 0
    for query in (
        "SELECT * FROM label",
        "SELECT * FROM class",
        "SELECT name, kind, images, rows, skipped FROM annotation_file",
        "SELECT name, sql FROM sqlite_schema ORDER BY name",
    ):
        assert ask(query) == ask(query, database=tmp_path / "other/oidl.sqlite3")


def test_a_dry_run_says_what_would_come_and_touches_nothing(fine, run, ask, tree, root: Path) -> None:
    ended = run(fine, "--dry-run")
    assert ended.returncode == 2
    assert "there is no state database" in ended.stderr
    assert not root.exists()
    assert run(fine, "--limit=0").returncode == 3
    wanted = run(fine, "--dry-run", "--classes=sky", "--verified-only")
    assert wanted.returncode == 2
    assert "not in the state database: classes_demo.tar.gz, annotations_human_demo.tar.gz" in wanted.stderr
    assert run(fine, "--limit=0", "--classes=sky", "--verified-only").returncode == 3
    before, asked = tree(root), dict(fine.site.requests)
    ended = run(fine, "--dry-run", "--classes=sky", "--verified-only")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{len(_skies(ask))} images would be fetched" in ended.stdout
    assert any(line.split()[:2] == ["Sky", str(len(_skies(ask)))] for line in ended.stdout.splitlines())
    after = tree(root)
    for files in (before, after):  # what any reader of a WAL database leaves beside it
        files.pop("oidl.sqlite3-shm", None), files.pop("oidl.sqlite3-wal", None)
    assert after == before
    assert dict(fine.site.requests) == asked
    limited = run(fine, "--dry-run", "--limit=5")
    assert f"5 of {len(fine.images)} images would be fetched (--limit)" in limited.stdout
    assert run(fine, "--dry-run", "--limit=5", "--shuffle").stdout == limited.stdout  # as quick, too: from tallies


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--label-types=cats"], "choose from boxes, labels"),
        (["--attributes=IsNice=1"], "is no attribute of a box"),
        (["--attributes=IsGroupOf=2"], "is no attribute of a box"),
        (["--verified-only", "--label-types=boxes"], "--verified-only is about labels"),
        (["--min-box-area=2"], "0 to 1"),
        (["--limit-per-class=0"], "at least 1"),
        (["--where=nope > 1"], "no such column: nope"),
        (["--classes=Sky"], "has no boxes"),
    ],
)
def test_a_choice_that_makes_no_sense_is_exit_2(options: list[str], words: str, fine, run) -> None:
    ended = run(fine, *options)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert not fine.requests
