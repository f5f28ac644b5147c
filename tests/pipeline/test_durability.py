"""Power cuts: files that were recorded but not yet on the disk are checked after the machine restarts."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from builders import image, job
from trio.testing import MockClock

from oidl.model import Done, Rendition, ResizeMode, Source, WrittenFile
from oidl.node.stop import Stop
from oidl.pipeline.durability import Durability
from oidl.pipeline.writer import StateWriter
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.times import timestamp

pytestmark = pytest.mark.usefixtures("inline_threads")

_WHOLE = b"a file whose format is not decoded"
_PLAIN = Rendition("plain", "plain", ResizeMode.FILL_CROP, 64, "ppm")


@pytest.fixture
def run_of(loaded_db: StateConnection) -> Callable[[str], Ledger]:
    """Opens a run on this boot of the machine."""

    def open_run(boot: str) -> Ledger:
        ledger = Ledger(loaded_db)
        ledger.register([_PLAIN])
        ledger.open_run({}, token="0", boot_id=boot)
        loaded_db.execute("UPDATE run SET updated_at = ? WHERE id = (SELECT max(id) FROM run)", (_at(1),))
        return ledger

    return open_run


@pytest.fixture
def durability(loaded_db: StateConnection, tmp_path: Path) -> Callable[..., Durability]:
    def make(
        boot: str, sync: Callable[[Iterable[Path]], None] = lambda directories: None, said: list[str] | None = None
    ) -> Durability:
        state = StateWriter(loaded_db)
        state.ledger = Ledger(loaded_db, *loaded_db.execute("SELECT max(id) FROM run").fetchone())
        say = (lambda text: None) if said is None else said.append
        return Durability(state, Layout(tmp_path, "2017_11"), lambda: [tmp_path], Stop(), say, sync=sync, boot=boot)

    return make


def _at(seconds: float) -> str:
    return timestamp(datetime.now(UTC) + timedelta(seconds=seconds))


def record(ledger: Ledger, root: Path, number: int, on_disk: bytes | None = _WHOLE) -> None:
    """An image that is done; `on_disk` is what the power cut left of its file."""
    file = WrittenFile(_PLAIN.name, path_of(number), len(_WHOLE), 8, 6)
    ledger.done(job(number), Done(Source.ORIGINAL, "https://x", 500, "md5", 8, 6, (file,)))
    if on_disk is not None:
        (root / path_of(number)).parent.mkdir(parents=True, exist_ok=True)
        (root / path_of(number)).write_bytes(on_disk)


def path_of(number: int) -> str:
    image_id = image(number).image_id
    return f"2017_11/train/plain/{image_id[:3]}/{image_id}.ppm"


def pending(db: StateConnection, numbers: Iterable[int]) -> set[int]:
    found = {name for (name,) in db.execute("SELECT image_id FROM download WHERE status = 'pending'")}
    return {number for number in numbers if image(number).image_id in found}


def test_after_a_power_cut_what_is_not_whole_is_fetched_again(loaded_db, run_of, durability, tmp_path: Path) -> None:
    ledger = run_of("boot 1")
    record(ledger, tmp_path, 1)
    record(ledger, tmp_path, 2, on_disk=b"")
    record(ledger, tmp_path, 3, on_disk=None)
    record(ledger, tmp_path, 4)
    run_of("boot 2")
    trio.run(durability("boot 2").check_after_power_cut)
    assert pending(loaded_db, range(1, 5)) == {2, 3}
    assert not (tmp_path / path_of(2)).exists()
    assert loaded_db.execute("SELECT count(*) FROM file").fetchone() == (2,)


def test_how_many_files_are_checked_again_and_why_is_said_before(loaded_db, run_of, durability, tmp_path) -> None:
    ledger = run_of("boot 1")
    record(ledger, tmp_path, 1)
    record(ledger, tmp_path, 2, on_disk=b"")
    run_of("boot 2")
    said: list[str] = []
    trio.run(durability("boot 2", said=said).check_after_power_cut)
    assert said == [
        "checking 2 files again, because the last run was cut off before they were certainly on the disk",
        "1 file did not reach the disk and will be fetched again",
    ]


@pytest.mark.parametrize(("outcome", "found"), [("interrupted", set()), ("killed", {1})])
def test_on_the_same_boot_only_a_run_that_was_cut_off_is_checked(
    outcome: str, found: set[int], loaded_db, run_of, durability, tmp_path: Path
) -> None:
    ledger = run_of("boot 1")
    record(ledger, tmp_path, 1, on_disk=None)
    if outcome != "killed":
        ledger.close_run(outcome)
    run_of("boot 1")
    trio.run(durability("boot 1").check_after_power_cut)
    assert pending(loaded_db, [1]) == found


def test_what_was_recorded_before_the_mark_is_not_looked_at(loaded_db, run_of, durability, tmp_path: Path) -> None:
    ledger = run_of("boot 1")
    record(ledger, tmp_path, 1, on_disk=None)
    record(ledger, tmp_path, 2, on_disk=None)
    loaded_db.execute("UPDATE file SET written_at = ? WHERE image_id = ?", (_at(-60), image(1).image_id))
    ledger.synced(_at(-30))
    run_of("boot 2")
    trio.run(durability("boot 2").check_after_power_cut)
    assert pending(loaded_db, [1, 2]) == {2}


def test_a_run_that_ended_with_everything_on_the_disk_leaves_nothing_to_check(
    loaded_db, run_of, durability, tmp_path: Path
) -> None:
    ledger = run_of("boot 1")
    record(ledger, tmp_path, 1, on_disk=None)
    ledger.close_run("finished", is_synced=True)
    run_of("boot 2")
    trio.run(durability("boot 2").check_after_power_cut)
    assert pending(loaded_db, [1]) == set()


def test_a_check_that_did_not_come_to_its_end_begins_again(loaded_db, run_of, durability, tmp_path: Path) -> None:
    record(run_of("boot 1"), tmp_path, 1, on_disk=b"")
    run_of("boot 2")  # killed in the middle of it
    run_of("boot 2")
    trio.run(durability("boot 2").check_after_power_cut)
    assert pending(loaded_db, [1]) == {1}
    record(Ledger(loaded_db), tmp_path, 1, on_disk=b"")
    loaded_db.execute("UPDATE file SET written_at = ''")
    run_of("boot 2")
    trio.run(durability("boot 2").check_after_power_cut)
    assert pending(loaded_db, [1]) == set()


def test_a_machine_that_does_not_tell_its_boots_apart_is_checked_each_time(
    loaded_db, run_of, durability, tmp_path: Path
) -> None:
    record(run_of(""), tmp_path, 1, on_disk=b"")
    run_of("")
    trio.run(durability("").check_after_power_cut)
    assert pending(loaded_db, [1]) == {1}


def test_the_mark_is_the_time_at_which_the_sync_began(loaded_db, run_of, durability) -> None:
    run_of("boot 1")
    marks: list[str | None] = []
    began: list[str] = []

    def sync(directories: Iterable[Path]) -> None:
        marks.append(loaded_db.execute("SELECT synced_at FROM run").fetchone()[0])
        began.append(timestamp())

    async def three_times() -> None:
        with trio.move_on_after(35):
            await durability("boot 1", sync).run()

    trio.run(three_times, clock=MockClock(autojump_threshold=0))
    assert marks[0] is None
    assert len(marks) == 3
    (mark,) = loaded_db.execute("SELECT synced_at FROM run").fetchone()
    assert mark <= began[-1]


def test_a_disk_that_lost_something_stops_the_run(loaded_db, run_of, durability) -> None:
    run_of("boot 1")

    def sync(directories: Iterable[Path]) -> None:
        raise OSError(5, "Input/output error", "/data")

    made = durability("boot 1", sync)
    trio.run(made.sync)
    assert made._stop.disk_failure is not None
    assert "Input/output error" in made._stop.disk_failure.detail
    assert loaded_db.execute("SELECT synced_at FROM run").fetchone() == (None,)
