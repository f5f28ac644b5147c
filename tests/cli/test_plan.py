"""A root keeps its plan: options that a later command omits have the values of the last run."""

import random
import shlex
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typed import options, run_options

from oidl.cli.config import Environment
from oidl.cli.options.renditions import CLASSIC
from oidl.cli.options.run import RunOptions
from oidl.cli.options.types import check_values
from oidl.cli.planning import PLAN, PlannedOptions, plan_line, plan_of
from oidl.demo.site import status_answer
from oidl.state.connection import transaction
from oidl.state.database import connect_writer
from oidl.state.plan import read_plan, stored_plan, write_plan


@pytest.fixture
def parsed(tmp_path: Path) -> Any:
    """The options of a command line, in a root directory that remembers."""
    config = (Environment(), check_values, PlannedOptions())

    def parse(*tokens: str) -> Any:
        typed = [*tokens, f"--root-dir={tmp_path}"]
        return run_options(typed, config) if tokens[0] == "run" else options(typed, config)

    return parse


@pytest.fixture
def remember(state_db: Path) -> Any:
    """Notes the plan that the options of a run make, as the run does."""

    def note(options: RunOptions) -> None:
        with closing(connect_writer(state_db)) as db, transaction(db):
            write_plan(db, plan_of(options))

    return note


_SOME = {
    "dataset_version": ("7", "3"),
    "images_csv": ("list.csv", "https://example.org/list.csv"),
    "catalogue": ("catalogue.toml",),
    "image_list": ("boxable", "Labels"),
    "subset": ("train", "test"),
    "image_ids": ("ids.txt",),
    "classes": ("Cat", '"Ducks, geese",Dog'),
    "label_types": ("labels", "boxes"),
    "attributes": ("IsGroupOf=0",),
    "min_box_area": ("0.05", "0"),
    "where": ("license LIKE '%/by/2.0/'", "original_size < 1e6"),
    "license": ("same", "Free,unchecked"),
    "limit": ("200", "1"),
    "limit_per_class": ("3",),
    "seed": ("7", "-1"),
    "annotations": ("boxes", "points"),
    "source": ("300k", "Original"),
    "original_images_subdirectory": ("there",),
    "original_images_dir": ("elsewhere", "~"),
    "resize_mode": ("fillcrop", "Border"),
    "resize_box_size": ("64",),
    "resize_output_format": ("png",),
    "resize_compression_quality": ("50",),
    "resized_images_subdirectory": ("small",),
    "rendition": ("name=thumb,box=64", "box=128,quality=50"),
    "orientation": ("dataset",),
    "background": ("000000",),
    "scaling": ("fast",),
    "output_format": ("webdataset", "TFRecord"),
    "shard_size": ("10M",),
    "shard_samples": ("500",),
    "remote": ("s3://bucket/prefix",),
    "validate": ("strict",),
    "max_pixels": ("1000000",),
    "name_files_by": ("flickr",),
}
_SWITCHES = tuple(option for option in PLAN if option not in _SOME)
_SEVERAL = ("subset", "classes", "label_types", "attributes", "annotations", "source", "rendition")
_OF_ONE_RUN = ("--retry-failed", "--max-rps=3", "--progress=line", "--no-export-csv", "--min-free=1M", "--limit=0")


def _drawn(draw: random.Random) -> list[str]:
    """Some options of a plan, with values."""
    tokens = []
    for option in draw.sample(PLAN, draw.randint(1, 12)):
        name = option.replace("_", "-")
        if option in _SWITCHES:
            tokens.append(draw.choice((f"--{name}", f"--no-{name}")))
        else:
            count = draw.randint(1, len(_SOME[option])) if option in _SEVERAL else 1
            tokens += [f"--{name}={value}" for value in draw.sample(_SOME[option], count)]
    return tokens


@pytest.mark.parametrize("seed", range(40))
def test_a_later_run_asks_for_what_the_first_did_and_for_nothing_else(seed: int, parsed: Any, remember: Any) -> None:
    draw = random.Random(seed)
    first = plan_of(parsed("run", *_drawn(draw)))
    remember(parsed("run", *_drawn(random.Random(seed))))
    assert plan_of(parsed("run")) == first
    again = parsed("run", *draw.sample(_OF_ONE_RUN[:-1], 2))
    assert plan_of(again) == first
    remember(again)
    assert plan_of(parsed("run")) == first


@pytest.mark.parametrize("seed", range(40))
def test_a_plan_that_is_typed_as_it_is_shown_is_the_same_plan(seed: int, parsed: Any, remember: Any) -> None:
    first = plan_of(parsed("run", *_drawn(random.Random(seed))))
    remember(parsed("run", "--subset=validation", "--classes=Dog", "--limit=3"))
    assert plan_of(parsed("run", "--new-plan", *shlex.split(plan_line(first)))) == first


@pytest.mark.parametrize("seed", range(40))
def test_an_option_that_is_given_replaces_that_part_and_no_other(seed: int, parsed: Any, remember: Any) -> None:
    draw = random.Random(seed)
    remember(parsed("run", *_drawn(draw)))
    before = plan_of(parsed("run"))
    option = draw.choice([each for each in _SOME if each not in ("source", "original_images_dir", "limit")])
    value = draw.choice(_SOME[option])
    now = plan_of(parsed("run", f"--{option.replace('_', '-')}={value}"))
    not_compared = {option, "original_images_dir"}
    if option in (*CLASSIC, "rendition"):  # a rendition is asked for, so images are resized
        not_compared.add("resize_images")
    assert {each: before.get(each) for each in PLAN if each not in not_compared} == {
        each: now.get(each) for each in PLAN if each not in not_compared
    }
    assert now[option] == plan_of(parsed("run", "--new-plan", f"--{option.replace('_', '-')}={value}"))[option]


def test_what_failed_is_tried_again_with_no_other_word_than_that(fine: Any, oidl: Any, run: Any, root: Path) -> None:
    selected = root.parent / "ids.txt"
    selected.write_text(
        "".join(f"{listed.image.image_id}\n" for listed in fine.images if listed.image.subset == "test")
    )
    lost = next(listed for listed in fine.images if listed.image.subset == "test")
    answer = fine.site.answers[fine.path_of(lost)]
    fine.site.answers[fine.path_of(lost)] = status_answer(404)
    run(fine, "--subset=test", f"--image-ids={selected}", "--rendition=name=thumb,box=64", "--no-download-metadata")
    fine.site.answers[fine.path_of(lost)] = answer
    fine.site.requests.clear()
    ended = oidl("run", f"--root-dir={root}", "--retry-failed")
    assert dict(fine.site.requests) == {fine.path_of(lost): 1}
    assert ended.returncode == 0
    first = next(line for line in ended.stdout.splitlines() if "continuing with" in line)
    assert first.endswith(
        f"continuing with --dataset-version 3 --catalogue {fine.catalogue} --subset test --image-ids {selected} "
        "--no-download-metadata --rendition name=thumb,box=64"
    )
    assert {path.parent.name for path in root.rglob("*.jpg")} <= {listed.image.image_id[:3] for listed in fine.images}
    assert {path.relative_to(root).parts[2] for path in root.rglob("*.jpg")} == {"thumb"}


def test_a_run_says_what_its_options_changed(fine: Any, oidl: Any, run: Any, root: Path) -> None:
    run(fine, "--subset=test", "--no-download-metadata", "--limit=2")
    ended = oidl("run", f"--root-dir={root}", "--limit=3", "--save-original-images", "--subset=train")
    assert "; changed: --subset train (was --subset test), --limit 3 (was --limit 2), --save-original-images\n" in (
        ended.stdout
    )
    shown = oidl("plan", f"--root-dir={root}")
    assert shown.stdout == (
        f"oidl run --root-dir {root} --dataset-version 3 --catalogue {fine.catalogue} --subset train --limit 3 "
        "--no-download-metadata --save-original-images\n"
    )


def test_a_new_plan_starts_from_the_defaults(fine: Any, run: Any, root: Path) -> None:
    run(fine, "--subset=test", "--limit=1")
    run(fine, "--limit=1")
    assert set(stored_plan(root / "oidl.sqlite3")) & {"subset", "limit"} == {"limit"}


def test_a_run_that_only_loads_the_list_keeps_the_limit_of_the_plan(fine: Any, oidl: Any, run: Any, root: Path) -> None:
    run(fine, "--limit=2")
    ended = oidl("run", f"--root-dir={root}", "--limit=0")
    assert ended.returncode == 0
    assert "changed:" not in ended.stdout
    assert stored_plan(root / "oidl.sqlite3")["limit"] == 2
    run(fine, "--limit=0")
    assert "limit" not in stored_plan(root / "oidl.sqlite3"), "--new-plan starts from the defaults"


def test_a_run_that_is_refused_changes_no_plan(fine: Any, oidl: Any, run: Any, root: Path) -> None:
    run(fine, "--subset=test", "--limit=1", "--resized-images-subdirectory=small")
    before = stored_plan(root / "oidl.sqlite3")
    again = ("--resize-box-size=99", "--resized-images-subdirectory=small", "--subset=train")
    assert oidl("run", f"--root-dir={root}", *again).returncode == 2
    assert stored_plan(root / "oidl.sqlite3") == before


def test_an_unknown_class_does_not_get_into_the_plan(annotated: Any, oidl: Any, run: Any, root: Path) -> None:
    run(annotated, "--subset=test", "--limit=1")
    before = stored_plan(root / "oidl.sqlite3")
    ended = oidl("run", f"--root-dir={root}", "--classes=Catt")
    assert ended.returncode == 2
    assert "there is no class 'Catt'" in ended.stderr
    assert stored_plan(root / "oidl.sqlite3") == before
    fresh = root.parent / "fresh"
    assert oidl("run", f"--root-dir={fresh}", f"--catalogue={annotated.catalogue}", "--classes=Catt").returncode == 2
    assert stored_plan(fresh / "oidl.sqlite3") == {}


def test_a_size_that_is_given_is_made_although_the_plan_makes_none(
    fine: Any, oidl: Any, run: Any, root: Path, ask: Any
) -> None:
    run(fine, "--subset=test", "--limit=2", "--no-resize-images", "--save-original-images", "--no-download-metadata")
    ended = oidl("run", f"--root-dir={root}", "--resize-box-size=50")
    assert ended.returncode == 0
    assert "--resize-images (was --no-resize-images)" in ended.stdout
    assert ask("SELECT files FROM rendition WHERE box_size = 50") == [(2,)]


def test_another_size_goes_to_a_directory_of_its_own(fine: Any, oidl: Any, run: Any, root: Path, ask: Any) -> None:
    run(fine, "--subset=test", "--no-download-metadata", "--save-original-images")
    fine.site.requests.clear()
    for arguments, directory in (
        (("--resize-box-size=64",), "images-64"),
        (("--resize-mode=FillCrop",), "images-64-fillcrop"),
        ((), "images-64-fillcrop"),
        (("--resize-mode=ShrinkToFit",), "images-64"),
        (("--resize-box-size=224",), "images-resized"),
    ):
        ended = oidl("run", f"--root-dir={root}", *arguments)
        assert ended.returncode == 0
        ((settings,),) = ask("SELECT settings ->> '$.renditions[0].directory' FROM run ORDER BY id DESC LIMIT 1")
        assert settings == directory
    assert not fine.site.requests
    tests = sum(listed.image.subset == "test" for listed in fine.images)
    assert ask("SELECT name, files FROM rendition ORDER BY name") == [
        ("images-64", tests), ("images-64-fillcrop", tests), ("images-resized", tests), ("original", tests)
    ]  # fmt: skip


def test_a_plan_is_read_where_a_killed_load_left_the_database(state_db: Path) -> None:
    """Such a database has a journal that only a writer can take back."""
    with closing(connect_writer(state_db)) as db:
        with transaction(db):
            write_plan(db, {"subset": ["test"]})
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        rows = [(f"{number:0900}",) for number in range(99)]
        db.executemany("INSERT INTO pace (provider, window, updated_at) VALUES (?, 1, '')", rows)
        copied = state_db.with_name("copy.sqlite3")
        copied.write_bytes(state_db.read_bytes())
        journal = state_db.with_name(f"{state_db.name}-journal")
        copied.with_name(f"{copied.name}-journal").write_bytes(journal.read_bytes())
        db.execute("ROLLBACK")
    assert stored_plan(copied) == {"subset": ["test"]}
    with closing(connect_writer(copied)) as db:
        assert read_plan(db) == {"subset": ["test"]}
        assert db.execute("SELECT count(*) FROM pace").fetchone() == (0,)


def test_an_export_takes_the_classes_of_the_plan_and_not_how_many(parsed: Any, remember: Any) -> None:
    remember(parsed("run", "--classes=Cat", "--limit=3", "--limit-per-class=2", "--rendition=name=thumb,box=64"))
    taken = parsed("export")
    assert (taken.classes, taken.limit, taken.limit_per_class, taken.rendition) == (("Cat",), None, None, None)
    assert parsed("export", "--classes=Dog").classes == ("Dog",)
    assert parsed("annotations", "load").classes == ("Cat",)
