"""`oidl check-licenses` against a loopback Flickr with every fate, with trouble, and with kills."""

import json
import signal
import subprocess
import tarfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from builders import image

from oidl.demo.licenses import FATES, SAME, TROUBLE, LicenseFate, license_answers, license_fate
from oidl.demo.site import CannedResponse, ServerFault, Site, status_answer
from oidl.model import CheckSource, Image, Verdict, license_of_url
from oidl.pipeline.license_checks import most_in_flight
from oidl.state.database import connect_writer
from oidl.state.load import ImageList, load_list

QUICK = ("--of=all", "--requests-per-second=1000", "--check-timeout=0.4")
KEY = "0123456789abcdefSECRET"
WITH_KEY = {"OIDL_FLICKR_API_KEY": KEY}
PORTAL = CannedResponse(b"<html>Welcome to the hotel</html>", content_type="text/html")


class TimedSite(Site):
    """A site that knows when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def answer(self, path: str, now: float) -> CannedResponse:
        self.times.append(time.monotonic())
        return super().answer(path, now)


@pytest.fixture
def photos(served, fine_dataset, root: Path) -> Callable[..., Any]:
    """A root with a list of so many photos, their fates on a server, and what serves them."""

    def make(count: int, fates: tuple[LicenseFate, ...] = (SAME,), *, in_turn: bool = False) -> tuple[Any, list[Image]]:
        images = [image(number, "test" if number % 5 == 0 else "train") for number in range(1, count + 1)]
        root.mkdir()
        with closing(connect_writer(root / "oidl.sqlite3")) as db:
            load_list(db, ImageList("3", "2017_11", "list.csv"), ("train", "test"), images)
        loopback = served(fine_dataset, TimedSite())
        for number, each in enumerate(images):
            chosen = (SAME, replace(fates[number % len(fates)], share=1.0)) if in_turn else fates
            loopback.site.answers |= license_answers(each, chosen)
        return loopback, images

    return make


@pytest.fixture
def check(oidl, root: Path) -> Callable[..., Any]:
    """`oidl check-licenses` in `root`, quickly."""

    def start(loopback: Any, *arguments: object, env: dict[str, str] | None = None) -> Any:
        places = (f"--root-dir={root}", f"--catalogue={loopback.catalogue}")
        given = {str(each).partition("=")[0] for each in arguments}
        quick = [option for option in QUICK if option.partition("=")[0] not in given]
        return oidl("check-licenses", *places, *quick, *arguments, env=env)

    return start


def asked(loopback: Any) -> Counter[str]:
    """How often each photo was asked for, by its number."""
    return Counter(
        {path.rpartition("/")[2]: count for path, count in loopback.site.requests.items() if "/oembed/" in path}
    )


def redirect_services(loopback: Any, before: str, now: str) -> None:
    """Makes the catalogue name another place for what is asked about licences."""
    files, services = loopback.catalogue.read_text().split("[licenses]")
    loopback.catalogue.write_text(f"{files}[licenses]{services.replace(before, now)}")


def number_of(image_id: str) -> str:
    return str(int(image_id, 16))


@pytest.mark.parametrize("source", CheckSource)
def test_each_source_reaches_the_verdict_of_each_fate(source: CheckSource, photos, check, ask) -> None:
    loopback, images = photos(len(FATES), FATES, in_turn=True)
    ended = check(loopback, f"--by={source}", env=WITH_KEY)
    assert ended.returncode == 0, ended
    rows = {row[0]: row[1:] for row in ask("SELECT image_id, verdict, license_id, reason, via FROM license_check")}
    for each, fate in zip(images, FATES, strict=True):
        verdict, license_id, reason, via = rows[each.image_id]
        expected = fate.verdict
        if source is not CheckSource.OEMBED and fate.is_unshareable:
            expected = Verdict.SAME  # only oEmbed is about sharing
        published = license_of_url(each.license)
        now = fate.now if fate.now is not None else published.id if published else None
        assert (verdict, via) == (expected, source), (fate.name, reason)
        assert license_id == (now if expected in (Verdict.SAME, Verdict.CHANGED) else None)
        assert bool(reason) == (expected not in (Verdict.SAME, Verdict.CHANGED))


def test_where_nothing_is_done_it_names_the_option_for_the_whole_list(photos, check, root: Path) -> None:
    loopback, _ = photos(3)
    ended = check(loopback, "--of=done")
    assert ended.returncode == 0
    assert f"no image is done; run `oidl check-licenses --root-dir {root} --of all`" in ended.stdout


def test_a_history_keeps_the_licence_of_the_release_and_its_changes(photos, check, ask) -> None:
    loopback, images = photos(len(FATES), FATES, in_turn=True)
    assert check(loopback, "--by=history", env=WITH_KEY).returncode == 0
    changed = [each for each, fate in zip(images, FATES, strict=True) if fate.verdict is Verdict.CHANGED]
    assert ask("SELECT image_id, changed_at, old_url FROM license_change ORDER BY 1") == [
        (each.image_id, "2018-01-01T00:00:00.000Z", each.license) for each in changed
    ]
    found = ask("SELECT count(*), sum(at_release = published_license) FROM license_verdict WHERE at_release NOTNULL")
    assert found == [(len([fate for fate in FATES if fate.verdict in (Verdict.SAME, Verdict.CHANGED)]) + 1,) * 2]


def test_trouble_with_every_fifth_photo_ends_by_itself_with_the_right_verdicts(photos, check, ask) -> None:
    loopback, images = photos(120, TROUBLE)
    ended = check(loopback, "--progress=none")
    assert ended.returncode == 0, ended
    fates = {each.image_id: license_fate(each, TROUBLE) for each in images}
    assert len({fate.name for fate in fates.values()}) == len(TROUBLE)
    assert dict(ask("SELECT image_id, verdict FROM license_check")) == {
        image_id: fate.verdict for image_id, fate in fates.items()
    }
    tries = asked(loopback)
    assert {fate.name: tries[number_of(image_id)] for image_id, fate in fates.items()} == {
        "same": 1, "busy once": 2, "broken twice": 3, "cut once": 2, "a portal": 3, "slow": 2,
    }  # fmt: skip


@pytest.mark.parametrize("per_s", [8, 40])
def test_the_server_is_never_asked_more_often_than_was_said(per_s: int, photos, check) -> None:
    loopback, _ = photos(2 * per_s)
    assert check(loopback, f"--requests-per-second={per_s}").returncode == 0
    times = loopback.site.times
    assert times[-1] - times[0] >= 0.9 * (len(times) - 1) / per_s  # the first one may be late, because it connects
    late = most_in_flight(per_s)  # a busy machine may see as many at once, which were sent one after the other
    for window_s in (0.5, 1.0):
        most = max(sum(start <= other < start + window_s for other in times) for start in times)
        assert most <= window_s * per_s + late


def test_a_pause_that_the_server_asks_for_is_kept(photos, check) -> None:
    loopback, images = photos(40)
    paths = [path for path in loopback.site.answers if path.endswith(f"/oembed/{number_of(images[20].image_id)}")]
    answer = loopback.site.answers[paths[0]]
    loopback.site.answers[paths[0]] = replace(answer, first=(status_answer(429, retry_after="1"),))
    assert check(loopback).returncode == 0
    times = loopback.site.times
    gaps = [after - before for before, after in pairwise(times)]
    # Those that were on their way already may still arrive.
    assert max(gaps) >= 0.95
    assert sum(gap > 0.9 for gap in gaps) == 1


def test_a_kill_costs_nothing(photos, oidl, root: Path, ask, wait_until) -> None:
    loopback, _ = photos(100)
    arguments = (
        "check-licenses", f"--root-dir={root}", f"--catalogue={loopback.catalogue}", "--of=all",
        "--requests-per-second=50", "--progress=none",
    )  # fmt: skip
    process = oidl.start(*arguments)
    wait_until(lambda: ask("SELECT count(*) FROM license_check")[0][0] >= 20)
    process.kill()
    process.wait()
    before = {image_id for (image_id,) in ask("SELECT image_id FROM license_check")}
    assert 20 <= len(before) < 100
    ended = oidl.end(oidl.start(*arguments))
    assert ended.returncode == 0, ended
    tries = asked(loopback)
    assert all(tries[number_of(image_id)] == 1 for image_id in before)
    assert sum(tries.values()) <= 100 + 50  # what was asked in the last moments
    assert ask("SELECT count(*), count(DISTINCT image_id) FROM license_check") == [(100, 100)]
    assert ask("SELECT sum(images) FROM license_count") == [(100,)]
    assert oidl.end(oidl.start(*arguments)).returncode == 0
    assert asked(loopback) == tries  # nothing is left to ask


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_ends_it_and_it_resumes(signals: int, photos, oidl, root: Path, ask, wait_until) -> None:
    loopback, images = photos(40)
    arguments = (
        "check-licenses", f"--root-dir={root}", f"--catalogue={loopback.catalogue}", "--of=all",
        "--requests-per-second=30", "--check-timeout=60",
    )  # fmt: skip
    path = f"/services/oembed/{number_of(images[9].image_id)}"
    answer = loopback.site.answers[path]
    if signals == 2:  # one answer never comes
        loopback.site.answers[path] = replace(answer, behaviour=ServerFault.STALL)
    process = oidl.start(*arguments)
    wait_until(lambda: loopback.site.requests[path] and len(ask("SELECT 1 FROM license_check")) >= 5)
    process.send_signal(signal.SIGINT)
    if signals == 2:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)  # it waits for that answer
        process.send_signal(signal.SIGINT)
    ended = oidl.end(process)
    assert ended.returncode == 130, ended
    assert "Traceback" not in ended.stderr
    loopback.site.answers[path] = answer
    before = asked(loopback)
    done = {number_of(image_id) for (image_id,) in ask("SELECT image_id FROM license_check")}
    assert done
    assert done == set(before) - ({path.rpartition("/")[2]} if signals == 2 else set())  # what was answered is recorded
    assert oidl.end(oidl.start(*arguments)).returncode == 0
    assert all(asked(loopback)[number] == 1 for number in done)


def test_the_key_is_in_no_file_no_log_and_no_row(photos, oidl, check, root: Path, tmp_path: Path, tree) -> None:
    loopback, _ = photos(20, FATES[:9])
    info = "/services/rest/info"
    echoes = [
        CannedResponse(
            f'<rsp stat="fail"><err code="999" msg="{KEY}"/></rsp>'.encode(),
            first=(CannedResponse(f'<rsp stat="fail"><err code="105" msg="busy {KEY}"/></rsp>'.encode()),),
        ),
        CannedResponse(f'<rsp stat="fail"><err code="999" msg="for {KEY}"/></rsp>'.encode(), content_type="text/xml"),
        CannedResponse(b"", 302, headers={"Location": f"https://elsewhere.example/?api_key={KEY}"}),
        CannedResponse(f"<html>{KEY}</html>".encode()),
        replace(
            loopback.site.answers[f"{info}/5"],
            first=(CannedResponse(f"{info}/1 {KEY} not HTTP".encode(), 999),),  # one: it waits for seconds after each
        ),
    ]
    for number, answer in enumerate(echoes, start=1):
        loopback.site.answers[f"{info}/{number}"] = answer
    said = loopback.site.answers[f"{info}/6"]
    owner = said.body().replace(b'realname=""', f'realname="{KEY}"'.encode())  # type: ignore[operator]
    loopback.site.answers[f"{info}/6"] = CannedResponse(owner, content_type="text/xml")
    log = tmp_path / "check.log"
    texts = []
    for more in (["--by=history"], ["--by=api", "--progress=json", "--again-after=0"]):
        ended = check(loopback, *more, f"--log-file={log}", env=WITH_KEY)
        texts += [ended.stdout, ended.stderr]
    refusal = CannedResponse(f'<rsp stat="fail"><err code="100" msg="Invalid API Key {KEY}"/></rsp>'.encode())
    loopback.site.answers |= {path: refusal for path in loopback.site.answers if path.startswith(info)}
    ended = check(loopback, "--by=api", "--again-after=0", f"--log-file={log}", env=WITH_KEY)
    texts += [ended.stdout, ended.stderr]
    assert "is left for later: Invalid API Key …" in log.read_text("utf-8")
    redirect_services(loopback, "127.0.0.1:", "127.0.0.1:1/")
    down = ["check-licenses", "--by=api", "--check-patience=0.5", "--again-after=0", *QUICK]
    others = [["status"], ["status", "--json"], ["check-licenses", "--help"], ["help", "licenses"]]
    for more in (down, *others, ["check-licenses", "--by=api", "--sample=x"]):
        options = [] if "--help" in more or "help" in more else [f"--root-dir={root}"]
        ended = oidl(*more, *options, env=WITH_KEY)
        texts += [ended.stdout, ended.stderr]
    bad = oidl("check-licenses", f"--root-dir={root}", "--by=api", env={"OIDL_FLICKR_API_KEY": f"{KEY} and more"})
    assert bad.returncode == 2
    texts += [bad.stdout, bad.stderr]
    assert not [text for text in texts if KEY in text]
    assert not [path for path, body in tree(tmp_path).items() if KEY.encode() in body]
    assert any(KEY not in str(path) for path in loopback.site.requests)


def test_without_a_key_it_says_what_to_set(photos, check, oidl, root: Path) -> None:
    loopback, _ = photos(1)
    for source in ("api", "history"):
        ended = check(loopback, f"--by={source}")
        assert ended.returncode == 2
        assert "OIDL_FLICKR_API_KEY" in ended.stderr
    assert not loopback.site.requests
    assert oidl("status", f"--root-dir={root}", env=WITH_KEY).returncode == 0  # it is no unknown option


def test_a_key_that_is_refused_ends_it(photos, check, ask) -> None:
    loopback, images = photos(100)
    for each in images:
        loopback.site.answers[f"/services/rest/info/{number_of(each.image_id)}"] = CannedResponse(
            b'<rsp stat="fail"><err code="100" msg="Invalid API Key (Key has invalid format)" /></rsp>'
        )
    ended = check(loopback, "--by=api", env=WITH_KEY)
    assert ended.returncode == 2
    assert "does not accept the API key" in ended.stderr
    assert sum(loopback.site.requests.values()) < 20
    assert ask("SELECT count(*) FROM license_check") == [(0,)]


def test_a_portal_is_no_answer_about_photos(photos, check, ask) -> None:
    loopback, _ = photos(300)
    for path in loopback.site.answers:
        loopback.site.answers[path] = PORTAL
    ended = check(loopback, "--confirm-after=30")
    assert ended.returncode == 3
    assert "said nothing about the photos: HTML" in ended.stdout
    assert "300 photos left" in ended.stdout
    assert ask("SELECT count(*) FROM license_check") == [(0,)]
    assert sum(loopback.site.requests.values()) < 70


@pytest.mark.parametrize("how", ["throttled", "down"])
def test_it_ends_when_nothing_comes(how: str, photos, check, ask) -> None:
    loopback, _ = photos(30)
    if how == "throttled":
        for path in loopback.site.answers:
            loopback.site.answers[path] = status_answer(429, retry_after="600")
    else:
        redirect_services(loopback, "http://127.0.0.1", "http://127.0.0.9")
    ended = check(loopback, "--check-patience=0.5", "--progress=none")
    assert ended.returncode == 3, ended
    assert "30 photos left" in ended.stdout
    assert ask("SELECT count(*) FROM license_check") == [(0,)]
    if how == "throttled":
        assert sum(loopback.site.requests.values()) <= 8
        assert ask("SELECT paused_until NOTNULL FROM pace") in ([(1,)], [(0,)])


def test_a_sample_is_the_same_whenever_it_is_drawn(photos, check, ask) -> None:
    loopback, images = photos(60)
    assert check(loopback, "--sample=10", "--seed=7").returncode == 0
    first = ask("SELECT image_id FROM license_check ORDER BY 1")
    assert len(first) == 10
    assert check(loopback, "--sample=10", "--seed=7").returncode == 0
    assert sum(loopback.site.requests.values()) == 10
    assert check(loopback, "--sample=20", "--seed=7").returncode == 0
    assert len(ask("SELECT 1 FROM license_check")) == 20
    assert set(first) < set(ask("SELECT image_id FROM license_check"))
    assert check(loopback, "--sample=10", "--seed=8").returncode == 0
    assert len(ask("SELECT 1 FROM license_check")) > 20
    assert [row[0] for row in first] != [each.image_id for each in images[:10]]


def test_images_are_chosen_as_everywhere(photos, check, ask, tell, tmp_path: Path) -> None:
    loopback, images = photos(30)
    tell("UPDATE download SET status = 'done' WHERE image_id <= ?", images[3].image_id)
    assert check(loopback, "--of=done").returncode == 0
    assert ask("SELECT count(*) FROM license_check") == [(4,)]
    assert check(loopback, "--subset=test").returncode == 0
    assert ask("SELECT count(*) FROM license_check WHERE subset = 'test'") == [(6,)]
    chosen = tmp_path / "ids.txt"
    chosen.write_text(f"{images[20].image_id}\n{images[21].image_id}\n")
    before = ask("SELECT count(*) FROM license_check")[0][0]
    assert check(loopback, f"--image-ids={chosen}", "--license=unchecked").returncode == 0
    assert ask("SELECT count(*) FROM license_check")[0][0] == before + 2
    requests = sum(loopback.site.requests.values())
    assert check(loopback, "--license=same").returncode == 0  # all of them were checked just now
    assert sum(loopback.site.requests.values()) == requests
    assert check(loopback, "--license=same", "--again-after=0").returncode == 0
    assert sum(loopback.site.requests.values()) == requests + before + 2


def test_a_check_is_made_again_when_it_is_old(photos, check, ask, tell) -> None:
    loopback, images = photos(10)
    check(loopback)
    tell("UPDATE license_check SET checked_at = '2020-01-01T00:00:00.000Z' WHERE image_id = ?", images[2].image_id)
    assert check(loopback).returncode == 0
    assert asked(loopback)[number_of(images[2].image_id)] == 2
    assert sum(asked(loopback).values()) == 11
    for age in ("1h", "730000d", "99999999999d", "9" * 400):
        ended = check(loopback, f"--again-after={age}")
        assert ended.returncode == 0, ended
    assert sum(asked(loopback).values()) == 11


def test_progress_is_for_people_and_programs(photos, oidl, check, root: Path) -> None:
    loopback, _ = photos(20, FATES)
    ended = check(loopback, "--progress=json")
    last = json.loads(ended.stderr.splitlines()[-1])
    assert (last["outcome"], last["checked"], last["left"]) == ("finished", 20, 0)
    assert sum(last["by_verdict"].values()) == 20
    assert "checked 20 photos" in ended.stdout
    assert check(loopback, "--progress=full").returncode == 2
    shares = json.loads(oidl("status", f"--root-dir={root}", "--json").stdout)["licenses"]
    assert shares["checked"] == 20


def test_a_photo_without_a_page_on_flickr_is_unknown(photos, check, ask, tell) -> None:
    loopback, images = photos(3)
    tell("UPDATE image SET original_landing_url = 'https://example.org/7' WHERE image_id = ?", images[0].image_id)
    assert check(loopback).returncode == 0
    assert ask("SELECT verdict, reason FROM license_check WHERE image_id = ?", images[0].image_id) == [
        ("unknown", "its published page is not one of a photo on Flickr")
    ]
    assert sum(loopback.site.requests.values()) == 2


def test_the_catalogue_says_what_to_ask(photos, oidl, root: Path) -> None:
    loopback, _ = photos(1)
    text = loopback.catalogue.read_text()
    loopback.catalogue.write_text(text[: text.index("[licenses]")])
    ended = oidl("check-licenses", f"--root-dir={root}", f"--catalogue={loopback.catalogue}", "--of=all")
    assert ended.returncode == 2
    assert "does not name what to ask" in ended.stderr


def test_a_root_remembers_its_catalogue(fine, run, oidl, root: Path, ask) -> None:
    assert run(fine, "--limit=2", "--no-download-metadata").returncode == 0
    ended = oidl("check-licenses", f"--root-dir={root}", "--requests-per-second=1000")
    assert ended.returncode == 0, ended
    assert ask("SELECT count(*) FROM license_check") == [(2,)]


def test_a_run_into_shards_writes_what_is_known_of_licences(fine, run, oidl, root: Path, ask) -> None:
    assert run(fine, "--limit=0", "--no-download-metadata").returncode == 0
    ended = oidl("check-licenses", f"--root-dir={root}", "--of=all", "--sample=6", "--requests-per-second=1000")
    assert ended.returncode == 0, ended
    options = (f"--root-dir={root}", "--output-format=webdataset", "--license=same,changed,unchecked", "--limit=all")
    assert oidl("run", *options).returncode in (0, 3)
    found = {}
    for shard in root.rglob("*.tar"):
        with tarfile.open(shard) as tar:
            for member in tar:
                if member.name.endswith(".json"):
                    facts = json.load(tar.extractfile(member))  # type: ignore[arg-type]
                    found[facts["image_id"]] = facts["license_verdict"], facts["license_now"], facts["license_checked"]
    checks = {row[0]: row[1:] for row in ask("SELECT image_id, verdict, license_url, checked_at FROM license_check")}
    assert len(checks) == 6
    excluded = {image_id for image_id, row in checks.items() if row[0] not in ("same", "changed")}
    assert found.keys() == {image_id for (image_id,) in ask("SELECT image_id FROM download")} - excluded
    for image_id, facts in found.items():
        assert facts == checks.get(image_id, ("", "", ""))
