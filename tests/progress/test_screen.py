"""The full screen on a fake terminal: what it sends, what keys do; it never holds up a run."""

import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.testing
from builders import job

from oidl.model import Done, Source, Status
from oidl.progress.meter import Meter
from oidl.progress.screen import Screen

DONE = Done(Source.ORIGINAL, "u", 500, "m", 1, 1, ())


@dataclass
class Terminal:
    """Takes what is written, as long as `takes` is set, and types what a test wants."""

    size: tuple[int, int] = (80, 24)
    is_entered: bool = True
    written: list[str] = field(default_factory=list)
    takes: trio.Event = field(default_factory=trio.Event)
    error: OSError | None = None

    def __post_init__(self) -> None:
        self.takes.set()
        self.send, self.typed = trio.open_memory_channel[bytes](100)

    async def write(self, text: str) -> None:
        await self.takes.wait()
        if self.error:
            raise self.error
        self.written.append(text)

    async def read(self) -> bytes:
        return await self.typed.receive()

    def above(self, text: str) -> str:
        return f"<above>{text}</above>"

    def taken(self) -> str:
        """What was written since this was asked last."""
        text = "".join(self.written)
        self.written.clear()
        return text


@dataclass
class Stage:
    """A screen that runs, and all that it talks to."""

    meter: Meter
    terminal: Terminal
    said: deque[str]
    quits: list[float]

    async def press(self, keys: bytes) -> str:
        """What a key changes at once."""
        self.terminal.taken()
        await self.terminal.send.send(keys)
        await trio.testing.wait_all_tasks_blocked()
        return plain(self.terminal.taken())


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def perform(main: Callable[[Stage], Awaitable[Any]]) -> None:
    """Runs `main` beside a screen, on a clock that does not wait."""

    async def run() -> None:
        meter = Meter(trio.current_time, remaining=500)
        stage = Stage(meter, Terminal(), deque(), [])
        for number in range(150):
            meter.recorded(job(number), DONE, Status.DONE)
        screen = Screen(
            meter,
            stage.terminal,  # type: ignore[arg-type]
            stage.said,
            lambda: stage.quits.append(trio.current_time()),
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(screen.run)
            await trio.testing.wait_all_tasks_blocked()
            await main(stage)
            nursery.cancel_scope.cancel()

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


def test_it_is_drawn_four_times_a_second_and_only_what_changed() -> None:
    async def main(stage: Stage) -> None:
        assert plain(stage.terminal.taken()).count("350 to go") == 1
        stage.meter.recorded(job(1000), DONE, Status.DONE)
        await trio.sleep(0.2)
        assert stage.terminal.written == []
        await trio.sleep(0.1)
        assert "349 to go" in plain(stage.terminal.taken())
        await trio.sleep(9.8)
        assert 10 <= len(stage.terminal.written) <= 40

    perform(main)


def test_a_key_shows_at_once() -> None:
    async def main(stage: Stage) -> None:
        assert job(149).image_id in await stage.press(b"2")
        assert "choose a list" in await stage.press(b"?")
        assert job(149).image_id in await stage.press(b"?")
        assert "none yet" in await stage.press(b"3")

    perform(main)


def test_a_list_stands_still_while_it_is_scrolled() -> None:
    async def main(stage: Stage) -> None:
        await stage.press(b"2")
        assert job(139).image_id in await stage.press(b"\x1b[B\x1b[B")
        for number in range(1000, 1020):
            stage.meter.recorded(job(number), DONE, Status.DONE)
        await trio.sleep(1)
        text = plain(stage.terminal.taken())
        assert "330 to go" in text
        assert not [number for number in range(1000, 1020) if job(number).image_id in text]
        assert job(1019).image_id in await stage.press(b"g")

    perform(main)


def test_q_asks_the_run_to_end_every_time() -> None:
    async def main(stage: Stage) -> None:
        await stage.press(b"q")
        assert len(stage.quits) == 1
        await stage.press(b"xq")
        assert len(stage.quits) == 2

    perform(main)


def test_another_size_is_found_by_itself_and_all_is_drawn_anew() -> None:
    async def main(stage: Stage) -> None:
        assert "\x1b[24;1H" in stage.terminal.taken()
        stage.terminal.size = (120, 40)
        await trio.sleep(0.3)
        text = stage.terminal.taken()
        assert "350 to go" in plain(text)
        assert "\x1b[40;1H" in text

    perform(main)


def test_ctrl_l_draws_what_has_not_changed() -> None:
    async def main(stage: Stage) -> None:
        assert "q quit" in await stage.press(b"\x0c")
        assert "q quit" not in await stage.press(b"x")

    perform(main)


def test_what_is_said_goes_to_the_normal_screen_and_is_shown_here() -> None:
    async def main(stage: Stage) -> None:
        stage.terminal.taken()
        stage.said.extend(["one", "two"])
        await trio.sleep(0.3)
        text = plain(stage.terminal.taken())
        assert text.startswith("<above>one\ntwo</above>")
        assert "350 to go" in text  # the other screen was empty
        assert text.index("two", 20) > 0
        assert not stage.said

    perform(main)


def test_what_a_terminal_does_not_take_is_still_there_to_be_said_afterwards() -> None:
    async def main(stage: Stage) -> None:
        stage.terminal.takes = trio.Event()
        stage.said.append("one")
        await trio.sleep(10)
        assert list(stage.said) == ["one"]

    perform(main)


def test_a_slow_terminal_gets_fewer_frames_and_not_old_ones() -> None:
    async def main(stage: Stage) -> None:
        stage.terminal.taken()
        stage.terminal.takes = trio.Event()
        for number in range(1000, 1100):
            stage.meter.recorded(job(number), DONE, Status.DONE)
            await trio.sleep(1)
        stage.terminal.takes.set()
        await trio.sleep(0.6)
        assert len(stage.terminal.written) <= 4
        assert "250 to go" in plain(stage.terminal.taken())

    perform(main)


def test_a_terminal_that_is_gone_is_left_alone_and_the_run_goes_on() -> None:
    async def main(stage: Stage) -> None:
        stage.terminal.error = OSError(5, "gone")
        await trio.sleep(10)
        stage.terminal.error = None
        stage.terminal.taken()
        await trio.sleep(10)
        assert stage.terminal.written == []

    perform(main)


@pytest.mark.parametrize("said", [[], ["one"]])
def test_in_the_background_nothing_is_drawn_or_read_but_what_is_said_is_shown(said: list[str]) -> None:
    async def main(stage: Stage) -> None:
        stage.terminal.is_entered = False
        await trio.sleep(1)
        stage.terminal.taken()
        stage.said.extend(said)
        await trio.sleep(10)
        assert stage.terminal.written == [f"<above>{text}</above>" for text in said]

    perform(main)
