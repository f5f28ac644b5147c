"""Annotations from the command line: loaded once, used to select images, killed during the load; and the dry run."""

import json
import os
import re
import shutil
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from oidl.demo.site import CannedResponse

SKY = "/m/01bqvp"
LABELS = "ImageID,Source,LabelName,Confidence\n"


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


def test_where_nothing_is_left_to_load_that_is_all_that_is_said_and_no_run_is_noted(fine, load, ask, oidl) -> None:
    assert load(fine).returncode == 0
    runs = ask("SELECT * FROM run")
    again = load(fine)
    assert (again.returncode, again.stderr) == (0, "")
    assert [line.partition(" INFO ")[2] for line in again.stdout.splitlines()] == [
        "already loaded: classes_demo.tar.gz, annotations_human_demo.tar.gz"
    ]
    assert load(fine, "--classes=sky", "--verified-only").stdout.count("already loaded: classes_demo.tar.gz") == 1
    (oidl.cwd / "mine.csv").write_text(f"{LABELS}{fine.images[0].image.image_id},me,{SKY},1\n")
    for says in ("1 row of", "already loaded:"):
        assert f"{says} {oidl.cwd / 'mine.csv'}" in load(fine, "mine.csv").stdout
    assert ask("SELECT * FROM run") == runs == []


def test_a_load_leaves_as_much_free_as_the_last_run_or_as_it_is_told(fine, run, load, monkeypatch) -> None:
    def only(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=free))

    only(500_000_000)
    assert "less than the 1.0 GB of --min-free" in load(fine).stderr
    assert run(fine, "--limit=2", "--nodownload-metadata", "--min-free=200M", "--no-check-space").returncode == 0
    only(150_000_000)
    ended = load(fine)
    assert (ended.returncode, "less than the 200 MB of --min-free" in ended.stderr) == (5, True)
    assert load(fine, "--annotations=classes", "--min-free=100M").returncode == 0
    only(250_000_000)
    assert load(fine).returncode == 0


def test_what_is_loaded_already_is_said_beside_what_is_loaded(fine, load, oidl) -> None:
    (oidl.cwd / "mine.csv").write_text(f"{LABELS}{fine.images[0].image.image_id},me,{SKY},1\n")
    (oidl.cwd / "more.csv").write_text(f"{LABELS}{fine.images[1].image.image_id},me,{SKY},1\n")
    assert load(fine, "mine.csv").returncode == 0
    ended = load(fine, "mine.csv", "more.csv")
    assert f"already loaded: {oidl.cwd / 'mine.csv'}\n" in ended.stdout
    assert f"1 row of {oidl.cwd / 'more.csv'}" in ended.stdout


def test_what_the_whole_list_has_is_not_loaded_again_for_a_selection(fine, run, ask) -> None:
    selection = ("--classes=sky", "--verified-only", "--load-annotations", "--limit=0")
    assert "rows of annotations_human_demo.tar.gz" in run(fine, *selection).stdout
    before = ask("SELECT * FROM annotation_file")
    assert "rows of" not in run(fine, *selection).stdout
    assert ask("SELECT * FROM annotation_file") == before


def test_a_published_file_is_read_whatever_it_is_called(fine, load, ask) -> None:
    url = "/".join(fine.images[0].image.original_url.split("/")[:3])
    image_id = next(listed.image.image_id for listed in fine.images if listed.image.subset == "train")
    box = f"ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\n{image_id},me,{SKY},1,0,1,0,1\n"
    fine.site.answers["/made/boxes-of-train"] = CannedResponse(box.encode(), content_type="text/plain")
    fine.site.answers["/made/names.csv"] = CannedResponse(b"/m/0mine,Mine\r\n", content_type="text/plain")
    files = f"""files = [
        {{ kind = "boxes", subset = "train", name = "boxes", url = "{url}/made/boxes-of-train" }},
        {{ kind = "boxable-classes", url = "{url}/made/names.csv" }},
    """
    fine.catalogue.write_text(fine.catalogue.read_text().replace("files = [", files, 1))
    ended = load(fine, "--annotations=boxes")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ask("SELECT image_id, label_name FROM box") == [(image_id, SKY)]
    assert ask("SELECT display_name, is_boxable FROM class WHERE label_name = '/m/0mine'") == [("Mine", 1)]


@pytest.fixture
def own_skies(fine, run, load, oidl) -> set[str]:
    """A file of one's own that says of the first two images of each subset that they show a sky, and its class."""
    assert run(fine, "--limit=0", "--no-download-metadata").returncode == 0
    images = [listed.image for listed in fine.images]
    selected = {
        image.image_id
        for subset in ("train", "validation", "test")
        for image in [image for image in images if image.subset == subset][:2]
    }
    (oidl.cwd / "mine.csv").write_text(LABELS + "".join(f"{image_id},me,{SKY},1\n" for image_id in selected))
    (oidl.cwd / "class-descriptions.csv").write_text(f"{SKY},Heaven\n")
    assert load(fine, "mine.csv", "class-descriptions.csv").returncode == 0
    return selected


def test_images_are_selected_by_a_file_of_ones_own_and_nothing_else_is_fetched(own_skies, fine, run, ask) -> None:
    assert ask("SELECT kind, contents FROM annotation_file ORDER BY contents") == [
        ("file", "class"),
        ("file", "label/test, label/train, label/validation"),
    ]
    options = ("--classes=heaven", "--label-types=labels", "--no-download-metadata")
    assert run(fine, *options, "--dry-run").stdout.startswith(f"{len(own_skies)} images to fetch, ")
    ended = run(fine, *options)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "selecting images by your own mine.csv, not by the published labels" in ended.stdout
    assert {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")} == own_skies
    assert not fine.site.requests[fine.annotations_path]


def test_a_class_that_ones_own_file_does_not_name_is_looked_for_in_the_published_ones(own_skies, fine, run) -> None:
    ended = run(fine, "--classes=Sky", "--label-types=labels", "--dry-run")
    assert ended.stdout.startswith(f"at most {len(fine.images)} images to fetch, ")
    assert "annotations to fetch: classes " in ended.stdout


def test_what_ones_own_file_has_nothing_of_is_fetched(fine, run, load, oidl) -> None:
    assert run(fine, "--limit=0", "--no-download-metadata").returncode == 0
    in_train = next(listed.image for listed in fine.images if listed.image.subset == "train")
    (oidl.cwd / "mine.csv").write_text(f"{LABELS}{in_train.image_id},me,{SKY},1\n")
    assert load(fine, "mine.csv").returncode == 0
    options = (f"--classes={SKY}", "--label-types=labels", "--dry-run")
    assert "annotations to fetch: classes " in run(fine, *options, "--subset=train").stdout
    assert "annotations to fetch: labels " in run(fine, *options).stdout


def test_a_published_file_that_one_has_already_is_not_fetched_again(fine, run, load, oidl, ask) -> None:
    for path in (fine.annotations_path, next(path for path in fine.site.answers if "classes_demo" in path)):
        body = fine.site.answers[path].body
        (oidl.cwd / path.rpartition("/")[2]).write_bytes(body.read_bytes() if isinstance(body, Path) else body)
    archives = ("classes_demo.tar.gz", "annotations_human_demo.tar.gz")
    assert load(fine, "--all", *archives).returncode == 0
    ended = run(fine, "--classes=sky", "--verified-only", "--no-download-metadata")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ask("SELECT * FROM download WHERE status = 'done'")) == len(_skies(ask))
    assert not fine.site.requests[fine.annotations_path]
    assert "already loaded: classes_demo.tar.gz, annotations_human_demo.tar.gz\n" in load(fine, "--all").stdout


def test_a_file_that_was_edited_is_loaded_anew_in_place_of_what_it_was(own_skies, fine, load, ask, oidl) -> None:
    mine = oidl.cwd / "mine.csv"
    kept = sorted(own_skies)[1:]
    mine.write_text(LABELS + "".join(f"{image_id},me,{SKY},0.5\n" for image_id in kept))
    os.utime(mine, (1e9, 1e9))  # an older one that was put back is another one too
    ended = load(fine, "mine.csv", "class-descriptions.csv")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"already loaded: {oidl.cwd / 'class-descriptions.csv'}\n" in ended.stdout
    assert (
        f"{len(kept)} rows of {mine}; they replace {len(own_skies)} rows from before the file changed\n" in ended.stdout
    )
    assert ask("SELECT image_id, confidence FROM label ORDER BY image_id") == [(image_id, 0.5) for image_id in kept]
    (oidl.cwd / "link.csv").symlink_to(mine)
    for other_path in ("mine.csv", "../cwd/mine.csv", "link.csv"):
        assert f"already loaded: {mine}\n" in load(fine, other_path).stdout


def test_a_class_is_all_that_is_fetched_and_its_labels_come_by_themselves(fine, run, ask) -> None:
    ended = run(fine, "--classes=sky", "--label-types=labels", "--verified-only", "--no-download-metadata")
    assert (ended.returncode, ended.stderr) == (0, "")
    done = {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")}
    assert done == _skies(ask)
    assert 0 < len(done) < len(fine.images)
    assert sum(fine.requests.values()) == len(done)


def test_a_limit_takes_the_next_of_the_chosen_each_time(fine, run, ask) -> None:
    selection = ("--classes=sky", "--verified-only", "--shuffle", "--seed=4")
    assert run(fine, *selection, "--limit=2").returncode == 0
    first = {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")}
    assert len(first) == 2
    assert first < _skies(ask)
    assert run(fine, *selection).returncode == 0
    assert len(ask("SELECT image_id FROM download WHERE status = 'done'")) == len(_skies(ask))


def test_samples_of_a_limited_number_have_the_annotations_that_are_asked_for(fine, run, root: Path) -> None:
    options = ("--output-format=webdataset", "--load-annotations", "--limit=3")
    ended = run(fine, *options)
    assert ended.returncode == 0
    assert "will have no boxes and labels" not in ended.stdout
    facts = []
    for path in root.rglob("*.tar"):
        with tarfile.open(path) as shard:
            members = [each for each in shard if each.name.endswith(".json")]
            facts += [json.loads(shard.extractfile(each).read()) for each in members]  # type: ignore[union-attr]
    assert len(facts) == 3
    assert all(json.loads(each["annotations"])["labels"] for each in facts)


def test_a_class_that_there_is_not_is_said_before_anything_long_is_fetched(fine, run, oidl, root: Path, ask) -> None:
    ended = run(fine, "--classes=Sunset,Sunste", "--verified-only")
    assert ended.returncode == 2
    assert "there is no class 'Sunste'" in ended.stderr
    assert "did you mean Sunset" in ended.stderr
    load = ("annotations", "load", f"--root-dir={root}", f"--catalogue={fine.catalogue}", "--label-types=labels")
    ended = oidl(*load, "--classes=Sunste")
    assert ended.returncode == 2
    assert "there is no class 'Sunste'" in ended.stderr
    assert not fine.requests
    asked = dict(fine.site.requests)
    assert not asked.keys() & {fine.list_path, fine.annotations_path}
    assert asked, "the names of the classes"
    assert run(fine, "--classes=Sunset", "--verified-only", "--limit=0").returncode == 0
    assert {path: fine.site.requests[path] for path in asked} == asked
    assert ask("SELECT count(*) > 0 FROM label") == [(1,)]


def test_a_label_without_a_name_may_be_in_the_annotations_alone(fine, run, ask) -> None:
    ended = run(fine, "--classes=/m/0nothing", "--verified-only")
    assert ended.returncode == 2
    assert "there is no class '/m/0nothing'" in ended.stderr
    assert fine.site.requests[fine.annotations_path]


def test_only_the_annotations_of_chosen_images_are_loaded_when_asked(fine, run, ask, tmp_path: Path) -> None:
    selected = [listed.image.image_id for listed in fine.images[:3]]
    (tmp_path / "ids.txt").write_text("\n".join(selected))
    assert run(fine, f"--image-ids={tmp_path / 'ids.txt'}", "--load-annotations").returncode == 0
    assert {image_id for (image_id,) in ask("SELECT image_id FROM label")} == set(selected)
    assert run(fine, "--load-annotations", "--limit=0").returncode == 0
    assert ask("SELECT count(*) FROM label") == [(3 * len(fine.images),)]


def test_a_run_whose_image_ids_were_spoilt_since_it_began_is_closed(fine, run, ask, tmp_path: Path) -> None:
    ids, listed = tmp_path / "ids.txt", fine.site.answers[fine.list_path].body
    ids.write_text(f"{fine.images[0].image.image_id}\n")

    def spoil() -> bytes:
        ids.write_text(f"{fine.images[0].image.image_id}\nhello\n")
        return listed.read_bytes()

    fine.site.answers[fine.list_path] = CannedResponse(spoil)
    ended = run(fine, "--nodownload-metadata", f"--image-ids={ids}")
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (2, f"oidl: {ids} line 2: 'hello' is not an ImageID")
    assert ask("SELECT outcome, finished_at NOTNULL FROM run") == [("error", 1)]


def test_files_of_ones_own_and_images_in_no_list(fine, load, run, ask, oidl) -> None:
    assert run(fine, "--limit=0").returncode == 0
    listed = fine.images[0].image.image_id
    (oidl.cwd / "mine.csv").write_text(
        f"{LABELS}{listed},me,{SKY},1\n{'f' * 16},me,{SKY},1\n" + f"{listed},me,/m/9,1\n" * 200 + "bad\n"
    )
    ended = load(fine, "mine.csv")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "mine.csv line 204: 1 field instead of 4" in ended.stdout
    assert ask("SELECT count(*) FROM label WHERE source = 'me'") == [(2,)]
    assert load(fine, "mine.csv", "--all").returncode == 0
    assert ask("SELECT count(*) FROM label WHERE source = 'me'") == [(3,)]
    assert ask("SELECT images, skipped FROM annotation_file") == [("all", 1)]


def test_a_file_with_too_many_bad_rows_is_exit_4_and_leaves_nothing(fine, load, run, ask, oidl) -> None:
    assert run(fine, "--limit=0").returncode == 0
    (oidl.cwd / "mine.csv").write_text(f"{LABELS}{fine.images[0].image.image_id},me,{SKY},1\nbad\n")
    ended = load(fine, "mine.csv")
    assert ended.returncode == 4
    assert "the rows of mine.csv are bad: 1 of the first 2" in ended.stderr
    assert ask("SELECT count(*) FROM label") == [(0,)]
    assert ask("SELECT count(*) FROM annotation_file") == [(0,)]


def test_a_file_that_is_cut_within_a_row_is_exit_4_and_leaves_nothing(fine, load, run, ask, oidl) -> None:
    assert run(fine, "--limit=0").returncode == 0
    rows = "".join(f"{each.image.image_id},me,{SKY},1\n" for each in fine.images)
    (oidl.cwd / "mine.csv").write_text(f"{LABELS}{rows * 200}{fine.images[0].image.image_id},me")
    ended = load(fine, "mine.csv")
    assert ended.returncode == 4
    assert "mine.csv seems to be cut short: line " in ended.stderr
    assert ask("SELECT count(*) FROM label") == [(0,)]
    assert ask("SELECT count(*) FROM annotation_file") == [(0,)]


_TOLD = """
import sys
from contextlib import contextmanager
from oidl.cli import main
from oidl.progress.meter import Meter
from oidl.progress.format import progress_line
reading = Meter.reading
@contextmanager
def told(*arguments):
    with reading(*arguments) as file:
        yield file
        print(progress_line(arguments[0].statistics()))
Meter.reading = told
sys.exit(main(sys.argv[1:]))
"""


def test_every_file_is_told_of_while_it_comes_in(fine, oidl, root: Path) -> None:
    ended = oidl.process(
        "run",
        f"--catalogue={fine.catalogue}",
        f"--root-dir={root}",
        "--limit=0",
        "--load-annotations",
        "--dataset-version=3",
        program=_TOLD,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    count = len(fine.images)
    assert re.search(rf"^loading images_demo.tar.gz · {count} rows, indexing$", ended.stdout, re.MULTILINE)
    assert re.search(r"^fetching classes_demo.tar.gz · (.+) of \1 · ", ended.stdout, re.MULTILINE)
    assert f"\nloading annotations_human_demo.tar.gz · {3 * count} rows, indexing\n" in ended.stdout


_KILLED = """
import os, signal, sys
from oidl.state import annotations
add = annotations.add_rows
def killed(db, table, columns, batches, file_id):
    def until():
        for batch in batches:
            yield batch
            os.kill(os.getpid(), signal.SIGKILL)
    return add(db, table, columns, until() if table == "label" else batches, file_id)
annotations.add_rows = killed
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


def without_room(forecast: str) -> str:
    """A forecast without the free space, which others change while a test runs."""
    text, count = re.subn(r" of \S+ [kMGT]B available ", " ", forecast)
    assert count == 1
    return text


def test_a_dry_run_says_what_would_come_and_touches_nothing(fine, run, ask, tell, tree, root: Path) -> None:
    assert run(fine, "--limit=0").returncode == 0
    wanted = run(fine, "--dry-run", "--classes=sky", "--verified-only")
    assert wanted.stdout.startswith(f"at most {len(fine.images)} images to fetch, ")
    assert run(fine, "--limit=0", "--classes=sky", "--verified-only").returncode == 0
    with_all = ask("SELECT name, images FROM annotation_file")
    tell("UPDATE annotation_file SET images = 'chosen: others'")
    assert "at most" in run(fine, "--dry-run", "--classes=sky", "--verified-only").stdout, "it would count too few"
    for name, images in with_all:
        tell(f"UPDATE annotation_file SET images = '{images}' WHERE name = '{name}'")
    before, asked = tree(root), dict(fine.site.requests)
    ended = run(fine, "--dry-run", "--classes=sky", "--verified-only")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"{len(_skies(ask))} images to fetch, ")
    assert any(line.split()[:2] == ["Sky", str(len(_skies(ask)))] for line in ended.stdout.splitlines())
    after = tree(root)
    for files in (before, after):  # what any reader of a WAL database leaves beside it
        files.pop("oidl.sqlite3-shm", None), files.pop("oidl.sqlite3-wal", None)
    assert after == before
    assert dict(fine.site.requests) == asked
    limited = run(fine, "--dry-run", "--limit=5")
    assert limited.stdout.startswith(f"5 of {len(fine.images)} images to fetch (--limit), about ")
    whole = run(fine, "--dry-run").stdout
    assert f"{len(fine.images)} images to fetch, about " in whole  # off tallies and a sample, so at once
    assert without_room(run(fine, "--dry-run", "--shuffle").stdout) == without_room(whole)


def test_a_dry_run_is_of_the_list_that_is_asked_for(fine, run, oidl) -> None:
    assert run(fine, "--limit=0").returncode == 0
    (oidl.cwd / "other.csv").write_text("")
    ended = run(fine, "--dry-run", "--images-csv=other.csv")
    assert (ended.returncode, ended.stdout) == (6, "")
    assert "this state database holds version" in ended.stderr


def test_a_dry_run_refuses_and_remarks_what_the_run_would(fine, run, oidl) -> None:
    assert run(fine, "--resize-box-size=64", "--limit=3").returncode == 0
    other = ("--resize-box-size=100", "--resized-images-subdirectory=images-resized")
    wrong = [run(fine, *other, *more) for more in ((), ("--dry-run",))]
    assert wrong[0].returncode == wrong[1].returncode == 2
    assert wrong[0].stderr == wrong[1].stderr
    (oidl.cwd / "ids.txt").write_text(f"{'f' * 16}\n{fine.images[0].image.image_id}\n")
    ended = run(fine, "--resize-box-size=64", "--image-ids=ids.txt", "--dry-run")
    assert "1 of the given ImageIDs are not in the list" in ended.stderr
    assert run(fine, "--no-download-images", "--dry-run").stdout.startswith("0 images and no annotations to fetch")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--label-types=cats"], "choose from boxes, labels"),
        (["--attributes=IsNice=1"], "is not an attribute of boxes"),
        (["--attributes=IsGroupOf=2"], "is not an attribute of boxes"),
        (["--verified-only", "--label-types=boxes"], "--verified-only applies only to labels"),
        (["--min-box-area=2"], "0 to 1"),
        (["--limit-per-class=0"], "at least 1"),
        (["--where=nope > 1"], "no such column: nope"),
        (["--classes=Sky"], "has no boxes"),
    ],
)
def test_a_selection_that_makes_no_sense_is_exit_2(options: list[str], words: str, fine, run) -> None:
    ended = run(fine, *options)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert not fine.requests
