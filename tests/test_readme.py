"""The README: short, with the requirements of its jobs, and the command that `.ci/run` runs."""

import re
import shlex
import shutil
import subprocess
import tomllib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pages import ROOT, commands, manual, read, section, table_rows
from typed import run_options

from oidl.cli.commands.help import PAGES
from oidl.cli.options.paths import PathOptions
from oidl.dataset.catalogue import find_version, read_catalogue
from oidl.pipeline.forecast import make_forecast
from oidl.progress.format import duration, size
from oidl.state.database import open_empty

README = read("README.md")


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 180
    assert len(README.encode()) <= 10_000


def test_it_leads_to_every_page_of_the_manual() -> None:
    links = set(re.findall(r"\]\(([^)]+\.md)\)", README))
    elsewhere = {"schema": "migrations/README.md", "figures": "bench/README.md", "architecture": "oidl/README.md"}
    assert {elsewhere.get(name, f"oidl/manual/{name}.md") for name in PAGES} <= links


def test_its_jobs_are_jobs_of_the_manual() -> None:
    jobs = commands(section(README, "Jobs"))
    assert set(jobs) <= set(commands(manual("jobs")))
    assert all("--root-dir" in job for job in jobs)


def test_its_jobs_take_what_a_dry_run_says_and_the_small_ones_come_first(tmp_path: Path) -> None:
    text = section(README, "Jobs")
    jobs = [command for command in commands(text) if command.startswith("oidl run")]
    version = find_version(read_catalogue(None), None)
    downloads = []
    for command, (_, *cells) in zip(jobs, list(table_rows(text))[1:], strict=True):
        options = replace(run_options(shlex.split(command)[1:]), paths=PathOptions(root_dir=tmp_path))
        with closing(open_empty(tmp_path / "none")) as db:
            found = make_forecast(db, options.settings(version.directory), version)
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
        downloads.append(found.bytes)
    assert downloads == sorted(downloads)


def test_the_test_command_runs_all_tests_also_slow_ones() -> None:
    command = re.search(r"<!-- test command -->\n```sh\n(.*)\n```", README)
    assert command is not None
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["addopts"]
    assert not {"-m", "-k", "--ignore", "--deselect"} & {*command[1].partition("pytest")[2].split(), *options.split()}


def test_ci_run_prints_the_slowest_tests(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "README.md").write_text(
        "<!-- test command -->\n```sh\necho $PYTEST_ADDOPTS\n```\n<!-- /test command -->\n"
    )
    ended = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "--durations=15" in ended.stdout.splitlines()[-1]


@pytest.mark.parametrize(("command", "code"), [("echo ran it", 0), ("echo ran it && false", 1)])
def test_ci_runs_the_test_command_and_ends_as_it_does(command: str, code: int, tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    marked = re.compile(r"(<!-- test command -->\n```sh\n)(.*)(\n```\n<!-- /test command -->)")
    assert marked.search(README)
    (tmp_path / "README.md").write_text(marked.sub(rf"\g<1>{command}\g<3>", README), "utf-8")
    ended = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, f"+ {command}\nran it\n", "")
