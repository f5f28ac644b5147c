"""A demo's list in V3: real archives of real rows, with photos as published unless the scenario differs."""

import base64
import csv
import hashlib
import io
import tarfile
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from oidl.dataset.catalogue import read_catalogue
from oidl.dataset.rows import ReadReport, read_images
from oidl.demo.archives import SUBSETS
from oidl.demo.listing import Demo, DemoImage, make_demo
from oidl.demo.scenarios import FINE, REALISTIC, assign
from oidl.demo.site import CannedResponse, ServerFault
from oidl.imaging.inspect import Picture, decode_check, inspect
from oidl.model import Reason, Status

BASE_URLS = ("http://127.0.0.1:8001", "http://127.0.0.1:8002")
CHANGED = {Reason.MD5_MISMATCH, Reason.SIZE_MISMATCH}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(directory: Path) -> Demo:
    return make_demo(directory, version="3", base_urls=BASE_URLS, images=60)


def members(directory: Path, name: str) -> dict[str, str]:
    with tarfile.open(directory / "2017_11" / name) as tar:
        files = {member.name: tar.extractfile(member) for member in tar}
        return {path: file.read().decode() for path, file in files.items() if file is not None}


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3].partition("?")[0]


def answer(demo: Demo, listed: DemoImage) -> CannedResponse:
    return demo.site.answers[path_of(listed.image.original_url)]


def body(answer: CannedResponse) -> bytes:
    if isinstance(answer.body, Path):
        return answer.body.read_bytes()
    return answer.body if isinstance(answer.body, bytes) else answer.body()


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def test_every_fate_has_its_share() -> None:
    counts = Counter(scenario.name for scenario in assign(300))
    assert counts.keys() == {scenario.name for scenario in REALISTIC}
    assert counts["fine"] / 300 == pytest.approx(0.78, abs=0.02)
    failed = sum(counts[scenario.name] for scenario in REALISTIC if scenario.status is Status.FAILED)
    assert failed / 300 == pytest.approx(1 / 6, abs=0.02)


def test_a_few_images_can_all_be_fine() -> None:
    assert assign(4, (FINE,)) == [FINE] * 4
    assert len(assign(4)) == 4


def test_the_list_reads_back_as_the_images_it_was_made_of(demo: Demo, directory: Path) -> None:
    skipped = ReadReport()
    every = frozenset(SUBSETS)
    found = []
    for name, text in members(directory, "images_demo.tar.gz").items():
        lines = io.StringIO(text, newline="")
        found += read_images(lines, name=name, subsets=every, known_subsets=every, skipped=skipped)
    assert skipped.bad == 0
    assert sorted(found) == [listed.image for listed in demo.images]
    assert Counter(image.subset for image in found).keys() == every


def test_the_catalogue_leads_to_the_archives(demo: Demo, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(demo.catalogue_toml)
    version = read_catalogue(tmp_path / "catalogue.toml")["3"]
    assert len(tomllib.loads(demo.catalogue_toml)["version"]["3"]["files"]) == len(version.files) == 3
    for archive in version.files:
        packed = body(demo.site.answers[path_of(archive.url)])
        assert (archive.bytes, archive.md5) == (len(packed), hashlib.md5(packed).hexdigest())
        assert packed[4:8] == bytes(4), "a time in the gzip header would make another archive every second"
        assert archive.url.startswith(BASE_URLS[0])
        assert all(name.startswith(version.directory + "/") for name in members(directory, archive.name))


def test_the_annotations_are_of_the_listed_images_and_classes(demo: Demo, directory: Path) -> None:
    classes = dict(csv.reader(members(directory, "classes_demo.tar.gz").popitem()[1].splitlines()))
    by_subset = members(directory, "annotations_human_demo.tar.gz")
    rows = [row for text in by_subset.values() for row in csv.DictReader(text.splitlines())]
    assert {row["ImageID"] for row in rows} == {listed.image.image_id for listed in demo.images}
    assert {row["LabelName"] for row in rows} <= classes.keys()


def test_photos_are_the_published_bytes_unless_they_were_changed(demo: Demo) -> None:
    served = [listed for listed in demo.images if isinstance(answer(demo, listed).body, Path)]
    assert len(served) > 40
    for listed in served:
        photo = body(answer(demo, listed))
        assert (listed.image.original_size, listed.image.original_md5) == (len(photo), md5(photo))
        picture = inspect(photo)
        assert isinstance(picture, Picture)
        failure = decode_check(picture)
        assert (failure and failure.reason) == (Reason.CORRUPT if listed.expected_reason is Reason.CORRUPT else None), (
            listed
        )


def test_a_changed_photo_is_still_a_whole_picture(demo: Demo) -> None:
    changed = [listed for listed in demo.images if listed.expected_reason in CHANGED]
    assert {listed.expected_reason for listed in changed} == CHANGED
    for listed in changed:
        photo = body(answer(demo, listed))
        is_same_size = len(photo) == listed.image.original_size
        assert is_same_size == (listed.expected_reason is Reason.MD5_MISMATCH)
        assert md5(photo) != listed.image.original_md5
        picture = inspect(photo)
        assert isinstance(picture, Picture)
        assert decode_check(picture) is None


STATUSES = {
    "unavailable": [302],
    "not found": [404],
    "gone": [410],
    "forbidden": [403],
    "moved": [302, 200],
    "broken twice": [500, 500, 200],
    "busy once": [429, 200],
}
FIRST_BEHAVIOURS = {
    "endless": ServerFault.ENDLESS,
    "no length": ServerFault.CHUNKED,
    "slow": ServerFault.SLOW,
    "cut once": ServerFault.CUT,
    "cut and continued": ServerFault.CUT,
    "reset once": ServerFault.RESET,
    "garbage once": ServerFault.GARBAGE,
}


@pytest.mark.parametrize("scenario", REALISTIC, ids=lambda scenario: scenario.name)
def test_the_server_shows_each_scenario_as_the_table_says(demo: Demo, scenario: object) -> None:
    listed = next(listed for listed in demo.images if listed.scenario == scenario)
    steady = answer(demo, listed)
    statuses = STATUSES.get(listed.scenario.name, [200])
    shown = [*steady.first, steady]
    assert [reply.status for reply in shown][-len(statuses) :] == statuses
    assert shown[0].behaviour is FIRST_BEHAVIOURS.get(listed.scenario.name, ServerFault.NORMAL)
    if listed.expected_status is Status.DONE:
        assert md5(body(steady)) == listed.image.original_md5
        assert steady.behaviour not in (ServerFault.CUT, ServerFault.RESET, ServerFault.GARBAGE, ServerFault.ENDLESS)


def test_thumbnails_are_gone_with_their_photos_and_otherwise_made_when_asked_for(demo: Demo) -> None:
    for listed in demo.images[:30]:
        if not listed.image.thumbnail_300k_url:
            continue
        thumbnail = demo.site.answers[path_of(listed.image.thumbnail_300k_url)]
        if listed.scenario.covers_thumbnail:
            assert thumbnail.status in (302, 403, 404, 410)
        else:
            picture = inspect(body(thumbnail))
            assert isinstance(picture, Picture)
            assert max(picture.width, picture.height) <= 640


def test_images_are_spread_over_the_hosts(demo: Demo) -> None:
    hosts = Counter(listed.image.original_url.split("/")[2] for listed in demo.images)
    assert len(hosts) == 2
    assert min(hosts.values()) > 15


@pytest.mark.parametrize("version", ["3", "7"])
def test_the_same_seed_makes_the_same_demo(version: str, tmp_path: Path) -> None:
    def made(name: str, seed: int) -> Demo:
        return make_demo(tmp_path / name, version=version, base_urls=BASE_URLS, images=5, seed=seed, scenarios=(FINE,))

    one, same, other = made("one", 1), made("same", 1), made("other", 2)
    assert one.images == same.images != other.images
    assert one.catalogue_toml == same.catalogue_toml != other.catalogue_toml


def test_a_server_that_runs_already_gets_the_answers(demo: Demo, tmp_path: Path) -> None:
    again = make_demo(tmp_path, base_urls=BASE_URLS, images=1, scenarios=(FINE,), site=demo.site)
    assert again.site is demo.site
    assert path_of(again.images[0].image.original_url) in demo.site.answers
