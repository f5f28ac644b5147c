"""A database is read once to be in memory, unless it would fill that."""

import os
from pathlib import Path

import pytest

from oidl.state.warm import warm_up


def test_a_database_is_read_unless_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "oidl.sqlite3"
    assert not warm_up(path)
    path.write_bytes(bytes(3 << 20))
    assert warm_up(path)
    monkeypatch.setattr(os, "sysconf", lambda name: 4096 if name == "SC_PAGE_SIZE" else 3 << 8)
    assert not warm_up(path)
