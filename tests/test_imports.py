"""Imports of many modules: the garbage collector waits, never looks at them, and is on after it."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oidl.imports import importing

MODULE = "a_module_that_looks_at_the_collector"
HOST = """
import gc, sys, weakref
from oidl.cli import main

class Node:
    pass

node = Node()
node.itself = node
is_alive = weakref.ref(node)
main(["--version"])
main(["run", "--dry-run", "--root-dir", sys.argv[1], "--images-csv", "none.csv"])
del node
gc.collect()
print(is_alive() is None, gc.isenabled(), gc.get_freeze_count())
"""
PROGRAM = """
import gc, sys
from oidl.cli import main
module = sys.argv.pop(1)
main()
names = sys.modules[module].__dict__
print(gc.isenabled(), any(each is names for each in gc.get_objects()))
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module that notes whether the collector runs while it is imported, and the collector as before after it."""
    (tmp_path / f"{MODULE}.py").write_text("import gc\n\nWAS_ENABLED = gc.isenabled()\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    gc.unfreeze()
    yield
    gc.enable()
    gc.unfreeze()
    sys.modules.pop(MODULE, None)


def test_the_collector_waits_for_imports_and_then_leaves_them_out() -> None:
    with importing(has_own_process=True):
        __import__(MODULE)
    assert sys.modules[MODULE].WAS_ENABLED is False
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_it_is_on_after_an_import_that_fails() -> None:
    with pytest.raises(ImportError), importing(has_own_process=True):
        __import__("a_module_that_is_not_there")
    assert gc.isenabled()


@pytest.mark.parametrize("function", ["disable", "freeze"])
def test_it_is_on_after_a_ctrl_c_at_any_instant(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = getattr(gc, function)

    def interrupted() -> None:
        real()
        raise KeyboardInterrupt

    monkeypatch.setattr(gc, function, interrupted)
    with pytest.raises(KeyboardInterrupt), importing(has_own_process=True):
        pass
    assert gc.isenabled()


def printed(program: str, *arguments: str) -> list[str]:
    ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return ended.stdout.splitlines()


def test_objects_of_a_program_that_calls_the_command_line_can_still_be_collected(tmp_path: Path) -> None:
    assert printed(HOST, str(tmp_path))[-1] == "True True 0"


@pytest.mark.parametrize(
    ("module", "arguments"),
    [("oidl.cli.app", ["--version"]), ("oidl.cli.running", ["run", "--dry-run", "--images-csv=none.csv"])],
)
def test_what_a_command_imported_is_not_searched_again(module: str, arguments: list[str], tmp_path: Path) -> None:
    root = [f"--root-dir={tmp_path}"] if "run" in arguments else []
    assert printed(PROGRAM, module, *arguments, *root)[-1] == "True False"
