"""One life of a node, by what it is sent and what it answers: a real node in a thread, and a real server."""

import base64
import hashlib
import logging
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
from builders import THUMB, job

from oidl.cluster.host import NodeHost
from oidl.cluster.protocol import REPORTED, Answer, Exchange, Timing
from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, Site, status_answer
from oidl.errors import DiskError
from oidl.imaging.photo import photo
from oidl.model import Done, Failure, Job, OpenShard, Reason, Rendition, ResizeMode, StoreKind
from oidl.model.outcomes import Published
from oidl.node.frames import Call, Reply
from oidl.node.machine import NodeSettings
from oidl.settings import FileNames, Imaging, Layout, NetworkSettings, SourceSettings, WorkerSettings
from oidl.storage.shards.files import create_shard
from oidl.storage.staging import open_staging

BODY = photo(1, 120, 90)
MD5 = base64.b64encode(hashlib.md5(BODY).digest()).decode()
TAR = Rendition("tars", "tars", ResizeMode.FILL_CROP, 64, "jpg", store=StoreKind.WEBDATASET)
SHARD = "v/train/tars/train-000000.tar"


@dataclass(frozen=True)
class Quick(Timing):
    """A node answers soon, but ends only after 20 s of silence."""

    wait_s = 0.05  # type: ignore[assignment]


@dataclass
class Life:
    """A node, and the coordinator's side of its exchanges."""

    root: Path
    timing: Timing = field(default_factory=Quick)
    connections: int = 20
    layout: dict[str, Any] = field(default_factory=dict)
    processes: int = 1
    site: Site = field(default_factory=Site)
    gate: threading.Event = field(default_factory=threading.Event)  # bodies at /slow/ wait for it
    results: dict[str, Any] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    number: int = 0
    urls: list[str] = field(default_factory=list)  # two hosts, each of which is asked for eight at once at first

    def __post_init__(self) -> None:
        workers = WorkerSettings(
            0,
            NetworkSettings(self.connections, self.connections),
            Layout(self.root, "v", **self.layout),
            SourceSettings(),
            Imaging(),
            1,
            "token",
            fence="life",
        )
        open_staging([self.root / "v" / "train" / "thumbs"], "token", "life")
        self.host = NodeHost("life", NodeSettings(workers, self.processes, 1.0), self.timing)

    def job(self, number: int, *renditions: Rendition, is_slow: bool = False, is_gone: bool = False) -> Job:
        path = f"/{'slow' if is_slow else 'photos'}/{number}_0a1b2c_o.jpg"
        slow = CannedResponse(lambda: BODY if self.gate.wait(20) else b"")
        self.site.answers[path] = status_answer(410) if is_gone else slow if is_slow else CannedResponse(BODY)
        return job(
            number,
            renditions or (THUMB,),
            original_url=f"{self.urls[number % 2]}{path}",
            original_size=len(BODY),
            original_md5=MD5,
            published=Published("license", "author", "profile", "title", "page", -1),
        )

    async def exchange(self, *jobs: Job, **changes: Any) -> Answer:
        """The next exchange; its results are noted, each once."""
        self.number += 1
        answer = await self.send(Exchange(self.number, jobs, **changes))
        self.answers.append(answer)
        self.note(answer)
        return answer

    async def send(self, exchange: Exchange) -> Answer:
        return await trio.to_thread.run_sync(self.host.exchange, exchange)

    def note(self, answer: Answer) -> None:
        for each in answer.results:
            assert each.image_id not in self.results
            self.results[each.image_id] = each.result

    async def until(self, ready: Callable[[], object], **changes: Any) -> None:
        while not ready():
            await self.exchange(**changes)

    @property
    def threads(self) -> list[threading.Thread]:
        return [each for each in threading.enumerate() if each.name == "oidl-node-life"]

    async def has_ended(self) -> bool:
        for thread in self.threads:
            await trio.to_thread.run_sync(thread.join, 5)
        return not self.threads

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


Work = Callable[[Life], Awaitable[None]]


@pytest.fixture
def live(tmp_path: Path) -> Callable[..., Life]:
    """Starts a node with these settings, does `work` with it, and closes it."""

    def live(work: Work, **changes: Any) -> Life:
        life = Life(tmp_path, **changes)

        async def main() -> None:
            with trio.fail_after(20):
                async with trio.open_nursery() as nursery:
                    life.urls = [await nursery.start(serve, life.site) for _ in range(2)]
                    life.host.start()
                    await work(life)
                    life.gate.set()
                    nursery.cancel_scope.cancel()

        try:
            trio.run(main)
        finally:
            life.gate.set()
            life.host.close()
        assert not life.threads
        return life

    return live


def ids(*numbers: int) -> list[str]:
    return [job(number).image_id for number in numbers]


def test_it_does_its_jobs_and_stages_their_files(live) -> None:
    async def work(life: Life) -> None:
        await life.exchange(life.job(1), life.job(2, is_gone=True))
        await life.until(lambda: len(life.results) == 2)

    life = live(work)
    one, two = (life.results[each] for each in ids(1, 2))
    assert isinstance(one, Done)
    assert isinstance(two, Failure)
    assert two.reason is Reason.GONE
    [(name, body)] = life.files().items()
    assert body.startswith(b"\xff\xd8")
    assert name != one.files[0].path
    assert sum(each.report.bytes_read for each in life.answers) >= len(BODY)
    assert life.answers[-1].report.in_progress == 0


def test_an_exchange_that_arrives_twice_has_the_same_answer_and_does_nothing_else(live) -> None:
    async def work(life: Life) -> None:
        slow, other = life.job(1, is_slow=True), life.job(2, is_slow=True)
        answers: list[Answer] = []

        async def send(exchange: Exchange) -> None:
            answers.append(await life.send(exchange))

        async with trio.open_nursery() as nursery:  # at the same time, too
            for each in (slow, slow, other):
                nursery.start_soon(send, Exchange(1, (each,)))
        answers.append(await life.send(Exchange(1, (other,))))
        answers.append(await life.send(Exchange(7, (other,))))
        assert all(each == answers[0] for each in answers)
        assert answers[0].report.in_progress == 1
        life.number = 1
        life.gate.set()
        await life.until(lambda: bool(life.results))
        await life.exchange()

    life = live(work)
    assert [*life.results] in (ids(1), ids(2))  # whichever came first
    assert sum(life.site.requests.values()) == 1


def test_without_an_exchange_it_ends_by_itself(live, caplog) -> None:
    async def work(life: Life) -> None:
        await life.exchange()
        assert await life.has_ended()
        assert await life.send(Exchange(2)) == Answer(has_ended=True)

    with caplog.at_level(logging.WARNING, "oidl"):
        live(work, timing=Timing(0.6))
    assert "the node has heard nothing for 0 s, and ends" in caplog.text


def test_exchanges_keep_it_alive(live) -> None:
    async def work(life: Life) -> None:
        await life.exchange(life.job(1, is_slow=True))
        began = trio.current_time()
        while trio.current_time() < began + 1.3 * life.timing.lease_s:
            assert not (await life.exchange()).has_ended
        life.gate.set()
        await life.until(lambda: bool(life.results))

    life = live(work, timing=Timing(3.0))
    assert all(isinstance(each, Done) for each in life.results.values())


def test_a_node_that_drains_finishes_its_transfers_and_gives_the_rest_back(live) -> None:
    async def work(life: Life) -> None:
        await life.exchange(life.job(1, is_slow=True), life.job(3), life.job(5))
        await life.until(lambda: bool(life.site.requests))
        await life.until(lambda: len(life.results) == 2, drains=True)
        assert not life.answers[-1].has_ended
        life.gate.set()
        await life.until(lambda: life.answers[-1].has_ended, drains=True)
        assert await life.has_ended()

    life = live(work, connections=1)
    first, *rest = (life.results[each] for each in ids(1, 3, 5))
    assert isinstance(first, Done)
    assert rest == [None, None]
    assert sum(life.site.requests.values()) == 1


def test_it_ends_when_it_is_asked_to(live) -> None:
    async def work(life: Life) -> None:
        await life.exchange(life.job(1))
        await life.until(lambda: bool(life.results))
        await life.until(lambda: life.answers[-1].has_ended, ends=True)
        assert await life.has_ended()
        assert await life.send(Exchange(99)) == Answer(has_ended=True)

    life = live(work)
    assert life.answers[-1].problem == ""


def test_settings_that_it_cannot_work_with_are_its_problem(live, monkeypatch) -> None:
    async def work(life: Life) -> None:
        await life.until(lambda: life.answers[-1:] and life.answers[-1].has_ended)
        assert life.answers[-1].problem == "SSL_CERT_FILE=/nowhere.pem cannot be used: No such file or directory"

    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    live(work)


def test_a_bug_is_its_problem_too_in_one_line(live, caplog) -> None:
    async def work(life: Life) -> None:
        await life.until(lambda: life.answers[-1:] and life.answers[-1].has_ended)
        assert life.answers[-1].problem == "ZeroDivisionError: integer division or modulo by zero"

    live(work, processes=0)
    assert "Traceback" in caplog.text


def test_it_can_be_closed_while_it_works(live) -> None:
    async def work(life: Life) -> None:
        await life.exchange(life.job(1, is_slow=True))
        await life.until(lambda: bool(life.site.requests))
        await trio.to_thread.run_sync(life.host.close)
        assert not life.threads
        assert await life.send(Exchange(99)) == Answer(has_ended=True)

    live(work)


async def coordinate(life: Life, reply: Callable[[Call], Reply]) -> list[Call]:
    """Exchanges until there are two results, and replies to the node's questions; returns its calls."""
    called: list[Call] = []
    answer = await life.exchange(life.job(1, TAR), life.job(2, TAR))
    while len(life.results) < 2 or answer.calls:
        called += answer.calls
        answer = await life.exchange(replies=tuple(reply(each) for each in answer.calls if each.number))
    return called


def test_it_asks_for_a_shard_and_says_when_it_is_full(live) -> None:
    async def work(life: Life) -> None:
        def reply(call: Call) -> Reply:
            create_shard(life.root / SHARD)
            return Reply(call.number, OpenShard(5, SHARD, 0, 0, 2))

        [opened, full] = await coordinate(life, reply)
        assert opened == Call(1, "open_shard", ("tars", "train"))
        assert full == Call(0, "shard_is_full", (5, 2))

    life = live(work)
    assert [type(each) for each in life.results.values()] == [Done, Done]
    assert len(life.files()) == 1


def test_a_question_that_the_coordinator_answers_with_an_error_ends_the_node(live) -> None:
    async def work(life: Life) -> None:
        answer = await life.exchange(life.job(1, TAR))
        while not answer.calls:
            answer = await life.exchange()
        await life.exchange(replies=(Reply(answer.calls[0].number, None, DiskError("no room")),))
        await life.until(lambda: life.answers[-1].has_ended)
        assert life.answers[-1].problem == "no room"

    assert live(work).results == {}


def test_a_name_that_was_refused_is_not_used(live) -> None:
    async def work(life: Life) -> None:
        [first, second] = ids(1, 2)
        refused = frozenset({("1_0a1b2c_o", first), ("2_0a1b2c_o", first)})
        await life.exchange(life.job(1), life.job(2), refused_names=refused)
        await life.until(lambda: len(life.results) == 2)
        names = [Path(life.results[each].files[0].path).stem for each in (first, second)]
        assert names == [first, "2_0a1b2c_o"]

    live(work, layout={"name_files_by": FileNames.FLICKR})


def test_it_reports_some_of_its_downloads(live) -> None:
    async def work(life: Life) -> None:
        jobs = [life.job(number, is_slow=True) for number in range(15)]
        await life.exchange(*jobs)
        await life.until(lambda: life.answers[-1].report.active.downloads == 15)
        report = life.answers[-1].report
        assert report.in_progress == 15
        assert len(report.active.transfers) == REPORTED
        assert {each.url for each in report.active.transfers} < {each.original_url for each in jobs}
        life.gate.set()
        await life.until(lambda: len(life.results) == 15)
        assert life.answers[-1].report.active.downloads == 0
        assert sum(each.report.bytes_read for each in life.answers) == 15 * len(BODY)

    live(work)
