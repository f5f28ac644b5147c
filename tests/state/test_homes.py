"""Where files of renditions may lie, by the renditions and by what runs were told."""

import json
from pathlib import Path

import pytest
from builders import THUMB

from oidl.model import Rendition
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.homes import Home, read_homes
from oidl.state.ledger import Ledger

HERE = Layout(Path("/data"), "2017_11")
SMALL = {"name": "small", "directory": "small", "mode": "FillCrop", "box_size": 64, "format": "png"}


def settings(directory: str, root_dir: str = "/data", **more: object) -> dict[str, object]:
    originals = {"sources": ["original", "300k"], "save": True, "directory": directory}
    layout = {"root_dir": root_dir, "version_dir": "2017_11", "prefix_dirs": True}
    return {"layout": layout, "originals": originals, "renditions": [SMALL]} | more


def directories(db: StateConnection, name: str) -> set[tuple[str, str]]:
    homes = read_homes(db, HERE)
    return {(str(home.layout.root_dir), home.rendition.directory) for home in homes if home.rendition.name == name}


def test_a_rendition_has_its_directory(db: StateConnection) -> None:
    Ledger(db).register([THUMB])
    assert read_homes(db, HERE) == {Home(Rendition("thumbs", "thumbs", THUMB.mode, format="jpg"), HERE)}


def test_earlier_runs_may_have_been_told_another_one_or_another_root(db: StateConnection) -> None:
    ledger = Ledger(db)
    ledger.register([Rendition("original", "/large")])
    for each in (settings("/small"), settings("/large"), settings("/large"), settings("/large", "/before")):
        ledger.open_run(each)
    assert directories(db, "original") == {("/data", "/small"), ("/data", "/large"), ("/before", "/large")}
    assert directories(db, "300k") >= {("/data", "/small-300k")}
    assert directories(db, "small") == {("/data", "small"), ("/before", "small")}


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[1]",
        "null",
        "{}",
        json.dumps(settings("/small", originals=None)),
        json.dumps(settings("/small", originals=[1])),
        json.dumps(settings("/small", originals={"sources": 3, "save": 1, "directory": "x"})),
        json.dumps(settings("/small", renditions=[{"name": ["odd"]}])),
        json.dumps(settings("/small", renditions=[SMALL | {"mode": "Odd"}])),
        json.dumps(settings("/small", renditions=3)),
        json.dumps(settings("/small", layout="x")),
    ],
)
def test_settings_that_cannot_be_read_have_none(db: StateConnection, text: str) -> None:
    Ledger(db).open_run({})
    db.execute("UPDATE run SET settings = ?", (text,))
    assert read_homes(db, HERE) == frozenset()
