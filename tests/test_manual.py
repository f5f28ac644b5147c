"""The manual and the READMEs against the program: options, reasons, schema, queries, commands, keys and codes."""

import json
import random
import re
import shlex
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from builders import image, job
from cyclopts.config import Dict, Env
from pages import ALL, MANUAL, ROOT, code_blocks, commands, items, manual, read, section, words_in_code
from typed import options, run_options

from bench.__main__ import _MEASUREMENTS
from oidl.cli.app import app
from oidl.cli.commands.help import ENTRIES, PAGES, entries, page
from oidl.cli.options.groups import SECTIONS
from oidl.cli.options.run import OPTIONS, RunOptions
from oidl.cli.reference import COMMANDS, blocks, updated
from oidl.dataset.catalogue import built_in_mirrors, find_version, read_catalogue
from oidl.errors import ExitCode
from oidl.export.formats import FORMATS
from oidl.model import (
    ORIGINAL,
    AttemptCounts,
    Blame,
    Done,
    Failure,
    Reason,
    Rendition,
    ResizeMode,
    RetryDecision,
    Source,
    Status,
    StatusCount,
    WrittenFile,
)
from oidl.model.life import LIFE
from oidl.net.body import Body
from oidl.net.pace import PaceState
from oidl.pipeline.retry import decide
from oidl.progress.meter import Meter
from oidl.progress.metrics import metrics_text
from oidl.progress.snapshot import run_snapshot
from oidl.progress.verify import VerifyMeter
from oidl.report.catalogue import catalogue_json
from oidl.report.snapshot import database_snapshot
from oidl.report.verify import verify_json
from oidl.state.archives import record_archive
from oidl.state.connection import StateConnection
from oidl.state.counts import PaceRow, read_counts
from oidl.state.ledger import Ledger

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SCHEMA = read("migrations/README.md")
ARCHITECTURE = read("oidl/README.md")
QUERIES = code_blocks(SCHEMA, "sql")
TYPED = {command: path for path in ALL for command in commands(read(path))}
"""Every command in the pages, and one that has it."""


# ---- pages


def test_every_page_is_listed() -> None:
    elsewhere = {"schema", "figures", "architecture"}
    assert sorted(PAGES) == sorted({*(Path(path).stem for path in MANUAL), *elsewhere})


@pytest.mark.parametrize("name", PAGES)
def test_a_page_begins_with_a_title_that_fits_into_the_list(name: str) -> None:
    title = page(name).splitlines()[0]
    assert title.startswith("# ")
    assert len(title) - 2 + 2 + max(map(len, PAGES)) + 2 <= 80


def test_the_help_of_an_option_is_one_line() -> None:
    # The lines of a docstring after the first would keep their indentation.
    options = read("oidl/manual/options.md")
    assert not re.findall(r"\S {2,}\S.*", options)


@pytest.mark.parametrize("path", ALL)
def test_lines_are_no_longer_than_a_terminal_is_wide(path: str) -> None:
    most = 100 if path in ("README.md", "tests/README.md", ".github/CONTRIBUTING.md") else 80
    text = re.sub(r"^```.*?^```$", "", read(path), flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in text.splitlines() if not line.startswith("|") and "](http" not in line]
    assert [line for line in lines if len(line) > most] == []


@pytest.mark.parametrize("path", ALL)
def test_links_lead_to_files(path: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", read(path))
    assert [link for link in links if "://" not in link and not (ROOT / path).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("path", [*ALL, *(path.relative_to(ROOT).as_posix() for path in (ROOT / "oidl").rglob("*.py"))])
def test_the_help_that_is_pointed_to_exists(path: str) -> None:
    for topic, entry in re.findall(r"`oidl help ([a-z-]+)(?: ([a-z0-9_-]+))?`", read(path)):
        if entry and topic in ENTRIES:
            assert any(entry in names for names, _ in entries(ENTRIES[topic])), entry
        else:
            assert topic in PAGES or topic in app, topic


# ---- options and commands


@pytest.mark.parametrize("name", blocks())
def test_the_generated_parts_are_up_to_date(name: str) -> None:
    assert updated(name, manual(name)) == manual(name), "run `python -m oidl.cli.reference --write`"


def test_every_command_is_in_the_reference() -> None:
    def below(names: tuple[str, ...]) -> set[str]:
        found = reduce(lambda above, word: above[word], names, app)
        inner = [name for name in found if not name.startswith("-") and name != "help"]
        own = {" ".join(names)} if found.default_command is not None and names else set()
        return own.union(*(below((*names, name)) for name in inner))

    assert below(()) == set(COMMANDS)


def test_every_option_of_run_is_there_once_in_its_group() -> None:
    listed = [name for each in SECTIONS for names, _ in items(section(manual("options"), each.name)) for name in names]
    assert sorted(listed) == sorted(f"--{name}" for name in OPTIONS)


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_every_other_command_lists_its_options_and_the_groups_that_it_takes(command: str) -> None:
    text = section(manual("options"), f"`oidl {command}`")
    taken = " ".join(text.partition("Takes ")[2].partition(".\n")[0].split())
    groups = [section(manual("options"), name) for name in re.findall(r"\*([^*]+)\*", taken)]
    listed = {name for group in groups for names, _ in items(group) for name in names}
    listed |= {*words_in_code(taken), *(name for names, _ in items(text) for name in names)}
    found = reduce(lambda above, word: above[word], command.split(), app)
    assert listed == {argument.name for argument in found.assemble_argument_collection() if argument.show}


def test_every_option_has_a_meaning() -> None:
    listed = list(items(manual("options")))
    assert len(listed) > len(OPTIONS)
    assert [names for names, meaning in listed if not meaning] == []


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The options that a command line makes, and nothing but that line."""

    def parse(command: str, *config: object) -> Any:
        variables, _, typed = command.partition("oidl ")
        for variable in variables.split():
            monkeypatch.setenv(*variable.split("=", 1))
        tokens = shlex.split(typed)
        sources = (*config, Env("OIDL_", command=False))
        return run_options(tokens, sources) if tokens[0] == "run" else options(tokens, sources)

    return parse


@pytest.mark.parametrize("command", TYPED)
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
    command = next(each for each in commands(manual("jobs")) if each.startswith(f"oidl run --root-dir {root} "))
    settings = parsed(command).settings("2017_11")
    (rendition,) = settings.renditions
    assert (settings.originals.sources, settings.originals.save) == (sources, saves)
    assert (rendition.mode, rendition.box_size, rendition.quality) == (mode, box_size, quality)
    assert settings.download_metadata is metadata


def test_the_settings_file_is_one_that_the_program_takes(parsed: Any) -> None:
    (text,) = code_blocks(manual("settings"), "toml")
    values = tomllib.loads(text)
    assert set(values) <= OPTIONS
    assert parsed("oidl run", Dict(values, use_commands_as_keys=False)) == RunOptions.of(
        {
            "root_dir": Path("/data/openimages"),
            "subset": ("train", "validation"),
            "download_metadata": False,
            "save_original_images": True,
            "resize_mode": ResizeMode.FILL_CROP,
            "resize_box_size": 256,
            "max_host_connections": 8,
        }
    )


def test_the_environment_is_spelled_as_the_program_reads_it(parsed: Any) -> None:
    (command,) = [command for command in commands(manual("settings")) if command.startswith("OIDL_")]
    expected = {"root_dir": Path("/data/openimages"), "download_metadata": False, "limit": 10}
    assert parsed(command) == RunOptions.of(expected)


def test_every_exit_code_is_listed() -> None:
    assert [names for names, _ in items(manual("exit-codes"))] == [[str(code.value)] for code in ExitCode]


# ---- the state database


@pytest.fixture
def used_db(loaded_db: StateConnection) -> StateConnection:
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
        ledger.done(job(number), done)
    failures = {
        3: (Failure(Reason.MD5_MISMATCH, "other", source=Source.ORIGINAL, url=image(3).original_url), Status.FAILED),
        4: (
            Failure(Reason.FORBIDDEN, "HTTP 403", 403, source=Source.ORIGINAL, url=image(4).original_url),
            Status.FAILED,
        ),
        5: (Failure(Reason.TIMEOUT, "no byte", source=Source.ORIGINAL, url=image(5).original_url), Status.RETRY),
    }
    for number, (failure, status) in failures.items():
        ledger.failed(job(number), failure, RetryDecision(status, NOW if status is Status.RETRY else None))
    record_archive(loaded_db, "images_2017_11.tar.gz", "https://x/images_2017_11.tar.gz", 1, "0" * 32)
    return loaded_db


def test_there_are_ten_queries() -> None:
    assert len(QUERIES) == 10


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_every_query_answers(query: str, used_db: StateConnection) -> None:
    answer = used_db.execute(query)
    names = [name for name, *_ in answer.description]
    rows = answer.fetchall()
    assert rows, query
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        assert any(value is not None for value in values) or name in ("outcome", "http_status"), f"{name} says nothing"


def test_an_image_that_failed_for_good_can_be_taken_up_again(used_db: StateConnection) -> None:
    (change,) = code_blocks(manual("failures"), "sql")
    before = read_counts(used_db).by_status
    assert used_db.execute(change).rowcount == 1
    after = read_counts(used_db).by_status
    assert after[Status.FAILED] == before[Status.FAILED] - 1
    assert after[Status.PENDING] == before[Status.PENDING] + 1


def test_every_table_view_and_column_is_described(db: StateConnection) -> None:
    described = {}
    for part in re.split(r"^### (?=`)", SCHEMA, flags=re.MULTILINE)[1:]:
        part = part.partition("\n## ")[0]
        described[part.split("`")[1]] = [name for names, _ in items(part) for name in names]
    names = db.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'")
    actual = {name: [row[1] for row in db.execute(f"PRAGMA table_info({name})")] for (name,) in names.fetchall()}
    assert {name: sorted(columns) for name, columns in described.items()} == {
        name: sorted(columns) for name, columns in actual.items()
    }


# ---- keys


def test_every_key_of_progress_json_and_every_metric_is_described() -> None:
    meter = Meter(lambda: 0.0)
    meter.paced_by(lambda: (PaceState("flickr", 1, 1.0, 0.0),))
    meter.set_baseline([StatusCount("train", Status.PENDING, None, 1)])
    done = Done(Source.ORIGINAL, "u", 1, "m", 1, 1, ())
    meter.recorded(job(1), done, Status.DONE)
    meter.recorded(job(2), Failure(Reason.GONE), Status.FAILED)
    meter.started(job(3))
    meter.requested(job(3), "u", Body(1.0))
    meter.started(job(4))
    meter.processing(job(4))
    with meter.reading("boxes.csv"):
        now = meter.statistics()
    text = section(manual("json"), "`run --progress json`")
    described = {name: meaning for names, meaning in items(text) for name in names}
    said = run_snapshot(now, NOW)
    assert described.keys() == said.keys()
    for name in ("run", "reading", "downloads", "resizes", "paces", "successes", "failures"):
        value = said[name][0] if isinstance(said[name], list) else said[name]
        assert set(words_in_code(described[name])) == value.keys(), name
    metrics = [name for names, _ in items(section(manual("json"), "`run --metrics-file`")) for name in names]
    assert {name.partition("{")[0] for name in metrics} == set(
        re.findall(r"^# TYPE (\S+)", metrics_text(now, NOW), re.MULTILINE)
    )


def test_every_key_of_status_json_is_described(used_db: StateConnection) -> None:
    counts = replace(read_counts(used_db), paces=(PaceRow("flickr", 1, None, None, None, ""),))
    status = database_snapshot(counts, NOW, is_running=True)
    text = section(manual("json"), "`status --json`")
    described = {name: meaning for names, meaning in items(text) for name in names}
    assert list(described) == list(status)
    assert set(words_in_code(described["paces"])) - {"pace"} == status["paces"][0].keys()
    of_run = words_in_code(text.rpartition("`run` has")[2])
    assert of_run == list(status["run"])


def test_every_key_of_verify_json_is_described() -> None:
    said = json.loads(verify_json(VerifyMeter(lambda: 0.0).statistics(), is_repaired=False, is_interrupted=False))
    assert [name for names, _ in items(section(manual("json"), "`verify --json`")) for name in names] == list(said)


def test_every_key_of_catalogue_json_is_described() -> None:
    version = find_version(read_catalogue(None), None)
    (said,) = json.loads(catalogue_json([(version, version.files[0])]))
    assert [name for names, _ in items(section(manual("json"), "`catalogue --json`")) for name in names] == list(said)


# ---- reasons, formats, rooms


@pytest.mark.parametrize("reason", Reason)
def test_the_class_of_every_reason_is_what_the_retry_policy_does(reason: Reason) -> None:
    (class_,) = [
        text.partition(" → ")[2] for names, text in items(section(manual("failures"), "Reasons")) if names == [reason]
    ]

    def ends_after(tries: int, **more: Any) -> bool:
        failure = Failure(reason, **more)
        return decide(failure, AttemptCounts(tries - 1, tries - 1), NOW, random.Random(1), 45.0).status is Status.FAILED

    def is_spread(tries: int, **more: Any) -> bool:
        failure = Failure(reason, **more)
        delays_s = []
        for before in range(tries - 1):
            due = decide(failure, AttemptCounts(before, before), NOW, random.Random(1), 45.0).next_attempt_at
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
            "after",
            more,
            "spread",
            "tries",
            *_,
        ]:
            assert ends_after(int(tries))
            assert not ends_after(int(tries) - 1)
            assert is_spread(int(more), blame=Blame.PATH)
        case ["retry"]:
            assert not ends_after(1000)
        case ["retry;", "never", *_]:
            assert not decide(Failure(reason), AttemptCounts(0, 0), NOW, random.Random(1), 45.0).counts
        case ["retry;", "permanent", "if", "the", "MD5", *_]:
            assert not ends_after(1000)
            assert ends_after(1, blame=Blame.IMAGE)
        case [
            "202,",
            "204,",
            "408,",
            "425,",
            "5xx:",
            "retry;",
            "the",
            "rest:",
            "permanent",
            "after",
            tries,
            "spread",
            "tries",
        ]:
            assert not any(ends_after(1000, http_status=status) for status in (202, 204, 408, 425, 500, 503, 599))
            assert all(is_spread(int(tries), http_status=status) for status in (400, 401, 418, 451))
        case ["stops", "the", "run,", "exit", "code", code]:
            assert not ends_after(1000)
            assert int(code) == ExitCode.DISK
        case _:
            pytest.fail(f"a class that this test does not know: {class_}")


def test_every_format_is_described() -> None:
    assert [names for names, _ in items(section(manual("exports"), "Formats"))] == [[name] for name in FORMATS]


def _rooms() -> dict[str, set[str]]:
    """The rooms of the architecture with the libraries that they have in brackets."""
    found = re.findall(r"^- `(\w+)/`(?: \(([^)]*)\))?:", section(ARCHITECTURE, "The rooms"), re.MULTILINE)
    return {room: set(libraries.split(", ")) - {""} for room, libraries in found}


def test_every_room_is_described_in_the_order_of_the_layers() -> None:
    rooms = [path.parent.name for path in (ROOT / "oidl").glob("*/__init__.py")]
    assert sorted(_rooms()) == sorted(rooms)
    layers = next(each["layers"] for each in _contracts() if each["type"] == "layers")
    level = {name.strip().removeprefix("oidl."): at for at, names in enumerate(layers) for name in names.split("|")}
    levels = [level[room] for room in _rooms()]
    assert levels == sorted(levels)


def test_the_rooms_have_the_libraries_that_they_may_import() -> None:
    allowed: dict[str, set[str]] = {}
    for contract in _contracts():
        for importer in contract.get("allowed_importers", ()):
            allowed.setdefault(importer.removeprefix("oidl."), set()).update(contract["protected_modules"])
    assert {room: libraries for room, libraries in _rooms().items() if libraries} == allowed


def _contracts() -> list[dict[str, Any]]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert isinstance(contracts, list)
    return contracts


def test_the_life_of_an_image_is_told_as_it_is() -> None:
    text = " ".join(section(ARCHITECTURE, "The life of an image").split())
    told = set()
    for event, before, after, writer in re.findall(r"- ([^→]+): ([^:→]+) → `(\w+)` \(`([\w.]+)`\)", text):
        told |= {(event, word.strip(" `"), after, writer) for word in before.split(",")}
    assert told == {(step.event, step.before or "new", step.after, step.writer) for step in LIFE}


def test_where_a_change_goes_names_files_that_exist() -> None:
    text = section(ARCHITECTURE, "Where a change goes")
    named = [name for name in words_in_code(text) if re.search(r"/$|\.(py|md|toml)$", name)]
    places = (ROOT, ROOT / "oidl", ROOT / "oidl/manual")
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


def test_no_code_but_that_of_the_demo_knows_a_mirror_by_name() -> None:
    for path in (ROOT / "oidl").rglob("*.py"):
        if not path.is_relative_to(ROOT / "oidl/demo"):
            quoted = set(re.findall(r"['\"]([^'\"\n]*)['\"]", path.read_text("utf-8")))
            assert quoted.isdisjoint(built_in_mirrors()), path


def test_the_mirror_in_the_manual_is_one_that_a_catalogue_takes(tmp_path: Path) -> None:
    (table,) = code_blocks(manual("sources"), "toml")
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text((ROOT / "oidl/dataset/catalogue.toml").read_text("utf-8") + table, "utf-8")
    version = find_version(read_catalogue(catalogue), None)
    assert tuple(version.mirrors) == (*built_in_mirrors(), "mine")
    run_options(shlex.split("run --source original,mine")).check(version)


def test_every_measurement_is_in_the_figures() -> None:
    named = set(re.findall(r"`python -m bench ([a-z]+)", read("bench/README.md")))
    assert named == {module.__name__.rpartition(".")[2] for module in _MEASUREMENTS}
