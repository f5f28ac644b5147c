"""The page's process as the run sees it: it requests snapshots, receives the final one, and may end at any time."""

import json
import logging
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from oidl.progress.meter import Meter
from oidl.web.address import listen
from oidl.web.process import PageProcess

said: list[str] = []


def get(url: str) -> bytes:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=60) as answered:
        return bytes(answered.read())


def with_process(test: Callable[[PageProcess, Meter, str], Awaitable[None]], tmp_path: Path) -> None:
    """Runs `test` while a page without a database is served."""

    said.clear()

    async def main() -> None:
        address, meter = listen("0"), Meter(trio.current_time)
        page = PageProcess(address, meter, tmp_path / "none", tmp_path, {}, said.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(page.serve)
            with trio.fail_after(120):
                await test(page, meter, address.url)
            nursery.cancel_scope.cancel()

    trio.run(main)


async def ask(url: str) -> bytes:
    return await trio.to_thread.run_sync(get, url)


def test_it_serves_the_snapshots_of_the_run(tmp_path: Path) -> None:
    async def test(page: PageProcess, meter: Meter, url: str) -> None:
        assert b"<title>" in await ask(url)
        now = json.loads(await ask(f"{url}api/snapshot"))
        assert (now["source"], now["outcome"], now["pictures"]) == ("run", None, [])
        assert meter.statistics().page_url == url

    with_process(test, tmp_path)


def test_who_follows_is_told_the_end(tmp_path: Path) -> None:
    async def test(page: PageProcess, meter: Meter, url: str) -> None:
        followed: list[bytes] = []

        async def follow() -> None:
            followed.append(await ask(f"{url}events"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            while page._requested_at < 0:  # noqa: ASYNC110 - another process
                await trio.sleep(0.05)
            meter.ended("finished")
            await page.publish_final()
        assert followed[0].count(b"data: ") >= 1
        assert b'"outcome":"finished"' in followed[0]

    with_process(test, tmp_path)


def test_the_end_waits_for_no_page_that_nobody_follows(tmp_path: Path) -> None:
    async def test(page: PageProcess, meter: Meter, url: str) -> None:
        began = trio.current_time()
        meter.ended("finished")
        await page.publish_final()
        assert trio.current_time() - began < 1.4, "those who follow it would be waited for"

    with_process(test, tmp_path)
    assert said == []


@pytest.fixture
def as_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in the place of Python's program; what it reads and writes goes through its stdin."""

    def install(script: str) -> None:
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{script}")
        program.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(program))

    return install


async def until_it_has_ended() -> None:
    while not said:  # noqa: ASYNC110 - another process
        await trio.sleep(0.02)


def test_a_process_that_cannot_start_is_a_line_in_the_log_and_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/none/such")

    async def test(page: PageProcess, meter: Meter, url: str) -> None:
        await until_it_has_ended()
        meter.ended("finished")
        await page.publish_final()
        with pytest.raises(OSError, match="refused"):
            await ask(url)

    with_process(test, tmp_path)
    assert caplog.text.count("the page has ended") == 1
    assert said == ["the web page has ended; the run continues without it"]


def test_a_process_that_ends_by_itself_is_a_line_in_the_log_and_no_harm(
    as_python: Callable[[str], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    as_python("read description; echo '{}' >&0; read snapshot; exit 7")

    async def test(page: PageProcess, meter: Meter, url: str) -> None:
        await until_it_has_ended()
        assert meter.statistics().page_url == ""
        meter.ended("finished")  # less than three seconds after the process requested a snapshot
        await page.publish_final()
        with pytest.raises(OSError, match="refused"):
            await ask(url)

    with_process(test, tmp_path)
    assert caplog.messages == ["the page has ended: its process ended with exit code 7"]
    assert said == ["the web page has ended; the run continues without it"]


def test_what_it_logs_is_logged_here_printable(
    as_python: Callable[[str], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = json.dumps({"level": logging.WARNING, "text": "\x1b[31mred"})
    as_python(f"printf '%s\\n' '{said}' >&0; exec sleep 60")

    async def test(page: PageProcess, meter: Meter, url: str) -> None:
        while not caplog.records:  # noqa: ASYNC110 - another process
            await trio.sleep(0.02)

    with_process(test, tmp_path)
    assert caplog.messages == ["\N{REPLACEMENT CHARACTER}[31mred"]
