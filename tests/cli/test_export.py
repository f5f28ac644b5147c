"""`oidl export`: labels of downloaded images for other tools, from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Export = Callable[..., CompletedProcess[str]]


@pytest.fixture
def downloaded(fine, run) -> None:
    """24 images in one rendition, without any annotation."""
    assert run(fine, "--nodownload-metadata").returncode == 0


@pytest.fixture
def labelled(downloaded: None, tell: Callable[..., None]) -> None:
    """The same, with a cat in every image."""
    tell("INSERT INTO class (label_name, display_name, is_boxable) VALUES ('/m/01yrx', 'Cat', 1), ('/m/0b', 'Dog', 1)")
    tell(
        "INSERT INTO box (image_id, number, source, label_name, confidence, x_min, x_max, y_min, y_max) "
        "SELECT image_id, 1, 'xclick', '/m/01yrx', 1, 0.25, 0.75, 0.25, 0.75 FROM image"
    )
    tell("INSERT INTO label SELECT image_id, '/m/0b', 'machine', 0.5 FROM image")


@pytest.fixture
def export(oidl, root: Path) -> Export:
    return lambda *arguments, **more: oidl("export", f"--root-dir={root}", *arguments, **more)


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("coco", ["annotations/instances_train.json"]),
        ("YOLO", ["data.yaml", "train.txt"]),
        ("voc", ["ImageSets/Main/train.txt"]),
        ("csv", ["boxes-train.csv"]),
    ],
)
def test_every_format_is_written_and_told_of(
    form: str, files: list[str], labelled: None, export: Export, root: Path, ask
) -> None:
    ended = export(f"--format={form}", "--subset=train")
    assert (ended.returncode, ended.stderr) == (0, "")
    ((count,),) = ask("SELECT count(*) FROM download WHERE subset = 'train'")
    dest = root / "2017_11/export" / form.lower() / "images-resized"
    assert ended.stdout == (f"{dest}: {form.lower()}, of images-resized\n  train: {count} images with {count} boxes\n")
    for name in (*files, "images.meta"):
        assert (dest / name).is_file()


def test_what_is_chosen_is_what_is_written(labelled: None, export: Export, tmp_path: Path) -> None:
    ended = export("--format=csv", "--label-types=labels,points", "--classes= dog ", "--dest", tmp_path / "x")
    assert ended.returncode == 0
    assert " labels" in ended.stdout
    lines = [line for path in (tmp_path / "x").glob("labels-*.csv") for line in path.read_text().splitlines()[1:]]
    assert len(lines) == 24
    assert all(line.endswith(",/m/0b,Dog,machine,0.5") for line in lines)
    assert not list((tmp_path / "x").glob("boxes-*"))


def test_subclasses_come_along_if_asked_for(labelled: None, export: Export, tell, tmp_path: Path) -> None:
    tell("INSERT OR IGNORE INTO class (label_name, display_name) VALUES ('/m/0jbk', 'Animal')")
    tell(
        "INSERT INTO class_hierarchy SELECT '/m/0jbk', label_name, 'subcategory' FROM class WHERE display_name = 'Cat'"
    )
    for number, (more, names) in enumerate((((), ["Animal"]), (("--include-subclasses",), ["Animal", "Cat"]))):
        dest = tmp_path / str(number)
        assert export("--classes=animal", *more, "--dest", dest, "--with-empty").returncode == 0
        (written, *_) = sorted(dest.rglob("*.json"))
        assert [each["name"] for each in json.loads(written.read_text())["categories"]] == names


def test_categories_are_numbered_as_the_classes_are_named(labelled: None, export: Export, tmp_path: Path) -> None:
    assert export("--classes=Dog,/m/01yrx,dog", "--dest", tmp_path / "x", "--with-empty").returncode == 0
    instances = json.loads((tmp_path / "x/annotations/instances_train.json").read_text())
    assert [(category["id"], category["name"]) for category in instances["categories"]] == [(1, "Dog"), (2, "Cat")]


def test_renditions_of_the_settings_file_are_no_names(labelled: None, oidl, root: Path) -> None:
    (oidl.cwd / "oidl.toml").write_text(
        f'root-dir = "{root}"\n[[rendition]]\nname = "a"\nbox = 64\n[[rendition]]\nname = "b"\nbox = 32\n'
    )
    assert oidl("export").returncode == 0
    assert oidl("export", "--rendition=images-resized").returncode == 0
    ended = oidl("export", "--rendition=a")
    assert ended.returncode == 2
    assert "--rendition a: there are no such images\n  there are images-resized" in ended.stderr


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("--format=tfrecord", "--format tfrecord: choose from coco, yolo, voc, csv"),
        ("--classes=Cta", "there is no class 'Cta'\n  did you mean Cat?"),
        ("--classes=,", "--classes is empty"),
        ("--include-subclasses", "--include-subclasses is about --classes"),
        ("--label-types=boxen", "--label-types boxen: choose from boxes, labels"),
        ("--label-types=", "--label-types is empty"),
        ("--label-types=points", "--format coco has no place for points"),
        ("--subset=tst", "--subset tst: the database has test, train, validation"),
        ("--min-visible=1.5", "--min-visible is a share from 0 to 1, not 1.5"),
        ("--min-visible=nan", "--min-visible is a share from 0 to 1, not nan"),
    ],
)
def test_what_makes_no_sense_is_said(argument: str, says: str, labelled: None, export: Export, root: Path) -> None:
    ended = export(argument)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert says in ended.stderr
    assert not (root / "2017_11/export").exists()


def test_lists_in_the_settings_file_are_lists_here_too(labelled: None, oidl, export: Export, tmp_path: Path) -> None:
    (oidl.cwd / "oidl.toml").write_text('classes = ["Dog", "Cat"]\nlabel-types = ["labels", "boxes"]\n')
    assert export("--format=csv", "--dest", tmp_path / "x").returncode == 0
    assert {"labels-train.csv", "boxes-train.csv"} <= {path.name for path in (tmp_path / "x").iterdir()}
    (oidl.cwd / "oidl.toml").write_text("classes = []\n")
    assert export("--dest", tmp_path / "y").returncode == 0


def test_two_renditions_at_once_are_too_many(labelled: None, export: Export) -> None:
    ended = export("--rendition=a", "--rendition=b")
    assert ended.returncode == 2
    assert "one at a time, not a and b" in ended.stderr


def test_without_annotations_the_way_to_them_is_said(downloaded: None, export: Export) -> None:
    ended = export()
    assert ended.returncode == 2
    assert ended.stderr == "oidl: there are no boxes in the database\n  `oidl annotations load` brings them in\n"


def test_without_images_it_is_said(fine, run, export: Export, root: Path) -> None:
    assert export().returncode == 2
    assert run(fine, "--nodownload-metadata", "--limit=0").returncode == 3
    ended = export()
    assert ended.returncode == 2
    assert ended.stderr == "oidl: there are no images yet\n  `oidl run` downloads them\n"


@pytest.mark.parametrize("form", ["coco", "yolo", "voc", "csv"])
def test_where_nothing_can_be_written_it_is_said(form: str, labelled: None, export: Export, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = export(f"--format={form}", "--dest", tmp_path / "file" / "below")
    assert ended.returncode == 5
    assert "could not be written: Not a directory" in ended.stderr
