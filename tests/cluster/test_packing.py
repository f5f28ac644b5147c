"""A pack on a made-up cluster: every shard is published once, whatever becomes of the workers."""

import sys
from pathlib import Path

import pytest
import trio
from packers import FakePacker, PackHarness, shard

from oidl.cluster.engine import ClusterError
from oidl.cluster.packing.order import PackFacts
from oidl.cluster.packing.queue import ShardQueue
from oidl.cluster.packing.tasks import look, pack_versions
from oidl.cluster.packing.writer import problem_of
from oidl.errors import DiskError
from oidl.storage.shards.tfrecord import checksum_function


def three(**changes: object) -> dict[str, FakePacker]:
    return {f"tcp://w:{number}": FakePacker(**changes) for number in range(3)}  # type: ignore[arg-type]


def assert_all_once(run: PackHarness) -> None:
    assert sorted(run.truth.published) == list(range(run.shards))
    assert sorted(run.truth.ended) == sorted(run.truth.begun)


def test_all_workers_write_a_shard_at_a_time_and_no_rows_pile_up() -> None:
    run = PackHarness(three(), shards=30).run()
    assert_all_once(run)
    assert [len(each.wrote) for each in run.workers.values()] == [10, 10, 10]
    assert run.ended_s == pytest.approx(50, abs=4)
    assert run.said == []
    assert run.truth.prepared == list(range(30))
    assert run.truth.most_ready <= 2


def test_a_worker_that_joins_later_helps() -> None:
    async def join(run: PackHarness) -> None:
        await trio.sleep(12)
        run.workers["late"] = FakePacker()

    run = PackHarness({"first": FakePacker()}, meanwhile=join).run()
    assert_all_once(run)
    assert len(run.workers["late"].wrote) > 5


def test_the_shard_of_a_worker_that_dies_is_written_again() -> None:
    async def kill(run: PackHarness) -> None:
        await trio.sleep(7)
        del run.workers["tcp://w:1"]

    run = PackHarness(three(), meanwhile=kill, restarts=False).run()
    assert_all_once(run)
    assert run.said == ["node w:1 has left the cluster; its shard is written again"]


def test_a_worker_that_left_while_it_had_nothing_to_do_gets_no_shard() -> None:
    async def leave(run: PackHarness) -> None:
        await trio.sleep(2.5)
        busy = next(name for name, each in run.workers.items() if each.began)
        del run.workers[next(name for name, each in run.workers.items() if not each.began)]
        await trio.sleep(1)
        del run.workers[busy]

    run = PackHarness(three(), shards=2, meanwhile=leave, restarts=False).run()
    assert_all_once(run)
    assert [text.partition("; ")[2] for text in run.said] == ["its shard is written again"]


def test_a_shard_that_comes_back_is_the_next() -> None:
    queue = ShardQueue([shard(1), shard(2), shard(3)])
    first = queue.take()
    assert first == shard(1)
    assert queue.died(first)
    assert queue.failed(shard(1))
    assert queue.take() == shard(1)
    assert not queue.is_over


def test_a_frozen_worker_is_lost_and_what_it_says_later_does_not_count() -> None:
    frozen = FakePacker()

    async def freeze(run: PackHarness) -> None:
        await trio.sleep(7)
        frozen.is_frozen = True
        await trio.sleep(80)
        frozen.is_frozen = False

    run = PackHarness({"a": frozen, "b": FakePacker()}, shards=40, meanwhile=freeze).run()
    assert_all_once(run)
    assert run.said == ["node a does not answer any more; its shard is written again"]
    assert len(frozen.wrote) > 3  # it got another life when it was awake


def test_a_shard_is_not_to_blame_for_workers_that_fall_asleep() -> None:
    worker = FakePacker()

    async def freeze(run: PackHarness) -> None:
        for _ in range(5):
            await trio.sleep(7)
            worker.is_frozen = True
            await trio.sleep(80)
            worker.is_frozen = False

    run = PackHarness({"a": worker}, shards=8, meanwhile=freeze).run()
    assert_all_once(run)
    assert len(run.said) >= 4


def test_a_shard_that_killed_three_workers_is_an_error_that_names_it() -> None:
    path = shard(3).path
    run = PackHarness(three(deadly=frozenset({path})))
    with pytest.raises(ClusterError) as caught:
        run.run()
    assert caught.value.message.startswith(f"3 workers were lost while they wrote {path}; the last, w:")
    assert sum(each.began.count(path) for each in run.workers.values()) == 3
    assert sorted(run.truth.ended) == sorted(run.truth.begun)


def test_a_shard_that_was_given_up_for_want_of_questions_is_written_again_by_the_same_workers() -> None:
    run = PackHarness({"a": FakePacker(gives_up=4)}).run()
    assert_all_once(run)
    assert run.said == ["node a heard nothing for too long, and gave up; its shard is written again"] * 4


def test_a_worker_with_other_versions_is_refused_by_name() -> None:
    workers = {"good": FakePacker(), "tcp://old:1": FakePacker(versions={"oidl": "0.0.9"})}

    def check(facts: PackFacts) -> str | None:
        return "it has oidl 0.0.9" if facts.versions else None

    run = PackHarness(workers, check=check).run()
    assert_all_once(run)
    assert run.said == ["old:1 is refused: it has oidl 0.0.9"]
    assert workers["tcp://old:1"].began == []


def test_a_worker_that_cannot_write_is_excluded_and_others_write_its_shard() -> None:
    full = DiskError("/d cannot be written: No space left on device", hint="free some space")
    workers = {"good": FakePacker(), "bad": FakePacker(error=full)}
    run = PackHarness(workers).run()
    assert_all_once(run)
    assert run.said == [f"node bad is excluded: {full.message}; others write its shard"]
    assert len(workers["bad"].began) == 1


def test_if_no_worker_can_write_that_is_the_error() -> None:
    full = DiskError("/d cannot be written: No space left on device", hint="free some space")
    with pytest.raises(DiskError) as caught:
        PackHarness(three(error=full)).run()
    assert caught.value is full


def test_a_worker_that_does_not_see_images_which_are_there_is_excluded() -> None:
    run = PackHarness({"a": FakePacker()})
    run.truth.refuses = frozenset({4})
    with pytest.raises(ClusterError) as caught:
        run.run()
    assert caught.value.message == "node a cannot be used: it does not see v/a.jpg as it is here"
    assert 4 not in run.truth.published


def test_a_pack_without_workers_says_so_and_goes_on_when_one_comes() -> None:
    async def join(run: PackHarness) -> None:
        await trio.sleep(100)
        run.workers["late"] = FakePacker()

    run = PackHarness({}, shards=3, meanwhile=join).run()
    assert_all_once(run)
    assert run.said == ["waiting for a worker that can take part"]


def test_cancelled_it_takes_all_directories_away() -> None:
    async def stop(run: PackHarness) -> None:
        await trio.sleep(12)
        run.scope.cancel()

    run = PackHarness(three(), meanwhile=stop).run()
    assert run.ended_s == pytest.approx(12)
    assert len(run.truth.begun) > len(run.truth.published)
    assert sorted(run.truth.ended) == sorted(run.truth.begun)


def test_a_worker_must_see_what_the_coordinator_sees_and_have_its_versions(tmp_path: Path) -> None:
    ours = pack_versions("parquet")
    assert ours.keys() - pack_versions("webdataset").keys() == {"pyarrow"}
    assert problem_of(look({"the root": str(tmp_path)}, "parquet"), ours) is None
    paths = {"the root": str(tmp_path), "/shards": str(tmp_path / "probe")}
    assert problem_of(look(paths, "parquet"), ours) == (
        "it does not see /shards, which must be on a filesystem that all machines share"
    )
    other = PackFacts(ours | {"pyarrow": "20.0.0"})
    assert (problem_of(other, ours) or "").startswith("it has pyarrow 20.0.0, and this is ")


@pytest.mark.parametrize(
    ("form", "package", "says"),
    [("parquet", "pyarrow", "Parquet needs the package pyarrow"), ("tfrecord", "google_crc32c", "TFRecord needs")],
)
def test_a_worker_without_the_library_of_the_format_is_refused(
    form: str, package: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checksum_function.cache_clear()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, package, None)
        problem = problem_of(look({}, form), {})
    assert (problem or "").startswith(says)
