"""One body in a validator's thread: all of its files or none.

And an original on disk, which is trusted only with a proof.
"""

import base64
import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from builders import THUMB, job
from PIL import Image as Pillow

from oidl.imaging.photo import photo
from oidl.model import ORIGINAL, Blame, Done, Failure, Fetched, Job, Orientation, Reason, Rendition, ResizeMode, Source
from oidl.node.process import Processor
from oidl.settings import FileNames, Imaging, Layout, SourceSettings
from oidl.storage.atomic import AtomicWriter
from oidl.storage.files import Files

BODY = photo(1, 120, 90)
MD5 = base64.b64encode(hashlib.md5(BODY).digest()).decode()
SAVED = Rendition(ORIGINAL, "images-original")
LARGER = Rendition("larger", "larger", ResizeMode.SHRINK_TO_FIT, 100, "png")
IMPOSSIBLE = Rendition("impossible", "impossible", ResizeMode.SHRINK_TO_FIT, 50, "nosuch")
SECOND = "2017_11/train/images-original/000/0000000000000002.JPG"
PLACE = "2017_11/train/images-original/000/0000000000000001.jpg"


def item(*missing_renditions: Rendition, body: bytes = BODY, **changes: object) -> Job:
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    return job(1, missing_renditions or (SAVED, THUMB, LARGER), original_size=len(body), original_md5=md5, **changes)


def fetched(body: bytes = BODY, source: Source = Source.ORIGINAL) -> Fetched:
    url = item().thumbnail_300k_url if source == Source.THUMBNAIL_300K else item().original_url
    return Fetched(source, url, body)


def store_at(layout: Layout, claim: Callable[[str, str], bool] = lambda name, image_id: True) -> Files:
    return Files(layout, AtomicWriter("0a1b2c3d"), SourceSettings().directory, claim)


@pytest.fixture
def processor(tmp_path: Path) -> Processor:
    return Processor(store_at(Layout(tmp_path, "2017_11")), SourceSettings(), Imaging())


@pytest.fixture
def files(tmp_path: Path) -> Callable[[], dict[str, bytes]]:
    """Every file below the root, of whatever name."""
    return lambda: {
        str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    }


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Puts an original where an earlier run, or its owner, would have."""

    def put(body: bytes = BODY, place: str = PLACE) -> Path:
        path = tmp_path / place
        path.parent.mkdir(parents=True)
        path.write_bytes(body)
        return path

    return put


Written = Callable[[], dict[str, bytes]]


# ---- all of its files


def test_every_file_that_is_lacking_is_made_and_told_of(processor: Processor, files: Written, tmp_path: Path) -> None:
    done = processor.process(item(), fetched())
    assert isinstance(done, Done)
    assert (done.source, done.url) == (Source.ORIGINAL, item().original_url)
    assert (done.bytes, done.md5, done.width, done.height) == (len(BODY), MD5, 120, 90)
    assert [file.rendition for file in done.files] == [ORIGINAL, "thumbs", "larger"]
    assert [(file.width, file.height) for file in done.files] == [(120, 90), (64, 64), (100, 75)]
    assert {file.path: file.bytes for file in done.files} == {path: len(body) for path, body in files().items()}
    assert files()[PLACE] == BODY
    for file in done.files:
        with Pillow.open(tmp_path / file.path) as picture:
            assert picture.size == (file.width, file.height)


def test_a_picture_that_is_kept_as_it_came_tells_its_own_orientation(tmp_path: Path, processor: Processor) -> None:
    turned = io.BytesIO()
    exif = Pillow.Exif()
    exif[0x0112] = 6
    with Pillow.open(io.BytesIO(BODY)) as picture:
        picture.convert("CMYK").save(turned, "JPEG", exif=exif)
    body = turned.getvalue()
    done = processor.process(item(SAVED, THUMB, body=body), fetched(body))
    assert isinstance(done, Done)
    assert [(file.exif_orientation, file.orientation) for file in done.files] == [(6, 1), (None, 6)]
    converting = replace(processor, imaging=Imaging(convert_cmyk=True))
    done = converting.process(item(SAVED, body=body), fetched(body))
    assert isinstance(done, Done)
    assert [(file.exif_orientation, file.conversion) for file in done.files] == [(None, "cmyk")]


def test_only_what_is_lacking_is_made(processor: Processor, files: Written) -> None:
    done = processor.process(item(THUMB), fetched())
    assert isinstance(done, Done)
    assert list(files()) == [done.files[0].path]


def test_a_thumbnail_is_told_of_with_its_own_size_and_md5(processor: Processor) -> None:
    small = photo(2, 64, 48)
    done = processor.process(item(THUMB), fetched(small, Source.THUMBNAIL_300K))
    assert isinstance(done, Done)
    assert (done.bytes, done.url) == (len(small), item().thumbnail_300k_url)
    assert done.md5 == base64.b64encode(hashlib.md5(small).digest()).decode() != MD5


@pytest.mark.parametrize("orientation", Orientation)
def test_a_thumbnail_of_a_rotated_image_comes_upright_and_is_not_turned_again(
    processor: Processor, orientation: Orientation
) -> None:
    small = photo(2, 48, 64)
    recipe = replace(LARGER, orientation=orientation)
    done = processor.process(item(recipe, rotation=270), fetched(small, Source.THUMBNAIL_300K))
    assert isinstance(done, Done)
    (file,) = done.files
    assert (file.width, file.height, file.orientation) == (48, 64, 6)
    done = processor.process(item(recipe, body=small, rotation=270), fetched(small))
    assert isinstance(done, Done)
    assert done.files[0].orientation == (6 if orientation is Orientation.DATASET else 1)


# ---- or none


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_rendition_that_fails_leaves_no_file_of_any_other(processor: Processor, files: Written, at: int) -> None:
    missing_renditions = [SAVED, THUMB, LARGER]
    missing_renditions.insert(at, IMPOSSIBLE)
    failure = processor.process(item(*missing_renditions), fetched())
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.blame) == (Reason.RESIZE_FAILED, Blame.IMAGE)
    assert files() == {}


HALF = BODY[: len(BODY) // 2]


@pytest.mark.parametrize(
    ("body", "published", "expected"),
    [
        (b"<html>Sorry</html>", BODY, (Reason.NOT_AN_IMAGE, Blame.SERVER)),
        (HALF, BODY, (Reason.SIZE_MISMATCH, Blame.SERVER)),
        (BODY[:-3] + b"\x00\xff\xd9", BODY, (Reason.MD5_MISMATCH, Blame.SERVER)),
        (HALF, HALF, (Reason.CORRUPT, Blame.IMAGE)),
        (BODY[:20], BODY[:20], (Reason.CORRUPT, Blame.IMAGE)),
    ],
    ids=["a page", "another size", "another MD5", "published cut short", "published without a header"],
)
def test_what_is_not_the_whole_published_image_has_no_file_under_any_name(
    processor: Processor, files: Written, body: bytes, published: bytes, expected: tuple[Reason, Blame]
) -> None:
    failure = processor.process(item(body=published), fetched(body))
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.blame) == expected
    assert (failure.source, failure.url) == (Source.ORIGINAL, item().original_url)
    assert files() == {}


@pytest.mark.parametrize("missing_renditions", [THUMB, SAVED], ids=["resized", "kept"])
def test_a_thumbnail_that_is_cut_short_may_be_whole_the_next_time(
    processor: Processor, files: Written, missing_renditions: Rendition
) -> None:
    failure = processor.process(item(missing_renditions), fetched(HALF, Source.THUMBNAIL_300K))
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.blame) == (Reason.CORRUPT, Blame.SERVER)
    assert files() == {}


def test_a_disk_that_cannot_be_written_is_a_failure_that_says_so(
    processor: Processor, files: Written, tmp_path: Path
) -> None:
    (tmp_path / "2017_11").write_text("in the way")
    failure = processor.process(item(), fetched())
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.source) == (Reason.DISK, Source.ORIGINAL)
    assert f"{tmp_path / PLACE} could not be written" in failure.detail
    assert list(files()) == ["2017_11"]


# ---- originals on disk


@pytest.mark.parametrize("saved", [None, PLACE, "elsewhere/x.jpg"])
def test_an_original_of_the_published_size_and_md5_is_read_wherever_it_is(
    processor: Processor, put: Callable[..., Path], saved: str | None
) -> None:
    path = put(place=saved or PLACE)
    assert processor.read_original(item(saved_original=saved)) == Fetched(Source.LOCAL, str(path), BODY)


@pytest.mark.parametrize("body", [BODY + b"\0", HALF, BODY[:-3] + b"\x00\xff\xd9", b""])
def test_any_other_file_in_its_place_is_not_believed(
    processor: Processor, put: Callable[..., Path], body: bytes
) -> None:
    put(body)
    assert processor.read_original(item()) is None
    assert processor.read_original(item(saved_original=PLACE)) is None


def test_a_file_of_another_size_is_not_even_read(
    processor: Processor, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is memory set aside for the published size only."""
    put(BODY + b"\0")
    read: list[Path] = []
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path) or b"")
    assert processor.read_original(item(saved_original=PLACE)) is None
    assert read == []


def test_no_file_or_none_that_can_be_read_is_no_original(processor: Processor, tmp_path: Path) -> None:
    assert processor.read_original(item(saved_original="elsewhere/x.jpg")) is None
    (tmp_path / PLACE).mkdir(parents=True)
    size = (tmp_path / PLACE).stat().st_size
    assert processor.read_original(replace(item(), original_size=size)) is None


def test_where_the_recorded_original_is_damaged_its_usual_place_is_tried(
    processor: Processor, put: Callable[..., Path]
) -> None:
    put(HALF, "elsewhere/x.jpg")
    path = put()
    found = processor.read_original(item(saved_original="elsewhere/x.jpg"))
    assert found == Fetched(Source.LOCAL, str(path), BODY)


def test_whoever_asks_for_it_has_originals_believed_by_their_size(
    processor: Processor, put: Callable[..., Path]
) -> None:
    put()
    of_other_bytes = replace(item(THUMB), original_md5="1B2M2Y8AsgTpgAmY7PhCfg==")
    assert processor.read_original(of_other_bytes) is None
    trusting = replace(processor, originals=SourceSettings(check_md5_if_exists=False))
    found = trusting.read_original(of_other_bytes)
    assert found is not None
    assert isinstance(trusting.process(of_other_bytes, found), Done)
    assert trusting.read_original(replace(of_other_bytes, original_size=len(BODY) + 1)) is None


def test_bytes_from_the_network_are_never_believed_by_their_size(processor: Processor) -> None:
    processor = replace(processor, originals=SourceSettings(check_md5_if_exists=False))
    failure = processor.process(item(), fetched(BODY[:-3] + b"\x00\xff\xd9"))
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.MD5_MISMATCH


def test_an_original_in_its_place_is_told_of_and_not_written_again(
    processor: Processor, put: Callable[..., Path], files: Written
) -> None:
    path = put()
    os.utime(path, (1, 1))
    before = path.stat()
    found = processor.read_original(item(SAVED, THUMB))
    assert found is not None
    done = processor.process(item(SAVED, THUMB), found)
    assert isinstance(done, Done)
    assert (done.source, done.url) == (Source.LOCAL, None)
    kept = done.files[0]
    assert (kept.rendition, kept.path, kept.bytes) == (ORIGINAL, PLACE, len(BODY))
    assert (path.stat().st_ino, path.stat().st_mtime) == (before.st_ino, 1)
    assert len(files()) == 2


def test_an_original_from_elsewhere_is_written_to_its_place_under_its_published_name(
    processor: Processor, put: Callable[..., Path], files: Written
) -> None:
    put(place="elsewhere/x.png")
    wanted = item(SAVED, saved_original="elsewhere/x.png")
    found = processor.read_original(wanted)
    assert found is not None
    assert isinstance(processor.process(wanted, found), Done)
    assert files() == {"elsewhere/x.png": BODY, PLACE: BODY}


def test_a_local_original_that_fails_names_no_url(processor: Processor, put: Callable[..., Path]) -> None:
    put()
    found = processor.read_original(item(IMPOSSIBLE))
    assert found is not None
    failure = processor.process(item(IMPOSSIBLE), found)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.source, failure.url) == (Reason.RESIZE_FAILED, Source.LOCAL, None)


def test_two_images_of_one_name_never_share_a_path(tmp_path: Path, files: Written) -> None:
    in_flight: dict[str, str] = {}
    layout = Layout(tmp_path, "2017_11", name_files_by=FileNames.FLICKR)
    store = store_at(layout, lambda name, image_id: in_flight.setdefault(name, image_id) == image_id)
    processor = Processor(store, SourceSettings(), Imaging())
    other = photo(2, 120, 90)
    first = item(SAVED, original_url="https://x/11/7_0a_o.jpg")
    second = replace(item(SAVED, body=other), image_id=f"{2:016x}", original_url="https://x/22/7_0a_o.JPG")
    for _ in range(2):
        assert isinstance(processor.process(first, fetched()), Done)
        assert processor.read_original(second) in (None, Fetched(Source.LOCAL, str(tmp_path / SECOND), other))
        assert isinstance(processor.process(second, fetched(other)), Done)
        assert files() == {"2017_11/train/images-original/7_0/7_0a_o.jpg": BODY, SECOND: other}


def test_the_url_that_answered_chooses_no_path(tmp_path: Path, files: Written) -> None:
    layout = Layout(tmp_path, "2017_11", name_files_by=FileNames.FLICKR)
    processor = Processor(store_at(layout), SourceSettings(), Imaging())
    own = item(SAVED, original_url="https://x/999_def_o.jpg")
    assert isinstance(processor.process(own, Fetched(Source.ORIGINAL, "https://x/any/123_abc_o.png", BODY)), Done)
    assert list(files()) == ["2017_11/train/images-original/999/999_def_o.jpg"]
