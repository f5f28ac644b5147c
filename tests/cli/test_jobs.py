"""The jobs of the manual, run literally on a small Open Images V7: their results, and how few commands they need."""

import csv
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from pages import commands, manual
from PIL import Image as Pillow
from pycocotools.coco import COCO

from oidl.demo.listing import Demo, make_demo
from oidl.demo.scenarios import FINE
from oidl.demo.site import status_answer

YOLO = "Two hundred images of one class for Ultralytics"
RETRY = "Try again what failed"
MOVE = "Move an export to another machine"
RESIZE = "Another size"
DROP = "Drop a size"
MASKS = "Instance masks for pycocotools"
LARGE = "Large images under one licence, as a folder"
FOLDER = "A data set for Hugging Face"
MOST_COMMANDS = {YOLO: 2, RETRY: 1, MOVE: 1, RESIZE: 1, DROP: 1, MASKS: 2, LARGE: 2, FOLDER: 2}

Do = Callable[..., CompletedProcess[str]]


def jobs() -> dict[str, list[str]]:
    """The commands of every job in the manual, by its title."""
    parts = re.split(r"^## (.+)$", manual("jobs").split("\n## Larger jobs\n")[0], flags=re.MULTILINE)[1:]
    return {title: commands(text) for title, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.fixture(scope="session")
def jobs_dataset(tmp_path_factory: pytest.TempPathFactory, base_urls: list[str]) -> Demo:
    """120 images, all of them fine: a seed by which few of them show all that the jobs are about."""
    home = tmp_path_factory.mktemp("jobs")
    return make_demo(home, base_urls=base_urls[:2], images=120, scenarios=(FINE,), seed=802)


@pytest.fixture
def site(served: Callable[..., Any], jobs_dataset: Demo) -> Any:
    return served(jobs_dataset)


@pytest.fixture
def do(oidl: Any, site: Any) -> Do:
    """Types the commands of a job where the ones before it were typed; what the last one came to."""

    def type_in(title: str) -> CompletedProcess[str]:
        for command in jobs()[title]:
            program, *arguments = shlex.split(command)
            assert program == "oidl"
            ended = oidl(*arguments, env={"OIDL_CATALOGUE": str(site.catalogue)})
            assert ended.returncode == 0, ended.stderr
        return ended

    return type_in


def check_as_ultralytics(home: Path) -> dict[str, int]:
    """How many boxes each split has, found as Ultralytics finds them. Raises what it would refuse."""
    data = yaml.safe_load((home / "data.yaml").read_text("utf-8"))
    assert {"train", "val", "names"} <= data.keys()
    assert "path" not in data  # a relative one would be taken from its directory of datasets
    boxes = {}
    for split in data.keys() - {"names"}:
        images = [path for path in (home / data[split]).rglob("*.*") if path.suffix in (".jpg", ".png")]
        assert images or split == "test"
        boxes[split] = 0
        for image in images:
            Pillow.open(image).verify()
            labels = "/labels/".join(str(image).rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt"
            rows = [[float(value) for value in line.split()] for line in Path(labels).read_text().splitlines()]
            assert all(len(row) == 5 and min(row) >= 0 and max(row[1:]) <= 1 for row in rows)
            assert {row[0] for row in rows} <= data["names"].keys()
            boxes[split] += len(rows)
    return boxes


def records_of_folder(home: Path) -> Iterator[tuple[dict[str, Any], Pillow.Image]]:
    """The lines of every `metadata.jsonl` with their pictures, found as Hugging Face finds them."""
    files = {path.relative_to(home).as_posix() for path in home.glob("*/*") if path.name != "metadata.jsonl"}
    assert {name.partition("/")[0] for name in files} <= {"train", "validation", "test"}
    for path in home.glob("*/metadata.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            files.remove(f"{path.parent.name}/{record['file_name']}")
            with Pillow.open(path.parent / record["file_name"]) as picture:
                assert picture.size == (record["width"], record["height"])
                yield record, picture
    assert not files


def test_no_job_takes_more_commands_than_it_may() -> None:
    typed = jobs()
    assert typed.keys() == MOST_COMMANDS.keys()
    for title, most in MOST_COMMANDS.items():
        assert 1 <= len(typed[title]) <= most, title
        assert all(command.startswith("oidl ") for command in typed[title])


def test_images_of_one_class_for_ultralytics(do: Do, oidl: Any, ask: Any) -> None:
    do(YOLO)
    root = oidl.cwd / "cats"
    home = root / "v7/export/yolo/images-resized"
    boxes = check_as_ultralytics(home)
    assert boxes.keys() == {"train", "val"}
    assert min(boxes.values()) > 0
    assert yaml.safe_load((home / "data.yaml").read_text("utf-8"))["names"] == {0: "Cat"}
    ((count,),) = ask("SELECT count(*) FROM box WHERE label_name = '/m/01yrx'", database=root / "oidl.sqlite3")
    assert sum(boxes.values()) == count


def test_what_failed_is_tried_again_and_nothing_else_is_fetched(do: Do, site: Any, oidl: Any, ask: Any) -> None:
    database = oidl.cwd / "cats/oidl.sqlite3"
    selected = [each for each in site.images if each.image.subset != "train" and _shows(each, "Cat")]
    path = site.path_of(selected[0])
    fine, site.site.answers[path] = site.site.answers[path], status_answer(404)
    do(YOLO)
    assert ask("SELECT image_id FROM failure", database=database) == [(selected[0].image.image_id,)]
    site.site.answers[path] = fine
    before = site.site.requests.copy()
    do(RETRY)
    assert site.site.requests - before == {path: 1}
    assert not ask("SELECT image_id FROM failure", database=database)


def test_an_export_is_moved_and_opened_elsewhere(do: Do, oidl: Any, tmp_path: Path) -> None:
    do(YOLO)
    do(MOVE)
    there = check_as_ultralytics(oidl.cwd / "cats-yolo")
    moved = (oidl.cwd / "cats-yolo").rename(tmp_path / "elsewhere")
    rmtree(oidl.cwd / "cats")
    assert check_as_ultralytics(moved) == there
    assert min(there.values()) > 0


def test_another_size_is_made_and_dropped_again(do: Do, oidl: Any, tree: Any) -> None:
    do(YOLO)
    root = oidl.cwd / "cats/v7"
    before = {name for name in tree(root) if name.endswith(".jpg")}
    do(RESIZE)
    added = {name for name in tree(root) if name.endswith(".jpg")} - before
    assert len(added) == len([name for name in before if not name.startswith("export/")])
    for name in added:
        assert "/images-320/" in name
        with Pillow.open(root / name) as picture:
            assert max(picture.size) == 320
    do(DROP)
    assert {name for name in tree(root) if name.endswith(".jpg")} == before
    assert "images-320" not in oidl("plan", "--root-dir=cats").stdout


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_instance_masks_for_pycocotools(do: Do, site: Any, oidl: Any) -> None:
    do(MASKS)
    home = oidl.cwd / "masks/v7/export/coco/images-resized"
    coco = COCO(str(home / "annotations/instances_validation.json"))
    annotations = coco.loadAnns(coco.getAnnIds())
    assert len(annotations) == sum(
        box.box_id is not None and box.object.drawn_class.name == "Cat"
        for each in site.images
        if each.image.subset == "validation"
        for box in each.annotations.boxes
    )
    for each in annotations:
        image = coco.imgs[each["image_id"]]
        mask = coco.annToMask(each)
        with Pillow.open(home / "images/validation" / image["file_name"]) as picture:
            assert mask.shape == (picture.height, picture.width)
        assert mask.sum() == each["area"] > 0


def test_large_images_of_one_licence_as_a_folder(do: Do, oidl: Any) -> None:
    do(LARGE)
    records = list(records_of_folder(oidl.cwd / "large-by"))
    assert records
    for record, picture in records:
        assert max(picture.size) > 1024
        assert record["license"] == "https://creativecommons.org/licenses/by/2.0/"
    with open(oidl.cwd / "large-by/ATTRIBUTION.csv", encoding="utf-8", newline="") as file:
        thanks = {row["image_id"]: (row["author"], row["license"]) for row in csv.DictReader(file)}
    assert thanks == {record["image_id"]: (record["author"], record["license"]) for record, _ in records}


def test_a_data_set_for_hugging_face_has_authors_and_licences(do: Do, site: Any, oidl: Any) -> None:
    do(FOLDER)
    records = {record["image_id"]: record for record, _ in records_of_folder(oidl.cwd / "dogs-folder")}
    published = {
        each.image.image_id: each.image
        for each in site.images
        if each.image.subset == "validation" and _shows(each, "Dog")
    }
    assert records.keys() == published.keys()
    for image_id, image in published.items():
        assert (records[image_id]["author"], records[image_id]["license"]) == (image.author, image.license)
        assert "Dog" in records[image_id]["objects"]["categories"]


def _shows(each: Any, name: str) -> bool:
    return any(box.object.drawn_class.name == name for box in each.annotations.boxes)
