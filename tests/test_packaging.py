"""A wheel, an sdist and an editable install all work, with only the core dependencies."""

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pages import MANUAL

import oidl
from oidl.cli.commands.help import PAGES, page
from oidl.state.connection import StateConnection

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SQL = sorted(path.name for path in (ROOT / "migrations").glob("[0-9]*.sql"))

WHERE = """
import json, oidl
from oidl.state.schema import migrations
print(json.dumps([oidl.__file__, *map(str, migrations())]))
"""

PAGES_OF_THE_MANUAL = """
import json
from oidl.cli.commands.help import PAGES, page
print(json.dumps([[name, page(name)] for name in PAGES]))
"""

ALL_MODULES_WITHOUT = """
import importlib, json, pkgutil, sys

absent = set(sys.argv[1:])

class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)

sys.meta_path.insert(0, Absent)
import oidl

def needs_the_extra(name):  # "web" and "cluster", which only these modules are for
    is_of_page = name.startswith("oidl.web.") and name not in ("oidl.web.address", "oidl.web.snapshot")
    return is_of_page or name == "oidl.cluster.plugin"

names = [found.name for found in pkgutil.walk_packages(oidl.__path__, "oidl.") if not needs_the_extra(found.name)]
print(json.dumps([importlib.import_module(name).__name__ for name in names]))
"""

MODULES_OF_A_COMMAND = """
import json, sys
from oidl.cli import main
code = main(sys.argv[1:])
print("\\n" + json.dumps([code, *sys.modules]))
"""


def python(code: str, *arguments: object, cwd: Path, path: Path | None = None) -> list[Any]:
    """The JSON list that ends what `code` prints, in a process that looks into `path` before anything else."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OIDL_")}
    environment["PYTHONPATH"] = str(path or "")
    command = [sys.executable, "-P", "-W", "error", "-c", code, *map(str, arguments)]
    ended = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    values = json.loads(ended.stdout.splitlines()[-1])
    assert isinstance(values, list)
    return values


def build(kind: str, source: Path, destination: Path) -> Path:
    """A wheel or sdist of `source`, built without isolation and so without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(destination)]
    ended = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (built,) = destination.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    packed = build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))
    destination = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(packed) as tar:
        tar.extractall(destination, filter="data")
    (directory,) = destination.iterdir()
    return directory


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as packed:
        return set(packed.namelist())


def test_the_wheel_has_what_the_program_needs_and_nothing_else(wheel: Path) -> None:
    names = names_in(wheel)
    assert {f"oidl/migrations/{name}" for name in SQL} <= names
    assert {"oidl/dataset/catalogue.toml", "oidl/py.typed", "oidl/cli/app.py"} <= names
    assert {"oidl/report/base.css", "oidl/report/report.css", "oidl/web/static/index.html"} <= names
    static = {f"oidl/web/static/{path.name}" for path in (ROOT / "oidl/web/static").glob("*.*")}
    assert len(static) >= 8
    assert static <= names
    assert set(MANUAL) <= names
    assert {name.partition("/")[0] for name in names} == {"oidl", f"oidl-{oidl.__version__}.dist-info"}


def test_an_installed_wheel_finds_its_migrations(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(installed)
    package, *migrations = python(WHERE, cwd=tmp_path, path=installed)
    assert Path(package) == installed / "oidl/__init__.py"
    assert [Path(path) for path in migrations] == [installed / "oidl/migrations" / name for name in SQL]


def test_an_installed_wheel_shows_every_page_of_the_manual(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(installed)
    assert python(PAGES_OF_THE_MANUAL, cwd=tmp_path, path=installed) == [[name, page(name)] for name in PAGES]


def test_an_editable_install_finds_those_of_the_checkout(tmp_path: Path) -> None:
    package, *migrations = python(WHERE, cwd=tmp_path)
    assert Path(package) == ROOT / "oidl/__init__.py"
    assert [Path(path) for path in migrations] == [ROOT / "migrations" / name for name in SQL]


def test_a_wheel_built_from_the_sdist_is_the_same(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    assert names_in(build("wheel", sdist, tmp_path / "again")) == names_in(wheel)


def test_the_sdist_has_the_tests_and_the_bench_too(sdist: Path) -> None:
    for name in (
        "README.md",
        "LICENSE",
        "uv.lock",
        ".ci/run",
        "tests/conftest.py",
        "bench/__main__.py",
        "pyproject.toml",
    ):
        assert (sdist / name).is_file(), name


def test_every_module_can_do_without_the_development_tools(tmp_path: Path) -> None:
    names = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["dev"]
    distributions = [name.partition(">=")[0] for name in names]
    modules = [{"import-linter": "importlinter", "pillow": "PIL"}.get(name, name) for name in distributions]
    imported = python(ALL_MODULES_WITHOUT, *modules, cwd=tmp_path)
    needing = {path.stem for path in (ROOT / "oidl/web").glob("*.py")} - {"__init__", "address", "snapshot"}
    needing.add("cluster/plugin")
    assert len(imported) == sum(1 for _ in (ROOT / "oidl").rglob("*.py")) - 1 - len(needing)


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["status", "--json"], ["status"]])
def test_what_must_feel_instant_leaves_the_heavy_libraries_alone(
    command: list[str], loaded_db: StateConnection
) -> None:
    code, *modules = python(MODULES_OF_A_COMMAND, *command, cwd=loaded_db.path.parent)
    assert code == 0
    assert not {"httpx", "pyvips", "trio", "tarfile"} & set(modules)
