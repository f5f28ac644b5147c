"""The program as people start it, on a small Open Images that a loopback server treats as badly as life does.

Each dataset is made once per session. Every test gets its own server on the same
ports, with answers that it may spoil, and a log of the requests.
"""

import hashlib
import os
import pty
import random
import re
import socket
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio
from refusals import assert_one_clear_line

from oidl.cli import main
from oidl.demo.listing import Demo, DemoImage, make_demo
from oidl.demo.scenarios import FINE, REALISTIC
from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, Site

from .browsing import in_browser as in_browser
from .browsing import look as look

_HOSTS = 3
_PATIENCE_S = 30.0
CONFIRM_AFTER = "0.1"
"""Seconds between the tries of what may be the network's fault; none of these servers is a login page for a while."""

_QUICK = ("fine", "unavailable", "not found", "gone", "page", "placeholder", "published cut short", "no length")


@contextmanager
def _serving(site: Site, ports: tuple[int, ...]) -> Iterator[None]:
    """Serves `site` at `ports` of 127.0.0.1, from a thread that runs Trio."""
    token: list[trio.lowlevel.TrioToken] = []
    end = trio.Event()
    ready = threading.Event()
    errors: list[BaseException] = []

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            for port in ports:
                await nursery.start(partial(serve, site, port=port))
            token.append(trio.lowlevel.current_trio_token())
            ready.set()
            await end.wait()
            nursery.cancel_scope.cancel()

    def thread() -> None:
        try:
            trio.run(work)
        except BaseException as error:  # for the test to raise
            errors.append(error)
            ready.set()

    server = threading.Thread(target=thread, name="loopback server")
    server.start()
    ready.wait(_PATIENCE_S)
    try:
        if not errors:
            yield
    finally:
        if not errors:
            token[0].run_sync_soon(end.set)
        server.join(_PATIENCE_S)
        if errors:
            raise errors[0]


@dataclass
class Loopback:
    """One dataset while it is served: what is in it, and what was asked for. `site` is the test's own."""

    demo: Demo
    site: Site
    catalogue: Path
    gate: threading.Event = field(default_factory=threading.Event)

    @property
    def images(self) -> tuple[DemoImage, ...]:
        return self.demo.images

    @property
    def list_path(self) -> str:
        return self._archive("images_")

    @property
    def annotations_path(self) -> str:
        return self._archive("annotations_")

    @property
    def requests(self) -> Counter[str]:
        """Requests for images, by path."""
        return Counter({path: count for path, count in self.site.requests.items() if not path.endswith(".tar.gz")})

    def requests_of(self, image: DemoImage) -> int:
        return self.site.requests[urlsplit(image.image.original_url).path]

    def path_of(self, image: DemoImage) -> str:
        return urlsplit(image.image.original_url).path

    def block_images(self) -> None:
        """Lets every image wait on the server until `gate` is set."""

        def behind_the_gate(body: Path) -> bytes:
            self.gate.wait(_PATIENCE_S)
            return body.read_bytes()

        for image in self.images:
            path = self.path_of(image)
            body = self.site.answers[path].body
            assert isinstance(body, Path)
            self.site.answers[path] = CannedResponse(partial(behind_the_gate, body))

    def rows(self) -> dict[str, list[bytes]]:
        """The published rows by subset, in published order, read from the archive that is served."""
        body = self.site.answers[self.list_path].body
        assert isinstance(body, Path)
        with tarfile.open(body) as tar:
            return {
                Path(member.name).parent.name: tar.extractfile(member).read().splitlines(keepends=True)[1:]  # type: ignore[union-attr]
                for member in tar
            }

    def _archive(self, name: str) -> str:
        return next(path for path in self.site.answers if path.rpartition("/")[2].startswith(name))


class Oidl:
    """Runs `oidl` in `cwd` with an environment that has no `OIDL_*` but what is given."""

    def __init__(self, cwd: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.cwd = cwd
        self._capfd = capfd
        self._monkeypatch = monkeypatch
        self._processes: list[subprocess.Popen[str]] = []

    def __call__(self, *arguments: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """In this process, which is half a second sooner."""
        typed = [str(argument) for argument in arguments]
        self._capfd.readouterr()
        with self._monkeypatch.context() as patch:
            patch.chdir(self.cwd)
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            code = main(typed)
        said = self._capfd.readouterr()
        return subprocess.CompletedProcess(typed, int(code), said.out, said.err)

    def process(
        self, *arguments: object, env: Mapping[str, str] | None = None, program: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """In a process of its own, to its end."""
        process = self.start(*arguments, env=env, program=program)
        return self.end(process)

    def start(
        self, *arguments: object, env: Mapping[str, str] | None = None, program: str = ""
    ) -> subprocess.Popen[str]:
        """In a process of its own; `program` is Python code to run instead of `python -m oidl`."""
        command = [sys.executable, "-W", "error", *(["-c", program] if program else ["-m", "oidl"])]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OIDL_")}
        clean["OIDL_CONFIRM_AFTER"] = CONFIRM_AFTER
        process = subprocess.Popen(
            [*command, *map(str, arguments)],
            cwd=self.cwd,
            env=clean | dict(env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        """What a started process came to."""
        out, err = process.communicate(timeout=_PATIENCE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture(scope="session")
def ports() -> tuple[int, ...]:
    """Three ports that nobody listens on, outside the range that the system takes its own from.

    Each process of tests has ports of its own to choose from, because it uses them only now and then.
    """
    free: list[int] = []
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    width = 10_000 // processes
    numbers = list(range(20_000 + number * width, 20_000 + (number + 1) * width))
    random.Random(os.getpid()).shuffle(numbers)
    while len(free) < _HOSTS:
        with socket.socket() as probe:
            port = numbers.pop()
            if probe.connect_ex(("127.0.0.1", port)):
                free.append(port)
    return tuple(free)


@pytest.fixture(scope="session")
def base_urls(ports: tuple[int, ...]) -> list[str]:
    return [f"http://127.0.0.1:{port}" for port in ports]


@pytest.fixture(scope="session")
def mixed_dataset(tmp_path_factory: pytest.TempPathFactory, base_urls: list[str]) -> Demo:
    """48 images of V3, all scenarios among them."""
    return make_demo(tmp_path_factory.mktemp("mixed"), version="3", base_urls=base_urls[:2], images=48)


@pytest.fixture(scope="session")
def fine_dataset(tmp_path_factory: pytest.TempPathFactory, base_urls: list[str]) -> Demo:
    """24 images of V3, all of them fine, on two hosts."""
    return make_demo(
        tmp_path_factory.mktemp("fine"), version="3", base_urls=base_urls[:2], images=24, scenarios=(FINE,), seed=4
    )


@pytest.fixture(scope="session")
def quick_dataset(tmp_path_factory: pytest.TempPathFactory, base_urls: list[str]) -> Demo:
    """28 images of V3 of the scenarios that need no second try, which would cost a second."""
    scenarios = tuple(scenario for scenario in REALISTIC if scenario.name in _QUICK)
    return make_demo(
        tmp_path_factory.mktemp("quick"), version="3", base_urls=base_urls[:2], images=28, scenarios=scenarios, seed=5
    )


@pytest.fixture(scope="session")
def annotated_dataset(tmp_path_factory: pytest.TempPathFactory, base_urls: list[str]) -> Demo:
    """60 images of V7, all of them fine, with boxes, labels, masks, relationships and points."""
    return make_demo(tmp_path_factory.mktemp("annotated"), base_urls=base_urls[:2], images=60, scenarios=(FINE,))


@pytest.fixture
def served(tmp_path: Path, ports: tuple[int, ...]) -> Iterator[Callable[..., Loopback]]:
    """Serves a dataset until the test ends; `site` is one to fill with its answers."""
    with ExitStack() as servers:

        def start(demo: Demo, site: Site | None = None) -> Loopback:
            site = site or Site()
            site.answers |= demo.site.answers
            catalogue = tmp_path / "catalogue.toml"
            catalogue.write_text(demo.catalogue_toml, "utf-8")
            loopback = Loopback(demo, site, catalogue)
            servers.enter_context(_serving(site, ports))
            servers.callback(loopback.gate.set)
            return loopback

        yield start


@pytest.fixture
def fine(served: Callable[..., Loopback], fine_dataset: Demo) -> Loopback:
    return served(fine_dataset)


@pytest.fixture
def served_archive(fine: Loopback) -> Callable[[str, bytes], None]:
    """Publishes other bytes as an archive, with a catalogue that vouches for them."""

    def publish(path: str, body: bytes) -> None:
        fine.site.answers[path] = CannedResponse(body, content_type="application/gzip")
        before, entry, after = fine.catalogue.read_text().partition(f'name = "{path.rpartition("/")[2]}"')
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        after = re.sub(r"bytes = \d+", f"bytes = {len(body)}", after, count=1)
        after = re.sub(r'md5 = "\w+"', f'md5 = "{md5}"', after, count=1)
        fine.catalogue.write_text(before + entry + after)

    return publish


@pytest.fixture
def annotated(served: Callable[..., Loopback], annotated_dataset: Demo) -> Loopback:
    return served(annotated_dataset)


@pytest.fixture
def mixed(served: Callable[..., Loopback], mixed_dataset: Demo) -> Loopback:
    return served(mixed_dataset)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root directory that is not there yet."""
    return tmp_path / "root"


@pytest.fixture
def oidl(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Oidl]:
    for name in [name for name in os.environ if name.startswith("OIDL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OIDL_CONFIRM_AFTER", CONFIRM_AFTER)
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    runner = Oidl(cwd, capfd, monkeypatch)
    yield runner
    runner.close()


@pytest.fixture
def run(oidl: Oidl, root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`oidl run` on a dataset into `root`, with these options and no others: `run(fine, "--limit=3")`."""

    def start(loopback: Loopback, *arguments: object) -> subprocess.CompletedProcess[str]:
        return oidl("run", "--new-plan", f"--root-dir={root}", f"--catalogue={loopback.catalogue}", *arguments)

    return start


@pytest.fixture
def load(oidl: Oidl, root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`oidl annotations load` from a dataset into `root`."""

    def start(loopback: Loopback, *arguments: object) -> subprocess.CompletedProcess[str]:
        return oidl("annotations", "load", f"--root-dir={root}", f"--catalogue={loopback.catalogue}", *arguments)

    return start


@pytest.fixture
def ask(root: Path) -> Callable[..., list[tuple]]:
    """The rows that a query on the state database gives."""

    def query(sql: str, *values: object, database: Path = root / "oidl.sqlite3") -> list[tuple]:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as db:
            return db.execute(sql, values).fetchall()

    return query


@pytest.fixture
def tell(root: Path) -> Callable[..., None]:
    """Runs one statement on the state database, as its owner may."""

    def execute(sql: str, *values: object, database: Path = root / "oidl.sqlite3") -> None:
        with closing(sqlite3.connect(database)) as db, db:
            db.execute(sql, values)

    return execute


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    def wait(condition: Callable[[], object]) -> None:
        """Returns when `condition()` is true; fails when that takes too long."""
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.005)

    return wait


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes]]:
    """The files below a directory, with their bytes; `{}` if there is no such directory."""

    def files(directory: Path) -> dict[str, bytes]:
        return {
            path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
        }

    return files


@pytest.fixture
def exported_as_published(root: Path) -> Callable[[Loopback], None]:
    """Asserts that the CSVs, less the last column of the failures, hold every published row once, byte for byte."""

    def check(loopback: Loopback) -> None:
        for subset, rows in loopback.rows().items():
            published = {row[:16]: row for row in rows}
            directory = root / "2017_11" / subset
            had = (directory / "images-success.csv").read_bytes().splitlines(keepends=True)[1:]
            missed = (directory / "images-failure.csv").read_bytes().splitlines(keepends=True)[1:]
            assert sorted(row[:16] for row in had + missed) == sorted(published)
            assert all(row == published[row[:16]] for row in had)
            assert all(row.startswith(published[row[:16]].rstrip(b"\n") + b",") for row in missed)

    return check


@pytest.fixture
def terminal(oidl: Oidl) -> Callable[..., AbstractContextManager[tuple[subprocess.Popen[bytes], Callable[..., str]]]]:
    """Starts `oidl` on a pseudo-terminal: its process, and what reads from it until given texts came."""

    @contextmanager
    def start(*arguments: object) -> Iterator[tuple[subprocess.Popen[bytes], Callable[..., str]]]:
        mine, its = pty.openpty()
        command = [sys.executable, "-W", "error", "-m", "oidl", *map(str, arguments)]
        process = subprocess.Popen(command, cwd=oidl.cwd, stdin=its, stdout=its, stderr=its, close_fds=True)
        os.close(its)

        def read_until(*texts: str) -> str:
            """What comes until all of `texts` came, one after the other."""
            seen, found = "", 0
            for text in texts:
                while (at := seen.find(text, found)) < 0:
                    seen += os.read(mine, 65_536).decode()
                found = at + len(text)
            return seen

        try:
            yield process, read_until
        finally:
            process.kill()
            process.wait()
            os.close(mine)

    return start


@pytest.fixture
def refused(run, tmp_path: Path, tree, fine) -> Callable[..., str]:
    """Runs, and asserts the exit code, one line (and perhaps a hint) on stderr, and nothing outside the root."""

    def check(code: int, *arguments: object, names: str, loopback: Loopback | None = None) -> str:
        before = {path: body for path, body in tree(tmp_path).items() if not path.startswith("root/")}
        ended = run(loopback or fine, *arguments)
        assert ended.returncode == code, ended
        assert_one_clear_line(ended.stderr)
        assert names in ended.stderr
        assert "Traceback" not in ended.stdout + ended.stderr
        assert {path: body for path, body in tree(tmp_path).items() if not path.startswith("root/")} == before
        return ended.stderr

    return check


@pytest.fixture
def list_of(tmp_path: Path) -> Callable[..., Path]:
    """A file with this content, in the place of an image list."""

    def write(content: bytes, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write
