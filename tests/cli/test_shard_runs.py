"""`oidl run --output-format`: several renditions, saved originals, other sources, conversions, limits and mistakes."""

import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

pytestmark = pytest.mark.slow

_OPTIONS = ("--no-download-metadata", "--output-format=webdataset", "--shard-samples=5", "--max-wait=1")


@pytest.fixture
def samples(root: Path, ask: Callable[..., list[tuple]]) -> Callable[[], dict[str, dict[str, dict[str, bytes]]]]:
    """The members of the tars by rendition, ImageID and suffix; each image is in one shard of a rendition, once."""

    def read() -> dict[str, dict[str, dict[str, bytes]]]:
        found: dict[str, dict[str, dict[str, bytes]]] = defaultdict(lambda: defaultdict(dict))
        shards = ask("SELECT path, rendition, state FROM shard JOIN shard_set USING (set_id)")
        for path, rendition, state in shards:
            assert state == "sealed"
            with tarfile.open(root / path) as archive:
                for member in archive:
                    key, _, suffix = member.name.partition(".")
                    assert suffix not in found[rendition][key]
                    found[rendition][key][suffix] = archive.extractfile(member).read()  # type: ignore[union-attr]
        rows = ask("SELECT rendition, image_id FROM file")
        assert sorted(rows) == sorted((rendition, key) for rendition, keys in found.items() for key in keys)
        assert {str(path.relative_to(root)) for path in root.rglob("*.tar*")} == {path for path, *_ in shards}
        return found

    return read


def test_several_renditions_and_the_originals_have_shards_of_their_own(run, fine, samples, root: Path) -> None:
    renditions = ("--rendition=name=small,box=64", "--rendition=name=square,box=48,mode=FillCrop,format=webp,dir=sq")
    png = ("--rendition=name=plain,box=32,format=png",)
    assert run(fine, *_OPTIONS, "--save-original-images", *renditions, *png).returncode == 0
    found = samples()
    assert {name: len(keys) for name, keys in found.items()} == dict.fromkeys(
        ("original", "small", "square", "plain"), 24
    )
    for name, suffix, kind, box in (
        ("small", "jpg", "JPEG", 64),
        ("square", "webp", "WEBP", 48),
        ("plain", "png", "PNG", 32),
    ):
        for key, members in found[name].items():
            assert set(members) == {suffix, "json"}
            picture = Pillow.open(io.BytesIO(members[suffix]))
            facts = json.loads(members["json"])
            assert (picture.format, max(picture.size)) == (kind, box)
            assert (facts["width"], facts["height"], facts["key"]) == (*picture.size, key)
    published = {each.image.image_id: each.image.original_size for each in fine.images}
    assert {key: len(members["jpg"]) for key, members in found["original"].items()} == published


def test_another_rendition_later_is_made_of_the_originals_in_shards(run, fine, samples) -> None:
    assert run(fine, *_OPTIONS, "--save-original-images", "--rendition=name=a,box=64").returncode == 0
    requests = fine.requests.total()
    again = run(fine, *_OPTIONS, "--save-original-images", "--rendition=name=a,box=64", "--rendition=name=b,box=32")
    assert again.returncode == 0
    assert fine.requests.total() == requests
    assert {name: len(keys) for name, keys in samples().items()} == {"original": 24, "a": 24, "b": 24}


def test_the_300k_thumbnails_are_saved_in_shards_of_their_own(run, fine, samples) -> None:
    assert run(fine, *_OPTIONS, "--download-300k", "--save-original-images", "--resize-box-size=64").returncode == 0
    found = samples()
    assert len(found["300k"]) + len(found.get("original", {})) == 24
    assert len(found["images-resized"]) == 24


@pytest.mark.parametrize("processes", [1, 2])
def test_always_download_replaces_every_image_once(processes: int, run, fine, samples, ask) -> None:
    assert run(fine, *_OPTIONS, "--resize-box-size=64").returncode == 0
    before = {path for (path,) in ask("SELECT path FROM shard")}
    options = (*_OPTIONS, "--resize-box-size=64", "--always-download", f"--processes={processes}")
    assert run(fine, *options).returncode == 0
    assert len(samples()["images-resized"]) == 24
    assert set(fine.requests.values()) == {2}
    assert not before & {path for (path,) in ask("SELECT path FROM shard")}


def test_a_limit_that_is_raised_adds_shards_and_changes_none(run, fine, samples, root: Path) -> None:
    def sealed() -> dict[str, tuple[int, bytes]]:
        return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*.tar")}

    assert run(fine, *_OPTIONS, "--limit=7", "--resize-box-size=64").returncode == 0
    before = sealed()
    assert run(fine, *_OPTIONS, "--limit=16", "--resize-box-size=64").returncode == 0
    assert len(samples()["images-resized"]) == 16
    assert before.items() < sealed().items()


def test_what_a_server_does_is_in_no_shard_unless_the_image_is_done(run, mixed, samples, ask) -> None:
    run(mixed, *_OPTIONS, "--save-original-images", "--convert-cmyk", "--convert-png", "--resize-box-size=64")
    done = {image_id for (image_id,) in ask("SELECT image_id FROM download WHERE status = 'done'")}
    found = samples()
    assert set(found["images-resized"]) == set(found["original"]) == done
    converted = ask("SELECT image_id FROM file WHERE conversion NOTNULL")
    for members in found["original"].values():
        (suffix,) = set(members) - {"json"}
        picture = Pillow.open(io.BytesIO(members[suffix]))
        assert picture.format == {"jpg": "JPEG", "png": "PNG"}[suffix]
    for (image_id,) in converted:
        assert Pillow.open(io.BytesIO(found["original"][image_id]["jpg"])).mode == "RGB"


@pytest.mark.parametrize("other", ["files", "tfrecord"])
def test_another_format_in_the_same_directory_is_refused_with_the_way_out(other: str, run, fine) -> None:
    assert run(fine, *_OPTIONS, "--limit=3", "--resized-images-subdirectory=mine").returncode == 0
    options = ("--no-download-metadata", "--limit=3", "--resized-images-subdirectory=mine", f"--output-format={other}")
    refused = run(fine, *options)
    assert refused.returncode == 2
    assert "mine contains" in refused.stderr
    assert "in webdataset shards" in refused.stderr
    assert "choose another directory" in refused.stderr


def test_another_format_without_a_directory_gets_one_of_its_own_and_goes_back(run, fine, ask) -> None:
    def sealed() -> list[tuple[Any, ...]]:
        return ask("SELECT rendition, sum(samples) FROM shard JOIN shard_set USING (set_id) GROUP BY 1")

    assert run(fine, *_OPTIONS, "--limit=3").returncode == 0
    assert run(fine, "--no-download-metadata", "--limit=4", "--output-format=files").returncode == 0
    assert ask("SELECT rendition, count(*) FROM file GROUP BY 1 ORDER BY 1") == [
        ("images-224", 4),
        ("images-resized", 3),
    ]
    assert run(fine, *_OPTIONS, "--limit=4").returncode == 0
    assert sealed() == [("images-resized", 4)]


def test_originals_elsewhere_are_in_shards_there(run, fine, ask, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    options = ("--save-original-images", f"--original-images-dir={elsewhere}", "--resize-box-size=64")
    assert run(fine, *_OPTIONS, *options).returncode == 0
    paths = [
        path for (path,) in ask("SELECT path FROM shard JOIN shard_set USING (set_id) WHERE rendition = 'original'")
    ]
    assert sorted(paths) == sorted(map(str, elsewhere.rglob("*.tar")))
    assert paths
