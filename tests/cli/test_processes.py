"""`--processes`: several processes do what one does, keep the same limits, and may die."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oidl.demo.listing import Demo
from oidl.demo.site import ServerFault
from oidl.storage.atomic import PART_DIRECTORY

pytestmark = pytest.mark.slow

_PROCESSES = 3
_AT_ONCE_S = 10.0  # on a busy machine; the transfers would take half a minute
_OPTIONS = ("--save-original-images", "--resize-box-size=64", "--max-wait=20", "--no-download-metadata")

_MAIN = "import sys; from oidl.cli.process import main; sys.exit(main())"

# The worker that decodes one of these images dies, or hangs, as in a decoder that fails.
_MORTAL = """
import os, signal, sys, time
if "oidl.node.child" in sys.orig_argv:
    from oidl.node.process import Processor
    process = Processor.process
    def mortal(self, job, fetched):
        if job.image_id in {images}:
            {act}
        return process(self, job, fetched)
    Processor.process = mortal
"""

# The worker that is about to ask for this path dies.
_MORTAL_REQUEST = """
import os, signal, sys
if "oidl.node.child" in sys.orig_argv:
    from oidl.net.request import DirectConnection
    ask = DirectConnection.ask
    async def mortal(self, request, body):
        if request.url.endswith({path!r}):
            os.kill(os.getpid(), signal.SIGSEGV)
        return await ask(self, request, body)
    DirectConnection.ask = mortal
"""


@pytest.fixture
def start(oidl, root: Path) -> Callable[..., subprocess.Popen[str]]:
    def run(loopback: Any, *arguments: str, processes: int = _PROCESSES, **options: Any) -> subprocess.Popen[str]:
        dataset = (f"--root-dir={root}", f"--catalogue={loopback.catalogue}", f"--processes={processes}")
        return oidl.start("run", *dataset, *_OPTIONS, *arguments, **options)

    return run


@pytest.fixture
def without(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """The environment in which workers die at these images."""

    def write(*image_ids: str, act: str) -> dict[str, str]:
        home = tmp_path / "site"
        home.mkdir()
        (home / "sitecustomize.py").write_text(_MORTAL.format(images=set(image_ids), act=act), "utf-8")
        return {"PYTHONPATH": str(home)}

    return write


def workers_of(pid: int) -> list[int]:
    """The worker processes of a run."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text("ascii").split():
            command = Path(f"/proc/{child}/cmdline").read_bytes()
            found += [int(child)] if b"oidl.node.child" in command else []
    return found


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return False


def names(tree: dict[str, bytes]) -> dict[str, bytes]:
    return {path: body for path, body in tree.items() if "sqlite3" not in path}


def test_they_do_what_one_process_does(served, quick_dataset: Demo, start, oidl, ask, tree, root: Path) -> None:
    quick = served(quick_dataset)
    columns = "image_id, status, reason, detail, http_status, bytes, md5, width, height, url, source"
    made = []
    for processes in (1, _PROCESSES):
        quick.site.requests.clear()
        ended = oidl.end(start(quick, processes=processes))
        assert (ended.returncode, ended.stderr) == (0, "")
        rows = ask(f"SELECT {columns} FROM download ORDER BY image_id")
        files = ask("SELECT image_id, rendition, path, bytes, width, height FROM file ORDER BY image_id, rendition")
        made.append((rows, files, names(tree(root))))
        ((arrived,),) = ask("SELECT bytes FROM run ORDER BY id DESC LIMIT 1")
        assert arrived >= sum(row[5] or 0 for row in rows if row[1] == "done")
        root.rename(root.with_name(f"{processes}"))
    assert made[0] == made[1]


@pytest.mark.parametrize("processes", [1, _PROCESSES])
def test_the_limits_on_connections_are_those_of_all_of_them(fine, start, oidl, processes: int) -> None:
    for path in map(fine.path_of, fine.images):
        fine.site.answers[path] = replace(fine.site.answers[path], behaviour=ServerFault.SLOW, bytes_per_s=200_000)
    limits = ("--max-host-connections=2", "--max-total-connections=4")
    ended = oidl.end(start(fine, *limits, processes=processes))
    assert ended.returncode == 0
    assert fine.site.connections.peak == 4
    assert max(fine.site.connections.peak_at.values()) == 2
    assert fine.requests == {fine.path_of(listed): 1 for listed in fine.images}


@pytest.mark.parametrize(
    ("act", "how", "deaths"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was killed (SIGSEGV)", 2),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed (SIGKILL, perhaps for lack of memory)", 4),
        ("os.kill(os.getpid(), signal.SIGRTMIN + 1)", "was killed (signal 35)", 2),
        ("raise SystemExit(3)", "ended by itself (exit code 1: SystemExit: 3)", 2),
        ("os._exit(3)", "ended by itself (exit code 3)", 2),
    ],
)
def test_an_image_that_kills_its_decoder_is_corrupt_and_the_others_are_done(
    fine, start, oidl, ask, without, act: str, how: str, deaths: int
) -> None:
    image_id = fine.images[7].image.image_id
    ended = oidl.end(start(fine, "--progress=line", env=without(image_id, act=act)))
    assert ended.returncode == 0
    ((failed, reason, detail),) = ask("SELECT image_id, reason, detail FROM download WHERE status = 'failed'")
    assert (failed, reason) == (image_id, "corrupt")
    assert detail == f"{deaths} worker processes died while they decoded it; the last one {how}"
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(len(fine.images) - 1,)]
    assert ended.stdout.count(f"a worker process {how}; another one takes over its images") == deaths


def test_an_image_that_kills_who_fetches_it_fails_and_the_others_are_done(
    fine, start, oidl, ask, tmp_path: Path
) -> None:
    path = fine.path_of(fine.images[7])
    (tmp_path / "sitecustomize.py").write_text(_MORTAL_REQUEST.format(path=path), "utf-8")
    ended = oidl.end(start(fine, "--progress=line", env={"PYTHONPATH": str(tmp_path)}))
    assert ended.returncode == 0
    assert ask("SELECT url LIKE '%' || ?, reason FROM download WHERE status = 'failed'", path) == [
        (1, "internal_error")
    ]
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(len(fine.images) - 1,)]
    assert ended.stdout.count("a worker process was killed") == 3 * 4


def test_workers_that_are_killed_cost_no_image(fine, start, oidl, ask, wait_until, tree, root: Path) -> None:
    for path in map(fine.path_of, fine.images):
        fine.site.answers[path] = replace(fine.site.answers[path], behaviour=ServerFault.SLOW, bytes_per_s=150_000)
    process = start(fine, "--max-host-connections=2")
    rng = random.Random(1)
    for number in range(5, 25, 5):
        wait_until(lambda number=number: sum(fine.requests.values()) >= number)
        for pid in rng.sample(workers := workers_of(process.pid), min(2, len(workers))):
            os.kill(pid, signal.SIGKILL)
    ended = oidl.end(process)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]
    files = dict(ask("SELECT path, bytes FROM file"))
    assert {path: len(body) for path, body in tree(root).items() if path.endswith(".jpg")} == files
    assert list(root.rglob(f"{PART_DIRECTORY}/*")) == []


def test_a_coordinator_that_is_killed_leaves_no_worker(fine, start, oidl, ask, wait_until, root: Path) -> None:
    fine.block_images()
    process = start(fine)
    wait_until(lambda: sum(fine.requests.values()) >= 3)
    workers = workers_of(process.pid)
    assert len(workers) == _PROCESSES
    process.kill()
    oidl.end(process)
    wait_until(lambda: not any(map(is_alive, workers)))
    fine.gate.set()
    assert oidl.end(start(fine)).returncode == 0
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]
    assert list(root.rglob(f"{PART_DIRECTORY}/*")) == []


def test_a_worker_that_hangs_ends_with_the_coordinator(fine, start, oidl, without, wait_until, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    hang = f"open({str(seen)!r}, 'w').close(); time.sleep(600)"
    process = start(fine, env=without(*(listed.image.image_id for listed in fine.images), act=hang))
    wait_until(seen.exists)
    workers = workers_of(process.pid)
    process.kill()
    oidl.end(process)
    wait_until(lambda: not any(map(is_alive, workers)))


def test_processes_that_cannot_be_started(fine, start, oidl) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); " + _MAIN
    ended = oidl.end(start(fine, processes=40, program=limited))
    assert ended.returncode == 1
    why = "a worker process cannot be started: Too many open files"
    assert ended.stderr == f"oidl: {why}\n  use fewer, like `--processes 1`\n"


def test_ctrl_c_finishes_what_is_in_progress(fine, start, oidl, ask, wait_until) -> None:
    fine.block_images()
    process = start(fine, "--max-host-connections=2")
    wait_until(lambda: sum(fine.requests.values()) == 4)
    workers = workers_of(process.pid)
    for pid in (process.pid, *workers):  # as a terminal or a batch system does
        os.kill(pid, signal.SIGINT)
    wait_until(lambda: ask("SELECT count(*) FROM download") == [(len(fine.images),)])
    fine.gate.set()
    ended = oidl.end(process)
    assert ended.returncode == 130
    assert sum(fine.requests.values()) == 4
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(4,)]
    wait_until(lambda: not any(map(is_alive, workers)))


def test_the_second_ctrl_c_stops_at_once(fine, start, oidl, wait_until, root: Path) -> None:
    fine.block_images()
    log = root.parent / "log"
    process = start(fine, f"--log-file={log}")
    wait_until(lambda: sum(fine.requests.values()) >= 3)
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGINT)
    wait_until(lambda: "press Ctrl-C again" in log.read_text("utf-8"))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert oidl.end(process).returncode == 130
    assert time.monotonic() - began < _AT_ONCE_S
    assert not any(map(is_alive, workers))
    assert list(root.rglob(f"{PART_DIRECTORY}/*")) == []


def test_names_and_rows_that_only_the_coordinator_may_change(fine, start, oidl, ask, tree, root: Path) -> None:
    for options in (("--name-files-by=flickr",), ("--name-files-by=flickr", "--always-download")):
        ended = oidl.end(start(fine, *options))
        assert (ended.returncode, ended.stderr) == (0, "")
    files = dict(ask("SELECT path, bytes FROM file"))
    assert {path: len(body) for path, body in tree(root).items() if path.endswith(".jpg")} == files
    assert ask("SELECT status, count(*) FROM download GROUP BY 1") == [("done", len(fine.images))]


def test_originals_on_disk_are_read_by_workers(fine, start, oidl, ask) -> None:
    assert oidl.end(start(fine)).returncode == 0
    fine.site.requests.clear()
    assert oidl.end(start(fine, "--resize-mode=FillCrop", "--resized-images-subdirectory=crops")).returncode == 0
    assert not fine.requests
    assert ask("SELECT count(*) FROM file WHERE path LIKE '%crops%'") == [(len(fine.images),)]


def test_ten_images_need_no_other_process(fine, oidl, root: Path, wait_until) -> None:
    fine.block_images()
    process = oidl.start("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", "--limit=10", *_OPTIONS)
    wait_until(lambda: sum(fine.requests.values()) >= 3)
    assert workers_of(process.pid) == []
    fine.gate.set()
    assert oidl.end(process).returncode == 0


@pytest.mark.parametrize(
    ("typed", "message"),
    [("0", "--processes must be 1 to 256, not 0"), ("many", "--processes must be a whole number or auto, not 'many'")],
)
def test_a_number_of_processes_that_cannot_be(refused, typed: str, message: str) -> None:
    refused(2, f"--processes={typed}", names=message)


def test_the_coordinator_loads_no_imaging_library() -> None:
    program = "import sys, oidl.cli.running; print([n for n in ('numpy', 'pyvips', 'simplejpeg') if n in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert ended.stdout == "[]\n"
