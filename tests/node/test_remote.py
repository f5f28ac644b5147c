"""A worker in a process of its own does what one in this process does, and is replaced when it dies."""

import base64
import hashlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trio
from builders import THUMB, job

from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, ServerFault, Site
from oidl.errors import OidlError
from oidl.imaging.photo import photo
from oidl.model import ORIGINAL, Done, Failure, Fetched, Job, Reason, Rendition, Source
from oidl.net.answer import Download
from oidl.net.client import tls_context
from oidl.net.request import Request
from oidl.node.local import new_local_worker
from oidl.node.pool import Arrivals, open_workers
from oidl.node.remote import ChildWorker
from oidl.node.worker import Worker, WorkerDiedError
from oidl.settings import FileNames, Imaging, Layout, NetworkSettings, SourceSettings, WorkerSettings
from oidl.storage.atomic import PART_DIRECTORY

PHOTO = photo(1, 120, 90)
MD5 = base64.b64encode(hashlib.md5(PHOTO).digest()).decode()
PATH = "/1_o.jpg"
SAVED = Rendition(ORIGINAL, "images-original")

pytestmark = pytest.mark.slow


@dataclass
class Run:
    """A run that workers belong to: what they ask, what they report."""

    root: Path
    name_files_by: FileNames = FileNames.IMAGE_ID
    always_download: bool = False
    claimed: list[tuple[str, str]] = field(default_factory=list)
    replaced: list[list[tuple[str, str]]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    bytes: int = 0

    async def claim_name(self, name: str, image_id: str) -> bool:
        self.claimed.append((name, image_id))
        return True

    async def before_replace(self, files: list[tuple[str, str]]) -> None:
        self.replaced.append(files)

    def count(self, count: int) -> None:
        self.bytes += count

    @property
    def settings(self) -> WorkerSettings:
        layout = Layout(self.root, "2017_11", name_files_by=self.name_files_by)
        originals = SourceSettings(always_download=self.always_download)
        return WorkerSettings(3, NetworkSettings(), layout, originals, Imaging(), 2, "0a1b2c3d", log_level=logging.INFO)


@asynccontextmanager
async def child(run: Run) -> AsyncIterator[ChildWorker]:
    async with trio.open_nursery() as nursery:
        worker = ChildWorker(run.settings, run, run.count, run.messages.append)
        nursery.start_soon(worker.run)
        with trio.fail_after(60):
            yield worker
        nursery.cancel_scope.cancel()


def children() -> list[int]:
    """The processes that this one has started and that have not ended."""
    lists = [(task / "children").read_text("ascii") for task in Path("/proc/self/task").iterdir()]
    pids = [int(pid) for text in lists for pid in text.split()]
    return [pid for pid in pids if b"oidl.node.child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def item(url: str, *missing: Rendition, **changes: object) -> Job:
    return job(1, missing or (SAVED, THUMB), original_url=url, original_size=len(PHOTO), original_md5=MD5, **changes)


def run_with_site(main: Callable[[str], Awaitable[None]]) -> None:
    """Runs `main` with the URL of a photo; one with `slow` after it takes two seconds."""
    slow = CannedResponse(PHOTO, behaviour=ServerFault.SLOW, bytes_per_s=len(PHOTO) / 2)
    site = Site({PATH: CannedResponse(PHOTO), f"{PATH}slow": slow})

    async def serving() -> None:
        async with trio.open_nursery() as nursery:
            url = await nursery.start(serve, site) + PATH
            await main(url)
            nursery.cancel_scope.cancel()

    trio.run(serving)
    assert children() == []


def request(url: str) -> Request:
    return Request(url, Download(url, Source.ORIGINAL, len(PHOTO), len(PHOTO)))


async def fetch(worker: Worker, url: str) -> Any:
    connection = worker.new_connection()
    answer = await connection.ask(request(url), connection.new_body(30.0))
    await connection.aclose()
    return answer


def test_it_does_what_a_worker_in_this_process_does(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        here, there = Run(tmp_path / "here"), Run(tmp_path / "there")

        async def arrived(count: int) -> None:
            here.count(count)

        local = new_local_worker(here.settings, tls_context(), here, arrived)
        fetched = await fetch(local, url)
        expected = await local.process(item(url), fetched)
        assert isinstance(expected, Done)
        async with child(there) as worker:
            kept = await fetch(worker, url)
            assert isinstance(kept, Fetched)
            assert (kept.body, kept.size, kept.worker, kept.url) == (b"", len(PHOTO), 3, fetched.url)
            assert await worker.process(item(url), kept) == expected
            assert worker.load == 0
            assert there.bytes == here.bytes == len(PHOTO)
            again = item(url, THUMB, saved_original=expected.files[0].path)
            from_disk = await worker.read_original(again)
            assert from_disk is not None
            assert (from_disk.source, from_disk.size) == (Source.LOCAL, len(PHOTO))
            done = await worker.process(again, from_disk)
            assert isinstance(done, Done)
            assert done.files == expected.files[1:]
        for file in expected.files:
            assert (tmp_path / "there" / file.path).read_bytes() == (tmp_path / "here" / file.path).read_bytes()

    run_with_site(main)


def test_a_failed_request_is_a_failure_of_the_same_kind(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        async with child(Run(tmp_path)) as worker:
            failure = await fetch(worker, url + "x")
            assert isinstance(failure, Failure)
            assert (failure.reason, failure.http_status) == (Reason.NOT_FOUND, 404)
            assert worker.load == 0

    run_with_site(main)


def test_what_only_the_coordinator_may_do_it_does(tmp_path: Path) -> None:
    run = Run(tmp_path, FileNames.FLICKR, always_download=True)

    async def main(url: str) -> None:
        named = item(url, THUMB)
        async with child(run) as worker:
            result = await worker.process(named, await fetch(worker, url))
            assert isinstance(result, Done)

    run_with_site(main)
    assert run.replaced == [[(job(1).image_id, "thumbs")]]


def test_bytes_are_reported_while_they_arrive(tmp_path: Path) -> None:
    run = Run(tmp_path)

    async def main(url: str) -> None:
        async with child(run) as worker, trio.open_nursery() as nursery:
            await fetch(worker, f"{url}x")  # waits until the process has started
            connection = worker.new_connection()
            body = connection.new_body(30.0)
            nursery.start_soon(connection.ask, request(f"{url}slow"), body)
            await trio.sleep(1)
            assert 0 < body.size < len(PHOTO)
            assert body.total == len(PHOTO)
            assert 0 < run.bytes < len(PHOTO)

    run_with_site(main)
    assert run.bytes == len(PHOTO)


def test_its_death_fails_what_it_had_and_the_next_one_works(tmp_path: Path) -> None:
    run = Run(tmp_path)

    async def main(url: str) -> None:
        async with child(run) as worker:
            kept = await fetch(worker, url)
            connection = worker.new_connection()
            async with trio.open_nursery() as nursery:

                async def be_interrupted() -> None:
                    with pytest.raises(WorkerDiedError) as died:
                        await connection.ask(request(f"{url}slow"), connection.new_body(30.0))
                    assert (died.value.was_processing, died.value.was_killed) == (False, True)

                nursery.start_soon(be_interrupted)
                await trio.sleep(0.1)
                (pid,) = children()
                os.kill(pid, signal.SIGKILL)
            with pytest.raises(WorkerDiedError) as died:
                await worker.process(item(url), kept)
            assert not died.value.was_processing
            result = await worker.process(item(url), await fetch(worker, url))
            assert isinstance(result, Done)
            assert children() != [pid]
            assert isinstance(await connection.ask(request(url), connection.new_body(30.0)), Fetched)

    run_with_site(main)
    assert run.messages == [
        "a worker process was killed (SIGKILL, perhaps for lack of memory); another one takes over its images"
    ]
    assert list(tmp_path.rglob(f"{PART_DIRECTORY}/*")) == []


def test_one_that_cannot_start_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys; print('no luck', file=sys.stderr, flush=True); os._exit(7)\n", "utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    async def main() -> None:
        async with child(Run(tmp_path)):
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as failed:
        trio.run(main)
    (error,) = failed.value.exceptions
    assert isinstance(error, OidlError)
    assert error.message == "worker processes fail: the last one ended by itself (exit code 7: no luck)"
    assert error.hint == "try `--processes 1`"
    printed = "a worker process printed before it ended by itself (exit code 7: no luck):\nno luck"
    assert caplog.messages == [printed] * 5


def die_at_first(directory: Path, monkeypatch: pytest.MonkeyPatch, processes: int, how: str) -> None:
    """Lets the first `processes` that start end with `how`, before anything else."""
    (directory / "sitecustomize.py").write_text(
        "import os, pathlib, signal\n"
        f"with pathlib.Path({str(directory)!r}, 'started').open('ab', buffering=0) as file:\n"
        "    file.write(b'x')\n"
        f"    if file.tell() <= {processes}:\n        {how}\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(str(directory))


def test_deaths_by_others_are_no_reason_to_give_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    die_at_first(tmp_path, monkeypatch, 6, "os.kill(os.getpid(), signal.SIGKILL)")
    run = Run(tmp_path)

    async def main() -> None:
        async with child(run) as worker:
            await worker.has_started.wait()

    trio.run(main)
    assert len(run.messages) == 6


def test_processes_that_die_before_they_have_started_are_waited_for_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_at_first(tmp_path, monkeypatch, 3, "os._exit(7)")
    run = Run(tmp_path)

    async def main() -> None:
        arrivals = Arrivals(none_to_wait_for, run.count)
        with trio.fail_after(60):
            async with open_workers(2, run.settings, tls_context(), run, arrivals, run.messages.append) as workers:
                assert all(worker.load == 0 for worker in workers.members[:2])

    trio.run(main)
    death = "a worker process ended by itself (exit code 7); another one takes over its images"
    assert sorted(run.messages) == [death] * 3 + ["images are processed in 2 worker processes"]


async def none_to_wait_for(count: int) -> None:
    pass


def test_it_ends_at_once_when_the_coordinator_has_gone() -> None:
    program = """
import os, signal, trio
from pathlib import Path
from test_remote import Run, child, children

async def main():
    async with child(Run(Path("/nowhere"))) as worker:
        await worker.call("close", 1)
        print(children()[0], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

trio.run(main)
"""
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    ended = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, check=False, env=os.environ | {"PYTHONPATH": paths}
    )
    assert ended.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while is_alive(int(ended.stdout)):
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return False


_MORTAL = """
import os, signal, sys
if "oidl.node.child" in sys.orig_argv:
    from oidl.node.process import Processor
    Processor.process = lambda self, job, fetched: os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.mark.parametrize("has_job", [True, False])
def test_it_is_known_at_which_image_it_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_job: bool) -> None:
    (tmp_path / "sitecustomize.py").write_text(_MORTAL, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))

    async def main(url: str) -> None:
        poison = item(url)
        async with child(Run(tmp_path)) as worker:
            for _ in range(4):
                connection = worker.new_connection()
                asked = replace(request(url), job=poison if has_job else None)
                fetched = await connection.ask(asked, connection.new_body(30.0))
                assert isinstance(fetched, Fetched), "the body was whole before its worker died"
                with pytest.raises(WorkerDiedError) as died:
                    await worker.process(poison, fetched)
                assert (died.value.was_processing, died.value.was_killed) == (True, False)
                assert worker.load > 1000, "others come first as long as it has not started again"
                while worker.load:  # noqa: ASYNC110
                    await trio.sleep(0.01)

    run_with_site(main)
