"""What many tests start from: an image, a job, an open state database."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from oidl.hints import note_root
from oidl.model import Image, Job, Rendition, ResizeMode
from oidl.state.connection import StateConnection
from oidl.state.database import connect_reader, connect_writer
from oidl.state.load import ImageList, load_list

LIST = ImageList("3", "2017_11", "list.csv")
THUMB = Rendition("thumbs", "thumbs", ResizeMode.FILL_CROP, 64, "jpg")


def image(number: int, subset: str = "train", **changes: object) -> Image:
    """A published image; `number` makes its ImageID."""
    published = Image(
        image_id=f"{number:016x}",
        subset=subset,
        original_url=f"https://c1.staticflickr.com/1/{number}_0a1b2c_o.jpg",
        original_landing_url=f"https://www.flickr.com/photos/someone/{number}",
        license="https://creativecommons.org/licenses/by/2.0/",
        author_profile_url="https://www.flickr.com/people/someone/",
        author="Some One",
        title='A "title", with &amp; and é',
        original_size=1000 + number,
        original_md5="1B2M2Y8AsgTpgAmY7PhCfg==",
        thumbnail_300k_url=f"https://c1.staticflickr.com/1/{number}_0a1b2c_z.jpg",
    )
    return published._replace(**changes)


def job(number: int = 1, missing_renditions: tuple[Rendition, ...] = (THUMB,), **changes: object) -> Job:
    """What the feed would hand out for `image(number)`."""
    published = image(number)
    values: dict[str, object] = {
        "image_id": published.image_id,
        "subset": published.subset,
        "original_url": published.original_url,
        "original_size": published.original_size,
        "original_md5": published.original_md5,
        "thumbnail_300k_url": published.thumbnail_300k_url,
        "missing_renditions": missing_renditions,
    }
    return Job(**(values | changes))


@pytest.fixture(autouse=True)
def no_root_at_hand() -> None:
    """Messages are about no root, whatever the test before opened from Python."""
    note_root(None)


@pytest.fixture
def inline_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work for a thread is done on the spot: a mock clock knows no threads and would run ahead of them."""

    async def run_sync(
        job: Callable[..., Any], *args: object, limiter: object = None, abandon_on_cancel: bool = False
    ) -> Any:
        await trio.lowlevel.checkpoint()
        return job(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


@pytest.fixture
def state_db(tmp_path: Path) -> Path:
    return tmp_path / "oidl.sqlite3"


@pytest.fixture
def db(state_db: Path) -> Iterator[StateConnection]:
    """A new state database, open for writing."""
    connection = connect_writer(state_db)
    yield connection
    connection.close()


@pytest.fixture
def loaded_db(db: StateConnection) -> StateConnection:
    """A state database with ten images of `train` and two of `test`."""
    images = [image(number) for number in range(10)] + [image(number, "test") for number in (10, 11)]
    load_list(db, LIST, ("train", "test"), images)
    return db


@pytest.fixture
def reader(loaded_db: StateConnection) -> Iterator[StateConnection]:
    """A reader of `loaded_db`."""
    connection = connect_reader(loaded_db.path)
    yield connection
    connection.close()
