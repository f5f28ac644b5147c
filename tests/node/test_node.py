"""Fetchers and validators between a feed and a recorder: every image comes through and releases its memory.

The stages are real; the feed, network, processor and recorder are fakes. The byte
budget holds one body, so a stage that kept a byte of it would stop the next image.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from builders import image, job

from oidl.dataset.published import Mirror
from oidl.errors import StateError
from oidl.model import Blame, Done, Failure, Fetched, Job, KeptBody, Reason, Source, Status
from oidl.net.answer import Download
from oidl.net.body import Body
from oidl.net.connections import Connections
from oidl.net.drain import Drain
from oidl.net.permits import Backoff, Permits
from oidl.net.request import ArrivingBody
from oidl.net.transfer import Downloader
from oidl.node.attempt import Outcome
from oidl.node.local import LocalWorker
from oidl.node.node import Node
from oidl.node.originals import LocalOriginals
from oidl.node.process import Processor
from oidl.node.sources import Sources
from oidl.node.stop import Stop
from oidl.node.worker import WorkerDiedError, Workers
from oidl.progress.meter import Meter
from oidl.settings import Imaging, Layout, NetworkSettings, Retries, SourceSettings
from oidl.storage.atomic import AtomicWriter
from oidl.storage.files import Files

SIZE = 1000
BODY = bytes(SIZE)
GONE = Failure(Reason.GONE, http_status=410)
CORRUPT = Failure(Reason.CORRUPT)
THUMBNAIL_CAP = 1_200_000
MIRRORS = {"cvdf": Mirror("http://mirror/{subset}/{image_id}.jpg", frozenset((403, 404)), 300_000, 3_000_000)}

pytestmark = pytest.mark.usefixtures("inline_threads")

Fetch = Callable[["NodeHarness", Download], Awaitable[Fetched | Failure | None]]


OnRequest = Callable[[str, ArrivingBody], None]


async def uncounted(_: int) -> None:
    pass


async def fetch_body(_: object, download: Download) -> Fetched:
    return Fetched(download.source, download.url, BODY)


@dataclass
class NodeHarness:
    """One pipeline with made-up ends; also plays the part of everybody it talks to."""

    root: Path
    jobs: Sequence[Job] = ()
    fetch: Fetch = fetch_body
    result: Failure | None = None
    on_disk: dict[str, Fetched] = field(default_factory=dict)
    originals: SourceSettings = field(default_factory=SourceSettings)
    connections: int = 4
    memory_bytes: int = SIZE
    between: Callable[["NodeHarness"], Awaitable[None]] | None = None
    record_s: float = 0.0
    threads: int = 2
    clock: Callable[[], float] = lambda: 0.0
    dead: tuple[str, ...] = ()
    deaths: dict[str, list[WorkerDiedError]] = field(default_factory=dict)
    worked: list[tuple[int, str]] = field(default_factory=list)
    asked: list[Download] = field(default_factory=list)
    on_requests: list[OnRequest] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    processed: list[Fetched] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    dropped: list[Job] = field(default_factory=list)
    drain: Drain = field(default_factory=Drain)
    end: str | None = None
    ended_s: float = -1.0
    stop: Stop = field(init=False)
    meter: Meter = field(init=False)

    def process(self, item: Job, fetched: Fetched) -> Done | Failure:
        self.processed.append(Fetched(fetched.source, fetched.url, b""))
        return self.result or Done(fetched.source, fetched.url, len(fetched.body), "m", 8, 6, ())

    def read_original(self, item: Job) -> Fetched | None:
        self.looked_up.append(item.image_id)
        return self.on_disk.get(item.image_id)

    def run(self) -> "NodeHarness":
        trio.run(self._main, clock=trio.testing.MockClock(autojump_threshold=0))
        return self

    async def _main(self) -> None:
        self.stop, self.meter = Stop(), Meter(self.clock)
        transfers = NetworkSettings(self.connections, self.connections, memory_bytes=self.memory_bytes)
        files = Files(Layout(self.root, "2017_11"), AtomicWriter("test"), self.originals.directory)
        processor = _Processor(files, self.originals, Imaging(), harness=self)
        workers = Workers([LocalWorker(processor, new_client, uncounted, self.threads)])
        if self.deaths:
            workers = Workers([_MortalWorker(number, self) for number in range(3)], has_quarantine=True)
        node = Node(
            _Downloader(_Permits(self), Connections(0, workers.new_connection), transfers, harness=self),
            LocalOriginals(self.originals, files.has_originals, workers),
            Sources(self.originals.sources, MIRRORS),
            self.stop,
            self.meter,
            patience_s=5 * Retries().max_wait_s,
        )
        with trio.fail_after(1000):  # when somebody keeps what another waits for
            self.end = await node.run(_Feed(self), _Recorder(self))
        self.ended_s = trio.current_time()

    @property
    def results(self) -> list[tuple[int, Done | Failure]]:
        return sorted(((int(outcome.job.image_id, 16), outcome.result) for outcome in self.outcomes), key=str)


class _Permits(Permits):
    """Permits that refuse dead hosts and know whether they are drained."""

    def __init__(self, harness: NodeHarness) -> None:
        self._line = harness
        self.drain = harness.drain

    def backoff(self, url: str) -> Backoff | None:
        is_dead = any(host in url for host in self._line.dead)
        return Backoff(1e6, Reason.DNS, "no such host", is_unreachable=True) if is_dead else None


@dataclass(frozen=True, kw_only=True)
class _Downloader(Downloader):
    harness: NodeHarness

    async def fetch(
        self, download: Download, on_request: Any = None, worker: int | None = None, job: Job | None = None
    ) -> Fetched | Failure | None:
        self.harness.asked.append(download)
        self.harness.on_requests.append(on_request)
        fetched = await self.harness.fetch(self.harness, download)
        if self.harness.deaths and isinstance(fetched, Fetched):
            number = len(self.harness.asked) % 2 if worker is None else worker
            return replace(fetched, kept=KeptBody(number, 1, len(fetched.body)))
        return fetched


@dataclass
class _MortalWorker:
    """A worker whose process dies as often at an image as the harness says."""

    number: int
    harness: NodeHarness
    threads: int = 1
    load: int = 0

    def new_connection(self) -> Any:
        raise AssertionError("the downloader is made up")

    def drain(self) -> None:
        pass

    async def read_original(self, job: Job) -> Fetched | None:
        raise AssertionError("nothing is on disk")

    async def process(self, job: Job, fetched: Fetched) -> Done | Failure:
        self.load += 1
        assert self.load == 1
        self.harness.worked.append((self.number, job.image_id))
        await trio.sleep(1)
        self.load -= 1
        if deaths := self.harness.deaths.get(job.image_id):
            raise deaths.pop(0)
        return self.harness.process(job, fetched)


@dataclass(frozen=True, kw_only=True)
class _Processor(Processor):
    harness: NodeHarness

    def process(self, job: Job, fetched: Fetched) -> Done | Failure:
        return self.harness.process(job, fetched)

    def read_original(self, job: Job) -> Fetched | None:
        return self.harness.read_original(job)


def new_client() -> Any:
    raise AssertionError("nothing here connects")


@dataclass
class _Feed:
    harness: NodeHarness

    async def run(self, jobs: trio.MemorySendChannel[Job]) -> str:
        async with jobs:
            for item in self.harness.jobs:
                await jobs.send(item)
                if self.harness.between:
                    await self.harness.between(self.harness)
        return "all fed"


@dataclass
class _Recorder:
    harness: NodeHarness

    async def run(self, outcomes: trio.MemoryReceiveChannel[Outcome]) -> None:
        async for outcome in outcomes:
            if outcome.result is None:
                self.harness.dropped.append(outcome.job)
                continue
            await trio.sleep(self.harness.record_s)
            self.harness.outcomes.append(outcome)


def published(*numbers: int, **changes: object) -> list[Job]:
    return [job(number, original_size=SIZE, **changes) for number in numbers]


def local(number: int) -> dict[str, Fetched]:
    return {image(number).image_id: Fetched(Source.LOCAL, "/somewhere/x.jpg", BODY)}


async def fetch_none(*_: object) -> None:
    return None


async def fetch_failure(*_: object) -> Failure:
    return GONE


async def fetch_more_than_thought(_: object, download: Download) -> Fetched:
    return Fetched(download.source, download.url, bytes(THUMBNAIL_CAP + 10 * SIZE))


# ---- what comes through


def test_every_body_comes_through_to_the_recorder_once(tmp_path: Path) -> None:
    harness = NodeHarness(tmp_path, published(*range(50))).run()
    assert harness.results == sorted(
        [(number, Done(Source.ORIGINAL, image(number).original_url, SIZE, "m", 8, 6, ())) for number in range(50)],
        key=str,
    )
    assert len(harness.processed) == 50
    assert harness.end == "all fed"  # the feed's own word
    assert {(download.size_bytes, download.cap_bytes) for download in harness.asked} == {(SIZE, SIZE)}


def test_what_could_not_be_fetched_is_recorded_and_never_processed(tmp_path: Path) -> None:
    harness = NodeHarness(tmp_path, published(1), fetch_failure).run()
    assert harness.results == [(1, GONE)]
    assert harness.processed == []


def test_what_could_not_be_processed_is_recorded(tmp_path: Path) -> None:
    assert NodeHarness(tmp_path, published(1), result=CORRUPT).run().results == [(1, CORRUPT)]


def test_the_meter_sees_an_image_on_its_way_and_not_in_two_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(harness: NodeHarness, download: Download) -> Fetched:
        on_request = harness.on_requests[-1]
        await trio.sleep(1)  # for a connection
        assert harness.meter.statistics().transfers == ()
        on_request("https://elsewhere/x.jpg", Body(1.0))
        await trio.sleep(2)
        [seen] = harness.meter.statistics().transfers
        assert (seen.image_id, seen.host, seen.elapsed_s) == (image(7).image_id, "elsewhere", 2.0)
        return Fetched(download.source, download.url, BODY)

    seen_processing = []

    def process(harness: NodeHarness, item: Job, fetched: Fetched) -> Done:
        now = harness.meter.statistics()
        seen_processing.append(([each.image_id for each in now.processing], now.transfers))
        return Done(fetched.source, fetched.url, SIZE, "m", 8, 6, ())

    def clock() -> float:
        return trio.current_time() if trio.lowlevel.in_trio_run() else harness.ended_s

    monkeypatch.setattr(NodeHarness, "process", process)
    harness = NodeHarness(tmp_path, published(7), slow, clock=clock).run()
    assert seen_processing == [([image(7).image_id], ())]
    assert harness.meter.statistics().processing == ()
    harness.meter.recorded(harness.jobs[0], harness.outcomes[0].result, Status.DONE)  # type: ignore[arg-type]
    [success] = harness.meter.statistics().successes
    assert (success.transfer_s, success.process_s) == (2.0, 0.0)


def test_what_was_not_asked_for_after_all_is_let_go_of_unrecorded(tmp_path: Path) -> None:
    harness = NodeHarness(tmp_path, published(1, 2), fetch_none).run()
    assert (harness.outcomes, len(harness.dropped), harness.meter.statistics().in_flight) == ([], 2, 0)


def test_no_more_is_fetched_at_once_than_there_are_connections(tmp_path: Path) -> None:
    at_once: list[int] = []
    now = 0

    async def fetch(harness: object, download: Download) -> Fetched:
        nonlocal now
        now += 1
        at_once.append(now)
        await trio.sleep(1)
        now -= 1
        return await fetch_body(harness, download)

    harness = NodeHarness(tmp_path, published(*range(20)), fetch, connections=4, memory_bytes=100 * SIZE).run()
    assert max(at_once) == 4
    assert harness.ended_s == 5


def test_thumbnails_are_asked_for_where_there_are_any(tmp_path: Path) -> None:
    jobs = [*published(1), *published(2, thumbnail_300k_url=""), job(3, original_size=5_000_000)]
    originals = SourceSettings((Source.THUMBNAIL_300K, Source.ORIGINAL))
    harness = NodeHarness(tmp_path, jobs, originals=originals, connections=1).run()
    assert harness.asked == [
        Download(image(1).thumbnail_300k_url, Source.THUMBNAIL_300K, None, THUMBNAIL_CAP),
        Download(image(2).original_url, Source.ORIGINAL, SIZE, SIZE),
        Download(image(3).thumbnail_300k_url, Source.THUMBNAIL_300K, None, 5_000_000),
    ]


# ---- originals on disk


def test_a_saved_original_needs_no_request(tmp_path: Path) -> None:
    harness = NodeHarness(tmp_path, published(1, saved_original="a/1.jpg"), on_disk=local(1)).run()
    assert harness.asked == []
    assert [fetched.source for fetched in harness.processed] == [Source.LOCAL]


def test_originals_that_were_there_before_need_no_request_either(tmp_path: Path) -> None:
    (tmp_path / "2017_11/train/images-original").mkdir(parents=True)
    harness = NodeHarness(tmp_path, published(1, 2, 3), on_disk=local(2)).run()
    assert {download.url for download in harness.asked} == {image(1).original_url, image(3).original_url}
    assert len(harness.results) == 3


def test_no_disk_is_searched_where_there_are_no_originals(tmp_path: Path) -> None:
    harness = NodeHarness(tmp_path, published(1), on_disk=local(1)).run()
    assert (harness.looked_up, len(harness.asked)) == ([], 1)


def test_an_original_that_is_not_to_be_trusted_is_fetched(tmp_path: Path) -> None:
    harness = NodeHarness(tmp_path, published(1, saved_original="a/1.jpg")).run()
    assert harness.looked_up == [image(1).image_id]
    assert [fetched.source for fetched in harness.processed] == [Source.ORIGINAL]


def test_nothing_on_disk_counts_when_all_is_to_be_downloaded(tmp_path: Path) -> None:
    originals = SourceSettings(always_download=True)
    jobs = published(1, saved_original="a/1.jpg")
    harness = NodeHarness(tmp_path, jobs, on_disk=local(1), originals=originals).run()
    assert (harness.looked_up, len(harness.asked)) == ([], 1)


def test_what_another_site_answered_is_about_the_path(tmp_path: Path) -> None:
    async def fetch(_: object, download: Download) -> Failure:
        is_redirected = download.url == image(2).original_url
        return Failure(Reason.NOT_FOUND, url="http://login.example/" if is_redirected else download.url)

    harness = NodeHarness(tmp_path, published(1, 2), fetch).run()
    assert [(number, result.blame) for number, result in harness.results if isinstance(result, Failure)] == [
        (1, Blame.SERVER),
        (2, Blame.PATH),
    ]


# ---- bugs


async def fetch_bug(_: object, download: Download) -> Fetched:
    raise OverflowError("a date in the year 99999999999")


def bug_on(number: int, of: Callable[..., Any]) -> Callable[..., Any]:
    def call(harness: NodeHarness, item: Job, *more: Any) -> Any:
        if item.image_id == image(number).image_id:
            raise TypeError("odd")
        return of(harness, item, *more)

    return call


@pytest.mark.parametrize("method", ["process", "read_original"])
def test_a_bug_in_a_thread_costs_one_image_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(NodeHarness, method, bug_on(2, getattr(NodeHarness, method)))
    harness = NodeHarness(tmp_path, published(*range(5), saved_original="a/x.jpg")).run()
    assert [number for number, result in harness.results if isinstance(result, Done)] == [0, 1, 3, 4]
    ((_, failure),) = [row for row in harness.results if isinstance(row[1], Failure)]
    assert (failure.reason, failure.detail) == (Reason.INTERNAL_ERROR, "TypeError: odd")
    assert (failure.source, failure.url) == (Source.ORIGINAL, image(2).original_url)


def test_a_bug_while_an_image_is_fetched_costs_one_image_and_no_other(tmp_path: Path) -> None:
    async def fetch(harness: NodeHarness, download: Download) -> Fetched:
        return await (fetch_bug if download.url == image(2).original_url else fetch_body)(harness, download)

    harness = NodeHarness(tmp_path, published(*range(5)), fetch).run()
    assert [number for number, result in harness.results if isinstance(result, Failure)] == [2]
    assert len(harness.results) == 5


def test_after_a_bug_the_next_source_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    originals = SourceSettings((Source("cvdf"), Source.ORIGINAL))
    monkeypatch.setattr(NodeHarness, "process", lambda harness, item, fetched: 1 / 0)
    harness = NodeHarness(tmp_path, published(1), originals=originals).run()
    assert [download.source for download in harness.asked] == [Source("cvdf"), Source.ORIGINAL]
    assert [failure.reason for failure in harness.outcomes[0].earlier] == [Reason.INTERNAL_ERROR]


def test_what_stops_the_program_is_not_an_image_s(tmp_path: Path) -> None:
    async def fetch(*_: object) -> Fetched:
        raise StateError("locked")

    with pytest.raises(ExceptionGroup) as raised:
        NodeHarness(tmp_path, published(1), fetch).run()
    assert raised.group_contains(StateError)


# ---- the byte budget


@pytest.mark.parametrize(
    "path",
    [
        {},
        {"result": CORRUPT},
        {"fetch": fetch_failure},
        {"fetch": fetch_none},
        {"fetch": fetch_bug},
        {"fetch": fetch_more_than_thought, "originals": SourceSettings((Source.THUMBNAIL_300K, Source.ORIGINAL))},
        {"on_disk": local(1)},
        {"on_disk": {}},
    ],
    ids=[
        "done",
        "not processed",
        "not fetched",
        "not asked for",
        "bug",
        "larger than thought",
        "local",
        "local is no use",
    ],
)
def test_an_image_gives_back_its_bytes_whatever_becomes_of_it(tmp_path: Path, path: dict[str, Any]) -> None:
    saved_original = "a/1.jpg" if "on_disk" in path else None
    harness = NodeHarness(tmp_path, published(1, saved_original=saved_original) * 5, **path).run()
    assert len(harness.outcomes) == (0 if path.get("fetch") is fetch_none else 5)


@pytest.mark.parametrize("is_local", [False, True])
def test_bodies_in_memory_are_no_more_than_the_budget(tmp_path: Path, is_local: bool) -> None:
    now = 0
    most = 0

    class Counted(NodeHarness):
        def arrived(self) -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)

        def read_original(self, item: Job) -> Fetched | None:
            self.arrived()
            return super().read_original(item)

        def process(self, item: Job, fetched: Fetched) -> Done | Failure:
            nonlocal now
            now -= 1
            return super().process(item, fetched)

    async def fetch(harness: NodeHarness, download: Download) -> Fetched:
        assert isinstance(harness, Counted)
        harness.arrived()
        await trio.sleep(1)
        return await fetch_body(harness, download)

    jobs = published(*range(30), saved_original="a/x.jpg" if is_local else None)
    on_disk = {item.image_id: Fetched(Source.LOCAL, "/somewhere/x.jpg", BODY) for item in jobs} if is_local else {}
    harness = Counted(tmp_path, jobs, fetch, on_disk=on_disk, connections=10, memory_bytes=3 * SIZE, record_s=1).run()
    assert most == 3
    assert len(harness.outcomes) == 30


def test_a_body_larger_than_thought_keeps_the_next_one_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fed = 0

    async def fetch(_: object, download: Download) -> Fetched:
        return Fetched(download.source, download.url, bytes(THUMBNAIL_CAP * 3 // 2))

    async def look(harness: NodeHarness) -> None:
        nonlocal fed
        fed += 1
        await trio.testing.wait_all_tasks_blocked()
        # One is being recorded, one is a validator's; of the bytes of two that wait, 3 caps, one cap is not left.
        assert len(harness.asked) == min(fed, 4)

    originals = SourceSettings((Source.THUMBNAIL_300K, Source.ORIGINAL))
    harness = NodeHarness(tmp_path, published(*range(6)), fetch, originals=originals, between=look, record_s=100)
    harness.memory_bytes = THUMBNAIL_CAP * 7 // 2
    harness.connections = 6
    harness.threads = 1
    assert len(harness.run().outcomes) == 6


def test_a_slow_recorder_holds_up_no_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_s: list[float] = []

    async def fetch(harness: object, download: Download) -> Fetched:
        at_s.append(trio.current_time())
        return await fetch_body(harness, download)

    NodeHarness(tmp_path, published(1, 2, 3), fetch, record_s=100).run()
    assert at_s == [0, 0, 0]


def test_a_body_does_not_outlive_its_image(tmp_path: Path) -> None:
    freed: list[int] = []

    class Body(bytes):
        def __del__(self) -> None:
            freed.append(len(self))

    async def fetch(_: object, download: Download) -> Fetched:
        return Fetched(download.source, download.url, Body(BODY))

    async def look(harness: NodeHarness) -> None:
        await trio.testing.wait_all_tasks_blocked()
        assert len(harness.outcomes) == len(freed) > 0

    harness = NodeHarness(tmp_path, published(1, 2, 3), fetch, between=look).run()
    assert len(harness.outcomes) == 3


# ---- told to stop


async def fetch_forever(harness: NodeHarness, download: Download) -> Fetched:
    if download.url != image(1).original_url:
        await trio.sleep(500)
    return await fetch_body(harness, download)


def test_asked_once_the_hosts_lend_no_more_and_what_is_in_hand_is_finished(tmp_path: Path) -> None:
    async def stop(harness: NodeHarness) -> None:
        await trio.testing.wait_all_tasks_blocked()
        if len(harness.asked) == 3:
            harness.stop.interrupt()
            await trio.testing.wait_all_tasks_blocked()
            assert harness.drain.has_begun
            assert harness.meter.statistics().in_flight == 3

    harness = NodeHarness(tmp_path, published(1, 2, 3), fetch_forever, memory_bytes=3 * SIZE, between=stop).run()
    assert len(harness.outcomes) == 3
    assert harness.ended_s == 500


def test_asked_twice_it_ends_at_once_and_what_is_in_hand_is_not_recorded(tmp_path: Path) -> None:
    async def stop(harness: NodeHarness) -> None:
        await trio.testing.wait_all_tasks_blocked()
        if len(harness.asked) == 3:
            harness.stop.interrupt()
            harness.stop.interrupt()
            await trio.sleep_forever()

    harness = NodeHarness(tmp_path, published(1, 2, 3), fetch_forever, memory_bytes=3 * SIZE, between=stop).run()
    assert [number for number, _ in harness.results] == [1]
    assert (harness.end, harness.ended_s) == (None, 0)
    assert harness.dropped == []


# ---- one source after the other

CHAIN = SourceSettings((Source.ORIGINAL, Source("cvdf")))


async def fetch_from_mirror(harness: NodeHarness, download: Download) -> Fetched | Failure:
    return await fetch_body(harness, download) if download.source == Source("cvdf") else GONE


def sources_asked(harness: NodeHarness) -> list[Source]:
    return [download.source for download in harness.asked]


def test_what_one_source_has_not_is_had_from_the_next(tmp_path: Path) -> None:
    harness = NodeHarness(tmp_path, published(*range(20)), fetch_from_mirror, originals=CHAIN).run()
    assert [result.source for _, result in harness.results] == [Source("cvdf")] * 20
    assert {outcome.earlier for outcome in harness.outcomes} == {(GONE,)}
    assert harness.meter.statistics().in_flight == 20  # which the recorder, made up here, would have told of


def test_what_a_validator_refuses_is_had_from_the_next_too_and_recorded_when_there_is_none(tmp_path: Path) -> None:
    harness = NodeHarness(tmp_path, published(1, 2), result=CORRUPT, originals=CHAIN).run()
    assert harness.results == [(1, CORRUPT), (2, CORRUPT)]
    assert [outcome.earlier for outcome in harness.outcomes] == [(CORRUPT,), (CORRUPT,)]
    assert sorted(sources_asked(harness)) == [Source("cvdf")] * 2 + [Source.ORIGINAL] * 2


def test_a_host_that_cannot_be_reached_is_passed_over(tmp_path: Path) -> None:
    harness = NodeHarness(tmp_path, published(1), originals=CHAIN, dead=("staticflickr",)).run()
    assert sources_asked(harness) == [Source("cvdf")]
    (outcome,) = harness.outcomes
    assert isinstance(outcome.result, Done)
    assert [(failure.reason, failure.blame) for failure in outcome.earlier] == [(Reason.DNS, Blame.NOT_ASKED)]


def test_where_the_last_host_cannot_be_reached_it_is_a_failure_that_may_pass(tmp_path: Path) -> None:
    harness = NodeHarness(tmp_path, published(1), fetch_failure, originals=CHAIN, dead=("mirror",)).run()
    ((_, result),) = harness.results
    assert (result.reason, result.source, result.retry_after_s) == (Reason.DNS, Source("cvdf"), 1e6)
    assert harness.outcomes[0].earlier == (GONE,)


def test_a_run_that_stops_decides_nothing_by_half_of_the_sources(tmp_path: Path) -> None:
    async def fetch_while_it_stops(harness: NodeHarness, download: Download) -> Failure:
        harness.stop.interrupt()
        return GONE

    harness = NodeHarness(tmp_path, published(1), fetch_while_it_stops, originals=CHAIN).run()
    assert harness.outcomes == []
    assert sources_asked(harness) == [Source.ORIGINAL]
    assert harness.dropped == published(1)
    assert harness.meter.statistics().in_flight == 0


# ---- workers that die

CRASH = WorkerDiedError("was killed (SIGSEGV)", was_processing=True)
KILL = WorkerDiedError("was killed (SIGKILL)", was_processing=True, was_killed=True)
ELSEWHERE = WorkerDiedError("was killed (SIGSEGV)")
QUARANTINE = 2


def test_an_image_at_which_a_worker_died_is_tried_again_alone(tmp_path: Path) -> None:
    deaths = {image(1).image_id: [CRASH], image(2).image_id: [KILL, KILL, KILL]}
    harness = NodeHarness(tmp_path, published(*range(9)), deaths=deaths, memory_bytes=9 * SIZE).run()
    assert [type(result) for _, result in harness.results] == [Done] * 9
    quarantined = Counter(image_id for number, image_id in harness.worked if number == QUARANTINE)
    assert quarantined == {image(1).image_id: 1, image(2).image_id: 3}


@pytest.mark.parametrize(("death", "tries"), [(CRASH, 2), (KILL, 4)])
def test_an_image_at_which_workers_keep_dying_is_corrupt_and_the_others_are_done(
    tmp_path: Path, death: WorkerDiedError, tries: int
) -> None:
    deaths = {image(3).image_id: [death] * 9}
    harness = NodeHarness(tmp_path, published(*range(6)), deaths=deaths, memory_bytes=6 * SIZE).run()
    results = dict(harness.results)
    failure = results.pop(3)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.blame, failure.source) == (Reason.CORRUPT, Blame.IMAGE, Source.ORIGINAL)
    assert failure.detail.startswith(f"{tries} worker processes died while they decoded it; the last one was killed")
    assert len(deaths[image(3).image_id]) == 9 - tries
    assert [type(result) for result in results.values()] == [Done] * 5


def test_an_image_that_was_not_being_processed_is_no_suspect(tmp_path: Path) -> None:
    deaths = {image(1).image_id: [ELSEWHERE] * 2}
    harness = NodeHarness(tmp_path, published(1, 2), deaths=deaths, memory_bytes=2 * SIZE).run()
    assert [type(result) for _, result in harness.results] == [Done] * 2
    assert QUARANTINE not in {number for number, _ in harness.worked}


def test_a_worker_that_dies_during_a_transfer_costs_a_request(tmp_path: Path) -> None:
    async def fetch(harness: NodeHarness, download: Download) -> Fetched:
        if len(harness.asked) == 1:
            raise ELSEWHERE
        return await fetch_body(harness, download)

    harness = NodeHarness(tmp_path, published(1), fetch).run()
    assert [type(result) for _, result in harness.results] == [Done]
    assert len(harness.asked) == 2
    assert harness.meter.statistics().in_flight == 1


def test_an_image_at_which_workers_keep_dying_during_the_transfer_fails(tmp_path: Path) -> None:
    async def fetch(harness: NodeHarness, download: Download) -> Fetched:
        if download.url == image(3).original_url:
            raise ELSEWHERE
        return await fetch_body(harness, download)

    harness = NodeHarness(tmp_path, published(1, 2, 3), fetch, deaths={"none": []}, memory_bytes=3 * SIZE).run()
    results = dict(harness.results)
    failure = results.pop(3)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.url) == (Reason.INTERNAL_ERROR, image(3).original_url)
    assert failure.detail == "2 worker processes died while they fetched it; the last one was killed (SIGSEGV)"
    assert [type(result) for result in results.values()] == [Done] * 2
    assert len(harness.asked) == 2 + 4


def test_a_run_that_drains_does_not_try_again_what_a_worker_died_at(tmp_path: Path) -> None:
    async def fetch(harness: NodeHarness, download: Download) -> Fetched:
        harness.stop.interrupt()
        return await fetch_body(harness, download)

    harness = NodeHarness(tmp_path, published(1), fetch, deaths={image(1).image_id: [CRASH]}).run()
    assert (harness.outcomes, harness.dropped) == ([], list(published(1)))
