"""All bad servers at once: the run ends by itself, and every failed try and every image has its own reason."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from oidl.demo.listing import make_demo
from oidl.demo.scenarios import HOSTILE

# The failed tries of one image, in order; there are three at most.
TRIES = {
    "fine": [],
    "drip once": ["too_slow"],
    "stall once": ["timeout"],
    "stall for good": ["timeout"] * 3,
    "cut once": ["connection"],
    "cut and continued": [],
    "reset once": ["connection"],
    "garbage once": ["connection"],
    "broken twice": ["http_error"] * 2,
    "busy once": ["rate_limited"],
    "endless": ["too_large"] * 3,  # what may be the path's is tried again, some time apart
}


@pytest.fixture
def zoo(served: Callable, base_urls: list[str], tmp_path: Path):
    return served(make_demo(tmp_path / "zoo", version="3", base_urls=base_urls, images=100, scenarios=HOSTILE))


def test_a_run_among_bad_servers_ends_by_itself_with_every_reason_right(
    zoo, oidl, root: Path, ask, tree, exported_as_published
) -> None:
    assert sum(scenario.share for scenario in HOSTILE[1:]) == pytest.approx(0.2)
    process = oidl.process(  # which is waited for only so long
        "run",
        f"--root-dir={root}",
        f"--catalogue={zoo.catalogue}",
        "--nodownload-metadata",
        "--noresize-images",
        "--save-original-images",
        "--connect-timeout=2",
        "--stall-timeout=1.5",
        "--min-speed=100000",
        "--max-retries=3",
        "--max-wait=10",
    )
    assert (process.returncode, process.stderr) == (3, "")

    tries: dict[str, list[str]] = defaultdict(list)
    for image_id, reason in ask("SELECT image_id, reason FROM attempt ORDER BY id"):
        tries[image_id].append(reason)
    expected = {listed.image.image_id: (listed.scenario.name, TRIES[listed.scenario.name]) for listed in zoo.images}
    assert {image_id: (name, tries[image_id]) for image_id, (name, _) in expected.items()} == expected

    rows = ask("SELECT image_id, status, reason FROM download")
    assert {image_id: (status, reason) for image_id, status, reason in rows} == {
        listed.image.image_id: (listed.expected_status.value, listed.expected_reason and listed.expected_reason.value)
        for listed in zoo.images
    }
    on_disk = tree(root)
    for image_id, path in ask("SELECT image_id, path FROM file"):
        (served,) = [listed for listed in zoo.images if listed.image.image_id == image_id]
        assert on_disk[path] == zoo.site.answers[zoo.path_of(served)].body.read_bytes()
    continued = {zoo.path_of(listed) for listed in zoo.images if listed.scenario.name == "cut and continued"}
    assert {path for path, status in zoo.site.log if status == 206} == continued
    exported_as_published(zoo)
