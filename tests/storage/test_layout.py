"""Paths: as documented, and never anywhere else."""

from pathlib import Path

import pytest
from builders import THUMB, job

from oidl.errors import UsageError
from oidl.model import Rendition, Source
from oidl.settings import Layout
from oidl.storage.layout import actual_path, checked_subdirectory, flickr_name, output_path, recorded_path

ROOT = Path("/data")
ORIGINAL = Rendition("original", "images-original")


def layout(**changes: object) -> Layout:
    return Layout(ROOT, "2017_11", **changes)  # type: ignore[arg-type]


def test_files_lie_under_version_subset_directory_and_prefix() -> None:
    item = job(255)
    assert output_path(layout(), THUMB, item, item.image_id) == Path(
        "/data/2017_11/train/thumbs/000/00000000000000ff.jpg"
    )
    assert output_path(layout(prefix_dirs=False), THUMB, item, item.image_id) == Path(
        "/data/2017_11/train/thumbs/00000000000000ff.jpg"
    )


def test_an_original_keeps_its_suffix_and_may_live_elsewhere() -> None:
    elsewhere = Rendition("original", "/mnt/originals")
    item = job(1, original_url="https://x/1_a_o.png?zz=1")
    path = output_path(layout(), elsewhere, item, item.image_id)
    assert path == Path("/mnt/originals/train/000/0000000000000001.png")
    assert recorded_path(layout(), path) == str(path)
    assert actual_path(layout(), str(path)) == path
    inside = output_path(layout(), ORIGINAL, job(1), item.image_id)
    assert recorded_path(layout(), inside) == "2017_11/train/images-original/000/0000000000000001.jpg"
    assert actual_path(layout(), recorded_path(layout(), inside)) == inside


def test_files_may_be_named_as_flickr_names_them() -> None:
    item = job(1, original_url="https://c1.staticflickr.com/6/5499/10245691204_98dce75b5a_o.jpg")
    name = flickr_name(item)
    assert name == "10245691204_98dce75b5a_o"
    path = output_path(layout(), ORIGINAL, item, name)
    assert path == Path("/data/2017_11/train/images-original/102/10245691204_98dce75b5a_o.jpg")


@pytest.mark.parametrize(
    "url",
    [
        "https://x/..%2f..%2fetc/passwd",
        "https://x/../../etc/passwd",
        "https://x/%2e%2e/..",
        "https://x/.bashrc",
        "https://x/a b\nc.jpg",
        "https://x/",
        "https://x/photo.jpg/..",
        "https://x/1_a_o.jpg.sh",
        "https://x/nul\0.jpg",
    ],
)
def test_a_name_from_the_network_never_leads_anywhere_else(url: str) -> None:
    item = job(1, original_url=url)
    path = output_path(layout(), ORIGINAL, item, flickr_name(item) or item.image_id)
    assert path.parent.parent == Path("/data/2017_11/train/images-original")
    assert path.name in ("0000000000000001.jpg", "1_a_o.jpg")


@pytest.mark.parametrize("url", ["https://x/1_A_o.jpg", "https://x/1_a_O.jpg", f"https://x/{'1' * 21}_a_o.jpg"])
def test_names_that_differ_in_case_only_or_are_long_are_no_names(url: str) -> None:
    assert flickr_name(job(1, original_url=url)) is None


def test_the_suffix_of_what_is_kept_is_that_of_the_rows_own_url() -> None:
    item = job(1, original_url="https://x/1_a_o.png", thumbnail_300k_url="https://x/1_b_z.GIF?zz=1")
    sources = (Source.ORIGINAL, Source.LOCAL, Source.THUMBNAIL_300K, Source("cvdf"))
    suffixes = [output_path(layout(), ORIGINAL, item, item.image_id, source).suffix for source in sources]
    assert suffixes == [".png", ".png", ".GIF", ".jpg"]


def test_an_image_id_that_is_none_is_not_made_into_a_path() -> None:
    with pytest.raises(ValueError, match="not an ImageID"):
        output_path(layout(), THUMB, job(1, image_id="../../x"), "1_a_o")


@pytest.mark.parametrize("name", ["/etc", "..", "a/../../b", "", ".", "a\0b"])
def test_a_subdirectory_must_stay_below_its_subset(name: str) -> None:
    with pytest.raises(UsageError, match="--resized-images-subdirectory"):
        checked_subdirectory(name, "--resized-images-subdirectory")


def test_a_plain_or_nested_subdirectory_is_fine() -> None:
    assert checked_subdirectory("images/224", "--x") == "images/224"
