"""What only the coordinator does for its nodes: names, files at their places, questions, and the end of a life."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from builders import THUMB, job
from trio.testing import MockClock

from oidl.cluster.protocol import Result
from oidl.cluster.publish import Publisher
from oidl.errors import DiskError
from oidl.model import (
    ORIGINAL,
    Done,
    Failure,
    Job,
    OpenShard,
    Reason,
    Rendition,
    ResizeMode,
    Source,
    Status,
    StoreKind,
    WrittenFile,
)  # fmt: skip
from oidl.node.frames import Call
from oidl.pipeline.feed import InFlight
from oidl.pipeline.writer import StateWriter
from oidl.settings import FileNames, Layout, Limits, NetworkSettings, Retries, Selection, Settings, SourceSettings
from oidl.state.connection import StateConnection
from oidl.storage.staging import staged_path

LIFE, TOKEN = "life", "token"
SAVED = Rendition(ORIGINAL, "images-original")
TAR = Rendition("tars", "tars", ResizeMode.FILL_CROP, 64, "jpg", store=StoreKind.WEBDATASET)
GONE = Failure(Reason.GONE)


@dataclass
class Shards:
    """Stands for the shards of the nodes."""

    fenced: list[str] = field(default_factory=list)
    full: list[tuple[str, int, int]] = field(default_factory=list)

    async def open_shard(self, life: str, rendition: str, subset: str) -> OpenShard:
        if rendition == "none":
            raise DiskError("no room", hint="free some")
        return OpenShard(1, f"{life}-{rendition}-{subset}", 0, 0, 9)

    async def shard_is_full(self, life: str, shard_id: int, appended: int) -> None:
        self.full.append((life, shard_id, appended))

    def holds(self, life: str) -> bool:
        return False

    async def orders(self, life: str, *, is_last: bool) -> tuple[Any, ...]:
        return (is_last,)

    async def fence(self, life: str) -> None:
        self.fenced.append(life)


class Coordinator:
    """A publisher with its database, its files, and jobs in flight."""

    def __init__(self, db: StateConnection, root: Path, **changes: Any) -> None:
        self.layout = Layout(root, "v", **changes.pop("layout", {}))
        settings = Settings(
            root, root / "db", "7", None, None, Selection(), self.layout, SourceSettings(save=True),
            (THUMB, TAR), NetworkSettings(), Retries(), Limits(),
        )  # fmt: skip
        self.settings = replace(settings, **changes)
        self.shards, self.in_flight = Shards(), InFlight()
        version = SimpleNamespace(subsets=("train", "test"))
        context = SimpleNamespace(state=StateWriter(db), settings=self.settings, version=version)
        work: Any = SimpleNamespace(context=context, token=TOKEN)
        self.publisher = Publisher(work, self.in_flight, self.shards)
        self.root = root

    def path(self, number: int, rendition: Rendition = THUMB) -> Path:
        return self.root / "v" / "train" / rendition.directory / "000" / f"{job(number).image_id}.jpg"

    def staged(self, path: Path, rendition: Rendition = THUMB) -> Path:
        return staged_path(self.root / "v" / "train" / rendition.directory, path, TOKEN, LIFE)

    def did(
        self, number: int, *renditions: Rendition, source: Source = Source.ORIGINAL, staged: bool = True
    ) -> tuple[Job, Result]:
        """The result of a life that has made these renditions of an image, and staged their files."""
        item, files = job(number), []
        for each in renditions or (THUMB,):
            path = self.path(number, each)
            if staged and each.store is StoreKind.FILES:
                self.staged(path, each).write_bytes(b"%d" % number)
            files.append(WrittenFile(each.name, str(path.relative_to(self.root)), 1, 8, 6))
        self.in_flight.take(item, already_tried=False)
        return item, Result(item.image_id, Done(source, "u", 5, "m", 8, 6, tuple(files)))

    async def publish(self, *settled: tuple[Job, Result]) -> list[Any]:
        return [each.result for each in await self.publisher.publish(LIFE, settled)]


Work = Callable[[Coordinator], Awaitable[None]]
pytestmark = pytest.mark.usefixtures("inline_threads")


@pytest.fixture
def coordinate(loaded_db: StateConnection, tmp_path: Path) -> Callable[..., None]:
    """Does `work` with a coordinator with these settings, in whose run a life has begun."""

    def coordinate(work: Work, **changes: Any) -> None:
        async def main() -> None:
            coordinator = Coordinator(loaded_db, tmp_path, **changes)
            await coordinator.publisher.begin(LIFE)
            await work(coordinator)

        trio.run(main, clock=MockClock(autojump_threshold=0))

    return coordinate


def test_staged_files_get_their_places_and_shards_are_left_alone(coordinate) -> None:
    async def work(run: Coordinator) -> None:
        one, two, three = run.did(1, THUMB, SAVED), run.did(2), run.did(3, TAR)
        results = await run.publish(one, two, three, (job(4), Result(job(4).image_id, GONE)))
        assert results == [one[1].result, two[1].result, three[1].result, GONE]
        assert [run.path(1).read_bytes(), run.path(1, SAVED).read_bytes(), run.path(2).read_bytes()] == [
            b"1",
            b"1",
            b"2",
        ]
        assert not run.staged(run.path(1)).exists()
        assert not run.path(3, TAR).exists()

    coordinate(work)


def test_a_file_that_cannot_be_published_fails_its_image_alone_for_the_disk(coordinate) -> None:
    async def work(run: Coordinator) -> None:
        one, two = run.did(1), run.did(2)
        run.path(1).mkdir(parents=True)
        failure, done = await run.publish(one, two)
        assert (failure.reason, failure.url) == (Reason.DISK, "u")
        assert str(run.path(1)) in failure.detail
        assert failure.hint
        assert done == two[1].result

    coordinate(work)


def test_a_file_that_was_never_staged_fails_its_image(coordinate) -> None:
    async def work(run: Coordinator) -> None:
        [failure] = await run.publish(run.did(1, staged=False))
        assert failure.reason is Reason.DISK

    coordinate(work)


def test_an_original_that_was_read_from_its_place_stays_there(coordinate) -> None:
    async def work(run: Coordinator) -> None:
        run.path(1, SAVED).parent.mkdir(parents=True)
        run.path(1, SAVED).write_bytes(b"local")
        local = run.did(1, SAVED, source=Source.LOCAL, staged=False)
        assert await run.publish(local) == [local[1].result]
        assert run.path(1, SAVED).read_bytes() == b"local"
        # But one that was staged replaces it, as does another source's.
        assert await run.publish(run.did(1, SAVED, source=Source.LOCAL)) == [local[1].result]
        assert run.path(1, SAVED).read_bytes() == b"1"
        [failure] = await run.publish(run.did(1, SAVED, staged=False))
        assert failure.reason is Reason.DISK

    coordinate(work)


def test_with_always_download_the_rows_of_files_go_before_the_files_are_replaced(coordinate, loaded_db) -> None:
    async def work(run: Coordinator) -> None:
        await run.publish(run.did(1))
        statuses = loaded_db.execute("SELECT status FROM download WHERE image_id = ?", (job(1).image_id,)).fetchall()
        assert statuses == [("pending",)]

    with loaded_db:
        loaded_db.execute("UPDATE download SET status = 'done' WHERE image_id = ?", (job(1).image_id,))
    coordinate(work, originals=SourceSettings(save=True, always_download=True))


def test_a_name_is_refused_to_all_but_the_first_image(coordinate) -> None:
    async def work(run: Coordinator) -> None:
        url = job(1).original_url
        same, other = job(2, original_url=url.replace("c1.", "c2.")), job(3)
        name = Path(url).stem
        assert await run.publisher.refused_names([job(1), same, other]) == {(name, job(2).image_id)}
        assert await run.publisher.refused_names([job(1)]) == frozenset()
        assert await run.publisher.refused_names([same]) == {(name, job(2).image_id)}

    coordinate(work, layout={"name_files_by": FileNames.FLICKR})


def test_names_that_are_image_ids_are_not_claimed(coordinate, loaded_db) -> None:
    async def work(run: Coordinator) -> None:
        assert await run.publisher.refused_names([job(1), job(2, original_url=job(1).original_url)]) == frozenset()

    coordinate(work)
    assert loaded_db.execute("SELECT count(*) FROM file_name").fetchone() == (0,)


def test_questions_about_shards_are_answered_or_have_an_error(coordinate) -> None:
    async def work(run: Coordinator) -> None:
        reply = await run.publisher.reply(LIFE, Call(4, "open_shard", ("tars", "train")))
        assert (reply.number, reply.value.path, reply.error) == (4, "life-tars-train", None)
        await run.publisher.reply(LIFE, Call(0, "shard_is_full", (1, 9)))
        assert run.shards.full == [(LIFE, 1, 9)]
        reply = await run.publisher.reply(LIFE, Call(5, "open_shard", ("none", "train")))
        assert (reply.number, reply.value) == (5, None)
        assert isinstance(reply.error, DiskError)

    coordinate(work)


def test_a_fence_waits_until_what_counts_is_recorded_and_takes_the_rest_away(coordinate) -> None:
    async def work(run: Coordinator) -> None:
        one, late = run.did(1), run.did(2)
        await run.publish(one)
        assert await run.publisher.orders(LIFE, is_last=True) == (False,)
        has_fenced = trio.Event()

        async def fence() -> None:
            await run.publisher.fence(LIFE)
            has_fenced.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fence)
            await trio.sleep(5)
            assert not has_fenced.is_set()
            assert run.shards.fenced == []
            run.in_flight.release([(late[0], None)])  # of another life by now
            await trio.sleep(5)
            assert not has_fenced.is_set()
            run.in_flight.release([(one[0], Status.DONE)])
        assert run.shards.fenced == [LIFE]
        assert run.path(1).exists()
        assert not run.staged(run.path(2)).parent.exists()
        with pytest.raises(FileNotFoundError):  # it has no place to write to any more
            run.staged(run.path(3)).write_bytes(b"late")

    coordinate(work)


def test_when_all_is_recorded_the_last_shards_are_ordered(coordinate) -> None:
    async def work(run: Coordinator) -> None:
        one = run.did(1)
        await run.publish(one)
        run.in_flight.release([(one[0], Status.DONE)])
        assert await run.publisher.orders(LIFE, is_last=True) == (True,)
        assert await run.publisher.orders(LIFE, is_last=False) == (False,)

    coordinate(work)


def test_a_fence_does_not_wait_for_images_of_other_lives(coordinate) -> None:
    async def work(run: Coordinator) -> None:
        one, two = run.did(1), run.did(2)
        await run.publish(one)
        run.in_flight.release([(one[0], Status.RETRY)])
        await run.publish(two)
        run.in_flight.release([(two[0], Status.DONE)])
        run.in_flight.take(one[0], already_tried=True)  # others try it again
        run.in_flight.take(job(3), already_tried=False)
        with trio.fail_after(1):
            await run.publisher.fence(LIFE)
        assert run.shards.fenced == [LIFE]

    coordinate(work)
