"""The README against the program: options, reasons, schema, queries, commands, keys and codes."""

import json
import random
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import image, work
from cyclopts.config import Dict, Env

from oidl.cli.app import _spelled_out, app
from oidl.cli.options import OPTIONS, RunOptions
from oidl.cli.reference import updated
from oidl.cli.sections import SECTIONS
from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.errors import ExitCode
from oidl.export.formats import FORMATS
from oidl.model import (
    ORIGINAL,
    Blame,
    Done,
    Failure,
    Reason,
    Rendition,
    ResizeMode,
    Source,
    Standing,
    Status,
    WrittenFile,
)
from oidl.net.body import Body
from oidl.net.pace import PaceState
from oidl.pipeline.forecast import make_forecast
from oidl.pipeline.retry import decide
from oidl.progress.machine import json_line, metrics_text
from oidl.progress.meter import Meter
from oidl.progress.words import duration, size
from oidl.report.status import status_json
from oidl.state.connection import StateConnection
from oidl.state.counts import read_counts
from oidl.state.database import open_empty
from oidl.state.ledger import Ledger, Tries, Verdict

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    """The text under the heading `title`, up to the next heading."""
    return README.split(f"# {title}\n", 1)[1].split("\n#", 1)[0]


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of the rows of every table in `text`, headers included."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def words_in_code(text: str) -> list[str]:
    return re.findall("`([^`]+)`", text)


QUERIES = [block for block in code_blocks("sql") if block.startswith("SELECT")]
CHANGES = [block for block in code_blocks("sql") if not block.startswith("SELECT")]
COMMANDS = re.findall(r"^(?:until )?((?:OIDL_\S+ )*oidl [^;\n]+)", "\n".join(code_blocks("sh")), re.MULTILINE)


# ---- options and commands


def test_the_generated_tables_are_up_to_date() -> None:
    assert updated(README) == README, "run `python -m oidl.cli.reference --write README.md`"


def test_every_option_of_run_is_in_its_table() -> None:
    rows = [row[0] for row in list(table_rows(section("`oidl run`")))[1:]]
    listed = [words_in_code(row)[0] for row in rows if not row.startswith("**")]
    assert [row.strip("*") for row in rows if row.startswith("**")] == [each.name for each in SECTIONS]
    assert sorted(listed) == sorted(f"--{name}" for name in OPTIONS)


def test_every_option_of_every_command_has_a_meaning() -> None:
    rows = [
        row for row in table_rows(README.split("<!-- options -->")[1].split("<!-- /options -->")[0]) if row[0][0] == "`"
    ]
    assert [row[0] for row in rows if not row[0].startswith("`--")] == ["`NAME`", "`FILES`"]
    assert not [row[0] for row in rows if not row[2]]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The options that a command line makes, and nothing but that line."""

    def parse(command: str, *config: object) -> Any:
        variables, _, typed = command.partition("oidl ")
        for variable in variables.split():
            monkeypatch.setenv(*variable.split("=", 1))
        tokens = shlex.split(typed)
        monkeypatch.setattr(app, "config", (*config, Env("OIDL_", command=False)))
        _, bound, _ = app.parse_args([_spelled_out(token) for token in tokens], exit_on_error=False, print_error=False)
        return bound.arguments.get("options")

    return parse


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_the_program_takes(command: str, parsed: Any) -> None:
    assert parsed(command) is not None


@pytest.mark.parametrize(
    ("root", "sources", "saves", "mode", "box_size", "quality", "metadata"),
    [
        ("crops", (Source.THUMBNAIL_300K, Source.ORIGINAL), False, ResizeMode.FILL_CROP, 224, 50, False),
        ("small", (Source.THUMBNAIL_300K, Source.ORIGINAL), False, ResizeMode.SHRINK_TO_FIT, 640, None, False),
        ("/data/openimages", (Source.ORIGINAL,), True, ResizeMode.SHRINK_TO_FIT, 1024, None, True),
    ],
    ids=["tiny crops", "640 px", "originals and 1024 px"],
)
def test_the_classic_recipes_mean_what_is_said_of_them(
    root: str,
    sources: tuple[Source, ...],
    saves: bool,
    mode: ResizeMode,
    box_size: int,
    quality: int | None,
    metadata: bool,
    parsed: Any,
) -> None:
    command = next(each for each in COMMANDS if each.startswith(f"oidl run --root-dir {root} "))
    settings = parsed(command).settings("2017_11", ("train", "validation", "test"))
    (rendition,) = settings.renditions
    assert (settings.originals.sources, settings.originals.save) == (sources, saves)
    assert (rendition.mode, rendition.box_size, rendition.quality) == (mode, box_size, quality)
    assert settings.download_metadata is metadata


def test_the_jobs_take_what_a_dry_run_says(parsed: Any, tmp_path: Path) -> None:
    use = section("Real use")
    rows = list(table_rows(use))[1:]
    jobs = [line for line in use.splitlines() if line in COMMANDS][: len(rows)]
    version = find_version(read_catalogue(None), None)
    for command, (_, *cells) in zip(jobs, rows, strict=True):
        settings = replace(parsed(command), root_dir=tmp_path).settings(version.directory, version.subsets)
        with closing(open_empty(tmp_path / "none")) as db:
            found = make_forecast(db, settings, version)
        assert found.bytes
        assert found.seconds
        most = "at most " if found.is_most else ""
        assert cells == [
            f"{most}{found.images:,}",
            size(round(found.bytes)),
            size(found.file_bytes),
            size(sum(room.needed for room in found.rooms)),
            duration(found.seconds),
        ]


def test_the_settings_file_is_one_that_the_program_takes(parsed: Any) -> None:
    (text,) = code_blocks("toml")
    values = tomllib.loads(text)
    assert set(values) <= OPTIONS
    options = parsed("oidl run", Dict(values, use_commands_as_keys=False))
    assert options == RunOptions(
        root_dir=Path("/data/openimages"),
        subset=("train", "validation"),
        download_metadata=False,
        save_original_images=True,
        resize_mode=ResizeMode.FILL_CROP,
        resize_box_size=256,
        max_host_connections=8,
    )


def test_the_environment_is_spelled_as_the_program_reads_it(parsed: Any) -> None:
    (command,) = [command for command in COMMANDS if command.startswith("OIDL_")]
    assert parsed(command) == RunOptions(root_dir=Path("/data/openimages"), download_metadata=False, limit=1000)


def test_every_exit_code_is_listed() -> None:
    assert [row[0] for row in table_rows(section("Exit codes"))][1:] == [str(code.value) for code in ExitCode]


# ---- the state database


@pytest.fixture
def lived_in(loaded_db: StateConnection) -> StateConnection:
    """A state database after a run: images done and failed, and one that waits for a retry."""
    resized = Rendition("images-resized", "images-resized", ResizeMode.FILL_CROP, 64, "jpg")
    ledger = Ledger(loaded_db)
    ledger.register([Rendition(ORIGINAL, "images-original"), resized])
    ledger.open_run({"transfers": {"max_host_connections": 5}})
    for number in (1, 2, 11):
        published = image(number, "test" if number >= 10 else "train")
        files = (
            WrittenFile(ORIGINAL, f"2017_11/{published.subset}/o/{number}.jpg", 1000, 640, 480),
            WrittenFile("images-resized", f"2017_11/{published.subset}/r/{number}.jpg", 50, 64, 64),
        )
        done = Done(Source.ORIGINAL, published.original_url, 1000 + number, published.original_md5, 640, 480, files)
        ledger.done(work(number), done)
    failures = {
        3: (Failure(Reason.MD5_MISMATCH, "other", source=Source.ORIGINAL, url=image(3).original_url), Status.FAILED),
        4: (
            Failure(Reason.FORBIDDEN, "HTTP 403", 403, source=Source.ORIGINAL, url=image(4).original_url),
            Status.FAILED,
        ),
        5: (Failure(Reason.TIMEOUT, "no byte", source=Source.ORIGINAL, url=image(5).original_url), Status.RETRY),
    }
    for number, (failure, status) in failures.items():
        ledger.failed(work(number), failure, Verdict(status, NOW if status is Status.RETRY else None))
    ledger.archive("images_2017_11.tar.gz", "https://x/images_2017_11.tar.gz", 1, "0" * 32)
    return loaded_db


def test_there_are_ten_queries() -> None:
    assert len(QUERIES) == 10


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_every_query_answers(query: str, lived_in: StateConnection) -> None:
    answer = lived_in.execute(query)
    names = [name for name, *_ in answer.description]
    rows = answer.fetchall()
    assert rows, query
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        assert any(value is not None for value in values) or name in ("outcome", "http_status"), f"{name} says nothing"


def test_an_image_that_failed_for_good_can_be_taken_up_again(lived_in: StateConnection) -> None:
    (change,) = CHANGES
    before = read_counts(lived_in).by_status
    assert lived_in.execute(change).rowcount == 1
    after = read_counts(lived_in).by_status
    assert after[Status.FAILED] == before[Status.FAILED] - 1
    assert after[Status.PENDING] == before[Status.PENDING] + 1


def test_every_table_view_and_column_is_described(db: StateConnection) -> None:
    described = {}
    for part in re.split(r"^\*\*`(?=[a-z_]+`\*\* – )", section("The state database"), flags=re.MULTILINE)[1:]:
        rows = list(table_rows(part))[1:]
        described[part.partition("`")[0]] = [column for row in rows for column in words_in_code(row[0])]
    names = db.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'")
    actual = {name: [row[1] for row in db.execute(f"PRAGMA table_info({name})")] for (name,) in names.fetchall()}
    assert {name: set(columns) for name, columns in described.items()} == {
        name: set(columns) for name, columns in actual.items()
    }


def test_every_key_of_progress_json_and_every_metric_is_described() -> None:
    meter = Meter(lambda: 0.0)
    meter.paced_by(lambda: (PaceState("flickr", 1, 1.0, 0.0),))
    meter.stands([Standing("train", Status.PENDING, None, 1)])
    done = Done(Source.ORIGINAL, "u", 1, "m", 1, 1, ())
    meter.recorded(work(1), done, Status.DONE)
    meter.recorded(work(2), Failure(Reason.GONE), Status.FAILED)
    meter.started(work(3))
    meter.requested(work(3), "u", Body(1.0))
    meter.started(work(4))
    meter.processing(work(4))
    with meter.reading("boxes.csv"):
        now = meter.statistics()
    rows = list(table_rows(section("`run --progress json` and `--metrics-file`")))
    told = json.loads(json_line(now, None, NOW))
    keys = {key for row in rows for key in words_in_code(row[0])}
    meanings = {words_in_code(row[0])[0]: words_in_code(row[1]) for row in rows if words_in_code(row[0])}
    assert set(meanings["run"]) == told["run"].keys()
    assert set(meanings["reading"]) == told["reading"].keys()
    for name in ("downloads", "resizes", "paces", "successes", "failures"):
        assert set(meanings[name]) == told[name][0].keys()
    metrics = re.findall(r"^# TYPE (\S+)", metrics_text(now, NOW), re.MULTILINE)
    described = {key.partition("{")[0] for key in keys if key.startswith("oidl_")}
    assert described == set(metrics)
    assert {key for key in keys if not key.startswith("oidl_")} == told.keys()


def test_every_key_of_status_json_is_described(lived_in: StateConnection) -> None:
    status = json.loads(status_json(read_counts(lived_in), is_running=True))
    text = section("`status --json`")
    assert [key for row in list(table_rows(text))[1:] for key in words_in_code(row[0])] == list(status)
    of_run = words_in_code(text.rpartition("`run` has")[2])
    assert of_run == list(status["run"])


# ---- reasons and rooms


@pytest.mark.parametrize("reason", Reason)
def test_the_class_of_every_reason_is_what_the_retry_policy_does(reason: Reason) -> None:
    (class_,) = [row[2] for row in table_rows(section("Why an image fails")) if row[0] == f"`{reason}`"]

    def ends_after(tries: int, **more: Any) -> bool:
        failure = Failure(reason, **more)
        return decide(failure, Tries(tries - 1, tries - 1), NOW, random.Random(1), 45.0).status is Status.FAILED

    def is_spread(tries: int, **more: Any) -> bool:
        failure = Failure(reason, **more)
        delays_s = []
        for before in range(tries - 1):
            due = decide(failure, Tries(before, before), NOW, random.Random(1), 45.0).next_attempt_at
            delays_s.append((due - NOW).total_seconds() if due else 0.0)
        return ends_after(tries, **more) and delays_s[0] >= 45 and delays_s[1] >= 90

    match class_.split():
        case ["permanent"]:
            assert ends_after(1)
        case ["permanent", "after", tries, "tries"]:
            assert ends_after(int(tries))
            assert not ends_after(int(tries) - 1)
        case ["permanent", "after", tries, "spread", "tries"]:
            assert is_spread(int(tries))
        case [
            "permanent",
            "after",
            tries,
            "tries;",
            "of",
            "what",
            "is",
            "no",
            "image,",
            "after",
            more,
            "spread",
            "tries",
        ]:
            assert ends_after(int(tries))
            assert not ends_after(int(tries) - 1)
            assert is_spread(int(more), blame=Blame.PATH)
        case ["retry"]:
            assert not ends_after(1000)
        case ["retry;", "never", *_]:
            assert not decide(Failure(reason), Tries(0, 0), NOW, random.Random(1), 45.0).counts
        case ["retry;", "permanent", "if", "the", "MD5", *_]:
            assert not ends_after(1000)
            assert ends_after(1, blame=Blame.IMAGE)
        case ["408,", "425,", "5xx:", "retry;", "the", "rest:", "permanent", "after", tries, "spread", "tries"]:
            assert not any(ends_after(1000, http_status=status) for status in (408, 425, 500, 503, 599))
            assert all(is_spread(int(tries), http_status=status) for status in (400, 401, 418, 451))
        case ["stops", "the", "run,", "exit", "code", code]:
            assert not ends_after(1000)
            assert int(code) == ExitCode.DISK
        case _:
            pytest.fail(f"a class that this test does not know: {class_}")


def test_every_format_is_in_the_table() -> None:
    listed = [row[0].strip("`") for row in table_rows(section("Labels for other tools"))]
    assert {"all", *FORMATS} <= set(listed)


def test_every_room_is_in_the_table() -> None:
    rooms = {path.parent.name for path in (ROOT / "oidl").glob("*/__init__.py")}
    listed = {row[0].strip("`/") for row in table_rows(section("How it works")) if row[0].endswith("/`")}
    assert listed == rooms


def test_the_table_says_which_room_may_import_which_library() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    allowed: dict[str, set[str]] = {}
    for contract in contracts:
        for importer in contract.get("allowed_importers", ()):
            allowed.setdefault(importer.removeprefix("oidl."), set()).update(contract["protected_modules"])
    rows = [row for row in table_rows(section("How it works")) if row[0].endswith("/`")]
    assert {row[0].strip("`/"): set(row[2].split(", ")) for row in rows if row[2]} == allowed


# ---- the test command


@pytest.mark.parametrize(("command", "code"), [("echo ran it", 0), ("echo ran it && false", 1)])
def test_ci_runs_the_test_command_and_ends_as_it_does(command: str, code: int, tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    marked = re.compile(r"(<!-- test command -->\n```sh\n)(.*)(\n```\n<!-- /test command -->)")
    assert marked.search(README)
    (tmp_path / "README.md").write_text(marked.sub(rf"\g<1>{command}\g<3>", README), "utf-8")
    ended = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, f"+ {command}\nran it\n", "")
