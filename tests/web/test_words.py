"""The page's words for numbers are those of the command line."""

import json
import random
import shutil
import subprocess
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

from oidl.progress.words import duration, size
from oidl.report.words import share

_SCRIPT = """
import { readFileSync } from "node:fs";
import { duration, share, size } from "./words.mjs";
const given = JSON.parse(readFileSync(0, "utf-8"));
console.log(JSON.stringify({
    size: given.size.map(size), duration: given.duration.map(duration), share: given.share.map((one) => share(...one)),
}));
"""


@pytest.fixture
def node() -> str:
    """The path of a JavaScript engine; playwright brings one."""
    brought = find_spec("playwright")
    own = Path(brought.origin).parent / "driver" / "node" if brought and brought.origin else None
    found = str(own) if own and own.is_file() else shutil.which("node")
    if not found:
        pytest.skip("no node: `uv sync` brings one with playwright")
    return found


def test_sizes_times_and_shares_are_the_same_on_the_page(node: str, tmp_path: Path) -> None:
    chance = random.Random(16)
    edges = [
        unit * factor for unit in (1, 1000, 10**6, 10**9, 10**12) for factor in (1, 99.95, 100, 999.4, 999.5, 999.95)
    ]
    sizes = [0, 999, 12_250, 12_350, 102_500, 999_499, 999_500, *map(int, edges)]
    sizes += [chance.randrange(10 ** chance.randint(1, 14)) for _ in range(2000)] + [250 * n for n in range(400, 800)]
    durations = [0, 0.5, 1.5, 2.5, 59.5, 60.5, 3599.5, 86_399.5, 1e6, *(chance.random() * 1e5 for _ in range(500))]
    shares = [
        (0, 5),
        (5, 5),
        (0, 0),
        (1, 9_178_275),
        (9_178_274, 9_178_275),
        (1, 400),
        (3, 400),
        *((n, 997) for n in range(997)),
    ]
    text = files("oidl.web").joinpath("static/words.js").read_text("utf-8")
    (tmp_path / "words.mjs").write_text(text, "utf-8")
    (tmp_path / "compare.mjs").write_text(_SCRIPT, "utf-8")
    given = json.dumps({"size": sizes, "duration": durations, "share": shares})
    answered = subprocess.run([node, tmp_path / "compare.mjs"], input=given, capture_output=True, text=True, check=True)
    said = json.loads(answered.stdout)
    assert dict(zip(sizes, said["size"], strict=True)) == {each: size(each) for each in sizes}
    assert said["duration"] == [duration(each) for each in durations]
    assert said["share"] == [share(*each) for each in shares]
    assert size(999_950_000) == "1.0 GB"
