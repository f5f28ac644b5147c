"""Jobs that end in files for other tools, in as few commands as the README says, on the V7 demo."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from subprocess import CompletedProcess

import yaml
from PIL import Image as Pillow

Run = Callable[..., CompletedProcess[str]]


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


def test_some_images_of_one_class_as_yolo_in_two_commands(annotated, run: Run, root: Path, oidl) -> None:
    assert run(annotated, "--classes=Cat", "--limit=10").returncode == 0
    ended = oidl("export", f"--root-dir={root}", "--format=yolo", "--split=80/20")
    assert (ended.returncode, ended.stderr) == (0, "")
    home = root / "v7/export/yolo/images-resized"
    boxes = check_as_ultralytics(home)
    assert boxes.keys() == {"train", "val"}
    assert min(boxes.values()) > 0
    assert yaml.safe_load((home / "data.yaml").read_text("utf-8"))["names"] == {0: "Cat"}


def test_an_export_is_moved_and_opened_elsewhere_in_one_command(
    annotated, run: Run, root: Path, oidl, tmp_path: Path
) -> None:
    assert run(annotated, "--classes=Cat,Dog").returncode == 0
    dest = tmp_path / "cats"
    assert (
        oidl("export", f"--root-dir={root}", "--format=yolo", "--split=60/40", "--copy", "--dest", dest).returncode == 0
    )
    before = check_as_ultralytics(dest)
    moved = dest.rename(tmp_path / "elsewhere")
    rmtree(root)
    assert check_as_ultralytics(moved) == before


def test_large_images_of_one_licence_as_a_folder_in_two_commands(
    annotated, run: Run, root: Path, oidl, tmp_path: Path
) -> None:
    """As Hugging Face reads it: `file_name` beside its `metadata.jsonl`, a directory for each split."""
    assert run(annotated, "--save-original-images", "--no-resize-images").returncode == 0
    where = "license LIKE '%/by/2.0/' AND (width > 1024 OR height > 1024)"
    dest = tmp_path / "large"
    ended = oidl("export", f"--root-dir={root}", "--format=imagefolder", "--copy", "--where", where, "--dest", dest)
    assert (ended.returncode, ended.stderr) == (0, "")
    records = [
        (path.parent, json.loads(line))
        for path in dest.glob("*/metadata.jsonl")
        for line in path.read_text("utf-8").splitlines()
    ]
    assert 0 < len(records) < 60
    for directory, record in records:
        with Pillow.open(directory / record["file_name"]) as picture:
            assert picture.size == (record["width"], record["height"])
            assert max(picture.size) > 1024
        assert record["license"] == "https://creativecommons.org/licenses/by/2.0/"
    images = [path for path in dest.glob("*/*") if path.name != "metadata.jsonl"]
    assert len(images) == len(records)
    assert {path.parent.name for path in images} <= {"train", "validation", "test"}
    with open(dest / "ATTRIBUTION.csv", encoding="utf-8", newline="") as file:
        assert {row["file_name"] for row in csv.DictReader(file)} == {
            path.relative_to(dest).as_posix() for path in images
        }
