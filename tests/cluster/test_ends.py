"""The ends of the stages of a node: what arrives is either taken or given back."""

import trio
from builders import job

from oidl.cluster.ends import JobFeed
from oidl.node.attempt import Outcome


def test_jobs_that_a_draining_node_does_not_take_are_given_back() -> None:
    given_back: list[Outcome] = []

    async def main() -> None:
        sender, arrived = trio.open_memory_channel[object](10)
        jobs_in, jobs = trio.open_memory_channel[object](0)
        for number in (1, 2, 3):
            sender.send_nowait(job(number))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(JobFeed(arrived, given_back.append).run, jobs_in)  # type: ignore[arg-type]
            assert await jobs.receive() == job(1)
            await jobs.aclose()  # as the scheduler does when it drains

    trio.run(main)
    assert given_back == [Outcome(job(2), None), Outcome(job(3), None)]
