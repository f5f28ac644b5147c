"""A run on a made-up cluster: every image has one outcome, whatever becomes of the nodes."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import trio
from builders import job
from clusters import DONE, ClusterHarness, FakeWorker

from oidl.cluster.protocol import Facts
from oidl.model import Done, Failure, Job, Reason, Source
from oidl.node.frames import Call, Reply


def three(**changes: object) -> dict[str, FakeWorker]:
    return {f"tcp://w:{number}": FakeWorker(**changes) for number in range(3)}  # type: ignore[arg-type]


def test_all_nodes_share_the_images_and_end_with_the_run() -> None:
    run = ClusterHarness(three(), images=3000).run()
    assert len(run.results) == 3000
    assert run.end == "over"
    counts = [len(each.done) for each in run.workers.values()]
    assert sum(counts) == 3000
    assert max(counts) < 1.5 * min(counts)
    assert run.ended_s < 15
    assert run.said == []
    assert run.truth.fenced == []


def test_a_node_has_done_the_images_that_did_not_fail() -> None:
    def result_of(job: Job) -> Failure | Done:
        return Failure(Reason.GONE) if int(job.image_id, 16) % 4 == 0 else DONE

    run = ClusterHarness({"a": FakeWorker(result_of=result_of)}, images=1000).run()
    assert run.heard[-1].images == 750


def test_the_rate_of_a_node_is_that_of_the_last_seconds_and_falls_while_it_has_nothing_to_do() -> None:
    rates: list[float] = []

    async def watch(run: ClusterHarness) -> None:
        for _ in range(5):
            await trio.sleep(3.5)
            rates.append(run.heard[-1].images_per_s)

    run = ClusterHarness({"a": FakeWorker(per_s=100)}, images=1000, meanwhile=watch, ends_after_s=20).run()
    assert len(run.results) == 1000
    assert rates[:2] == [pytest.approx(100, rel=0.1)] * 2
    assert 15 < rates[4] < 75


def test_exchanges_of_a_life_are_numbered() -> None:
    run = ClusterHarness(three()).run()
    for worker in run.workers.values():
        assert worker.numbers == list(range(1, len(worker.numbers) + 1))


def test_a_node_gets_more_the_faster_it_is() -> None:
    workers = {"slow": FakeWorker(per_s=20), "fast": FakeWorker(per_s=400)}
    run = ClusterHarness(workers, images=4000).run()
    assert len(run.results) == 4000
    assert len(workers["fast"].done) > 8 * len(workers["slow"].done)


def test_a_worker_that_joins_later_helps() -> None:
    async def join(run: ClusterHarness) -> None:
        await trio.sleep(5)
        run.workers["late"] = FakeWorker()

    run = ClusterHarness({"first": FakeWorker()}, images=3000, meanwhile=join).run()
    assert len(run.results) == 3000
    assert len(run.workers["late"].done) > 500


def test_what_a_killed_worker_had_is_done_by_others() -> None:
    async def kill(run: ClusterHarness) -> None:
        await trio.sleep(3.5)
        del run.workers["tcp://w:1"]

    run = ClusterHarness(three(), images=3000, meanwhile=kill, restarts=False).run()
    assert len(run.results) == 3000
    assert all(each for each in run.results.values())


def test_a_frozen_node_is_lost_and_its_late_answers_do_not_count() -> None:
    frozen = FakeWorker()

    async def freeze(run: ClusterHarness) -> None:
        await trio.sleep(3.5)
        frozen.is_frozen = True
        await trio.sleep(80)
        frozen.is_frozen = False

    run = ClusterHarness({"a": frozen, "b": FakeWorker()}, images=30_000, meanwhile=freeze).run()
    assert len(run.results) == 30_000
    assert run.said == ["node a does not answer any more; what it had in progress is done again"]
    assert len(run.truth.fenced) == 1
    assert frozen.lives == 2  # it got another life when it was awake


def test_an_image_is_not_to_blame_for_nodes_that_fall_asleep() -> None:
    worker = FakeWorker(per_s=0)

    async def freeze(run: ClusterHarness) -> None:
        for lives in range(10):
            while not worker.jobs or worker.lives == lives:  # noqa: ASYNC110
                await trio.sleep(0.5)
            worker.is_frozen = True
            await trio.sleep(80)
            worker.is_frozen = False
        worker.per_s = 100

    run = ClusterHarness({"a": worker}, images=1, meanwhile=freeze).run()
    assert worker.lives > 6
    assert all(isinstance(each, Done) for each in run.results.values())


def test_an_image_that_kills_every_node_ends_as_corrupt() -> None:
    deadly = frozenset({job(77).image_id})
    run = ClusterHarness(three(deadly=deadly), images=1000).run()
    failed = {number: each for number, each in run.results.items() if isinstance(each, Failure)}
    assert list(failed) == [77]
    assert failed[77].reason is Reason.CORRUPT
    assert len(run.results) == 1000


def test_a_worker_with_other_versions_is_refused_by_name() -> None:
    workers = {"good": FakeWorker(), "old": FakeWorker(versions={"oidl": "0.0.9"})}

    def check(facts: Facts) -> str | None:
        return "it has oidl 0.0.9" if facts.versions else None

    run = ClusterHarness(workers, images=500, check=check).run()
    assert run.said == ["old is refused: it has oidl 0.0.9"]
    assert len(workers["good"].done) == 500
    assert workers["old"].lives == 0


def test_a_node_that_cannot_work_is_excluded_and_its_images_go_elsewhere() -> None:
    workers = {"good": FakeWorker(), "bad": FakeWorker(problem="worker processes fail")}
    run = ClusterHarness(workers, images=2000).run()
    assert run.said == ["node bad is excluded: worker processes fail"]
    assert len(run.results) == 2000
    assert workers["bad"].lives == 1


def test_questions_of_nodes_are_answered() -> None:
    call = Call(7, "open_shard", ("r", "train"))
    worker = FakeWorker(calls=[call, Call(0, "shard_is_full", (1, 2))])
    run = ClusterHarness({"a": worker}).run()
    assert {each.method for _, each in run.truth.called} == {"open_shard", "shard_is_full"}
    assert worker.replies == [Reply(7, "answered")]


def test_the_first_ctrl_c_drains_every_node() -> None:
    async def interrupt(run: ClusterHarness) -> None:
        await trio.sleep(5.5)
        run.stop.interrupt()

    run = ClusterHarness(three(), images=100_000, meanwhile=interrupt).run()
    assert run.end == "stopped"
    done = [each for each in run.results.values() if each]
    assert 1000 < len(done) < 3000
    assert len(run.results) < 10_000
    assert run.ended_s < 10


def test_the_second_ctrl_c_ends_at_once() -> None:
    async def interrupt(run: ClusterHarness) -> None:
        await trio.sleep(5.5)
        run.stop.interrupt()
        run.stop.interrupt()

    run = ClusterHarness(three(), images=100_000, meanwhile=interrupt).run()
    assert run.ended_s == pytest.approx(5.5)


def test_a_node_that_cannot_keep_its_shards_is_excluded_if_there_are_others() -> None:
    failed = Call(0, "shard_failed", (7, "s3://x could not be uploaded"))
    workers = {"good": FakeWorker(), "bad": FakeWorker(calls=[failed])}
    run = ClusterHarness(workers, images=1000).run()
    assert run.said == ["node bad is excluded: s3://x could not be uploaded; other nodes fetch its images"]
    assert run.truth.called == []
    assert workers["bad"].done
    assert len(workers["good"].done) == len(run.results) == 1000


def test_only_the_coordinator_decides_about_the_last_node_that_cannot_keep_its_shards() -> None:
    failed = Call(0, "shard_failed", (7, "s3://x could not be uploaded"))
    run = ClusterHarness({"only": FakeWorker(calls=[failed])}, images=100).run()
    assert [call for _, call in run.truth.called] == [failed]
    assert run.said == []


def test_a_node_that_waits_for_a_reply_gets_it_with_the_next_exchange() -> None:
    worker = FakeWorker(calls=[Call(1, "open_shard", ("r", "train"))])
    run = ClusterHarness({"only": worker}, images=500)
    run.truth.answers_after_s = 0.1
    run.run()
    assert worker.replied_in == [2]


def test_a_run_without_workers_says_so_and_goes_on_when_one_comes() -> None:
    async def join(run: ClusterHarness) -> None:
        await trio.sleep(100)
        run.workers["late"] = FakeWorker()

    run = ClusterHarness({}, images=100, meanwhile=join).run()
    assert run.said == ["waiting for a worker that can take part"]
    assert len(run.results) == 100


def test_a_run_whose_workers_are_all_refused_or_excluded_ends_after_ten_minutes() -> None:
    run = ClusterHarness({"only": FakeWorker(problem="worker processes fail")}, images=100).run()
    assert run.said == ["node only is excluded: worker processes fail", "waiting for a worker that can take part"]
    assert run.stop.limit == "no worker of the cluster can take part; the messages above say why"
    assert run.ended_s == pytest.approx(601, abs=3)
    assert set(run.results.values()) == {None}


def failing(reason: Reason) -> Callable[[Job], Failure]:
    return lambda job: Failure(reason, source=Source.ORIGINAL)


@pytest.mark.parametrize("reason", [Reason.DNS, Reason.DISK, Reason.NOT_AN_IMAGE])
def test_a_node_whose_images_all_fail_alike_is_excluded_and_others_do_them(reason: Reason) -> None:
    workers = {"a": FakeWorker(), "bad": FakeWorker(result_of=failing(reason)), "c": FakeWorker()}
    run = ClusterHarness(workers, images=3000).run()
    assert sum(each != DONE for each in run.results.values()) < 10  # so few say nothing about a node
    assert len(run.results) == 3000
    assert [text.partition(";")[0] for text in run.said] == [
        f"node bad is excluded: its images fail for one reason, {reason}, and those of other nodes do not"
    ]
    assert workers["bad"].lives == 1


def test_results_that_are_alike_on_all_nodes_count() -> None:
    run = ClusterHarness(three(result_of=failing(Reason.DNS)), images=1000).run()
    assert {each.reason for each in run.results.values()} == {Reason.DNS}
    assert len(run.results) == 1000
    assert run.said == []


def test_a_node_that_is_alone_is_not_excluded() -> None:
    run = ClusterHarness({"a": FakeWorker(result_of=failing(Reason.DISK))}, images=100).run()
    assert {each.reason for each in run.results.values()} == {Reason.DISK}
    assert run.said == []


def test_images_that_fail_as_they_did_before_say_nothing_about_their_node() -> None:
    known = Reason.FORBIDDEN
    bad = FakeWorker(result_of=lambda job: replace(DONE) if int(job.image_id, 16) <= 1000 else Failure(known))
    run = ClusterHarness({"a": FakeWorker(), "b": bad}, images=2000, reason=known).run()
    assert run.said == []
    assert len(run.results) == 2000
