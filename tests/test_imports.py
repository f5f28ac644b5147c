"""Imports of many modules: the garbage collector waits, never looks at them, and is then as it was."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oidl.imports import importing

MODULE = "a_module_that_looks_at_the_collector"


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
    with importing():
        __import__(MODULE)
    assert sys.modules[MODULE].WAS_ENABLED is False
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_what_is_imported_already_is_not_left_out_once_more() -> None:
    __import__(MODULE)
    with importing():
        __import__(MODULE)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0  # garbage between two runs in one process would stay for ever


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with importing():
        __import__(MODULE)
    assert not gc.isenabled()


def test_an_import_that_fails_leaves_the_collector_on() -> None:
    with pytest.raises(ImportError), importing():
        __import__("a_module_that_is_not_there")
    assert gc.isenabled()
