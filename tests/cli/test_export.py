"""`oidl export`: downloaded images and their labels for other tools, from the command line."""

import json
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from oidl.progress.lines import PacedLine
from oidl.text import counted

Export = Callable[..., CompletedProcess[str]]

_LABEL = "label (image_id, label_name, source, confidence)"


@pytest.fixture
def downloaded(fine, run) -> None:
    """24 images in one rendition, without any annotation."""
    assert run(fine, "--nodownload-metadata").returncode == 0


@pytest.fixture
def labelled(downloaded: None, tell: Callable[..., None]) -> None:
    """The same, with a cat in every image."""
    tell("INSERT INTO class (label_name, display_name, is_boxable) VALUES ('/m/01yrx', 'Cat', 1), ('/m/0b', 'Dog', 1)")
    tell(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, x_min, x_max, y_min, y_max) "
        "SELECT image_id, 1, 'xclick', '/m/01yrx', 1, 0.25, 0.75, 0.25, 0.75 FROM image"
    )
    tell(f"INSERT INTO {_LABEL} SELECT image_id, '/m/0b', 'machine', 0.5 FROM image")


@pytest.fixture
def export(oidl, root: Path) -> Export:
    return lambda *arguments, **more: oidl("export", f"--root-dir={root}", *arguments, **more)


@pytest.mark.parametrize(
    ("form", "kinds", "files"),
    [
        ("coco", "boxes", ["annotations/instances_{}.json"]),
        ("YOLO", "boxes", ["data.yaml"]),
        ("voc", "boxes", ["VOCdevkit/VOC2012/ImageSets/Main/{}.txt"]),
        ("csv", "boxes", ["boxes-{}.csv"]),
        ("imagefolder", "boxes labels", ["{}/metadata.jsonl"]),
    ],
)
def test_every_format_is_written_and_described(
    form: str, kinds: str, files: list[str], labelled: None, export: Export, root: Path, ask
) -> None:
    ended = export(f"--format={form}", "--subset=train", "--subset=validation")
    assert (ended.returncode, ended.stderr) == (0, "")
    dest = root / "2017_11/export" / form.lower() / "images-resized"
    lines = [f"{dest}: {form.lower()}, rendition images-resized"]
    for subset in ("train", "validation"):
        ((count,),) = ask("SELECT count(*) FROM download WHERE subset = ?", subset)
        split = "val" if subset == "validation" and form in ("YOLO", "voc") else subset
        seen = [counted(count, {"boxes": "box"}.get(kind, kind[:-1]), kind) for kind in kinds.split()]
        lines.append(f"  {split}: {counted(count, 'image')} with {', '.join(seen)}")
        for name in (*files, "images.meta", "ATTRIBUTION.csv", "croissant.json"):
            assert (dest / name.format(split)).is_file()
    assert ended.stdout.splitlines() == lines


def test_a_split_is_drawn_and_the_same_with_the_same_seed(labelled: None, export: Export, tmp_path: Path) -> None:
    def drawn(*options: str) -> list[str]:
        ended = export("--format=yolo", "--split=50/30/20", *options, "--dest", tmp_path / "x")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert [line.split()[0] for line in ended.stdout.splitlines()[1:]] == ["train:", "val:", "test:"]
        return sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "x/images").rglob("*.jpg"))

    first = drawn()
    assert len(first) == 24
    assert drawn() == first
    assert drawn("--seed=1") != first


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--subset=test"], "there are no images for train and val\n  use --split 80/20 to divide the images\n"),
        (["--subset=train"], "there are no images for val\n  use --split 80/20 to divide the images\n"),
        (["--where=subset = 'train'"], "there are no images for val\n  use --split 80/20 to divide the images\n"),
        (["--split=100/0"], "there are no images for val\n  use --split 80/20 to divide the images\n"),
        (["--split=80/20", "--limit=1"], "there are no images for val\n  use another --seed or more images\n"),
    ],
)
def test_yolo_without_train_and_val_says_what_is_missing_and_writes_nothing(
    options: list[str], says: str, labelled: None, export: Export, tmp_path: Path
) -> None:
    ended = export("--format=yolo", *options, "--dest", tmp_path / "x")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"oidl: --format yolo: {says}" in ended.stderr
    assert not list((tmp_path / "x").glob("*"))


@pytest.mark.parametrize("how", ["--copy", "--hardlink"])
def test_an_export_can_take_its_images_along(how: str, labelled: None, export: Export, root: Path) -> None:
    assert export(how).returncode == 0
    files = list((root / "2017_11/export/coco/images-resized/images").rglob("*.jpg"))
    assert len(files) == 24
    assert not any(path.is_symlink() for path in files)


def test_how_far_it_is_is_said_on_stderr(labelled: None, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    every_half_minute = partial(PacedLine, clock=count(0, 30).__next__)
    monkeypatch.setattr("oidl.cli.commands.export.PacedLine", every_half_minute)
    ended = export("--format=csv")
    lines = ended.stderr.splitlines()
    assert len(lines) == 24
    assert lines[11].startswith("12 of 24 images · 11 exported · ")
    assert ended.stdout.startswith("/")


def test_a_folder_of_images_needs_no_annotations(downloaded: None, export: Export, tmp_path: Path) -> None:
    ended = export("--format=imagefolder", "--copy", "--where=subset = 'validation'", "--dest", tmp_path / "x")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = (tmp_path / "x/validation/metadata.jsonl").read_text().splitlines()
    assert lines
    assert all((tmp_path / "x/validation" / json.loads(line)["file_name"]).is_file() for line in lines)
    assert f"  validation: {counted(len(lines), 'image')}\n" in ended.stdout


def test_a_folder_of_images_has_those_without_annotations_too(
    labelled: None, export: Export, tell, tmp_path: Path
) -> None:
    tell("DELETE FROM box WHERE image_id IN (SELECT image_id FROM image LIMIT 5)")
    tell("DELETE FROM label")
    ended = export("--format=imagefolder", "--dest", tmp_path / "x")
    assert sum(int(line.split()[1]) for line in ended.stdout.splitlines()[1:]) == 24
    ended = export("--format=imagefolder", "--classes=cat", "--dest", tmp_path / "x")
    assert sum(int(line.split()[1]) for line in ended.stdout.splitlines()[1:]) == 19


def test_what_is_chosen_is_what_is_written(labelled: None, export: Export, tmp_path: Path) -> None:
    ended = export("--format=csv", "--label-types=labels", "--classes= dog ", "--dest", tmp_path / "x")
    assert ended.returncode == 0
    assert " labels" in ended.stdout
    lines = [line for path in (tmp_path / "x").glob("labels-*.csv") for line in path.read_text().splitlines()[1:]]
    assert len(lines) == 24
    assert all(line.endswith(",/m/0b,Dog,machine,0.5") for line in lines)
    assert not list((tmp_path / "x").glob("boxes-*"))


@pytest.fixture
def with_groups(labelled: None, tell) -> None:
    """Every third cat is a group, and there is a small one beside each of the others, which people saw to be there."""
    tell("UPDATE box SET is_group_of = (SELECT i.rowid % 3 = 0 FROM image AS i WHERE i.image_id = box.image_id)")
    tell(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, "
        "x_min, x_max, y_min, y_max, is_group_of) "
        "SELECT image_id, 2, 'xclick', '/m/01yrx', 1, 0.0, 0.1, 0.0, 0.1, 0 FROM image WHERE rowid % 3 > 0"
    )
    tell(f"INSERT INTO {_LABEL} SELECT image_id, '/m/0b', 'verification', 1 FROM image WHERE rowid % 3 > 0")


@pytest.mark.parametrize(
    ("options", "annotations", "images"),
    [
        (["--attributes=IsGroupOf=0"], 32, 16),
        (["--attributes=IsGroupOf=1"], 8, 8),
        (["--min-box-area=0.1"], 24, 24),
        (["--attributes=IsGroupOf=0", "--min-box-area=0.1"], 16, 16),
        (["--classes=cat", "--attributes=isgroupof=1"], 8, 8),
        (["--classes=cat", "--attributes=isgroupof=1", "--with-empty"], 8, 24),
        (["--label-types=labels", "--verified-only"], 16, 16),
        (["--verified-only", "--classes=dog"], 16, 16),
        (["--where=original_size > (SELECT min(original_size) FROM image)", "--with-empty"], None, 23),
        (["--limit-per-class=5"], None, 5),
        (["--classes=cat,dog", "--label-types=labels,boxes", "--limit-per-class=5", "--shuffle"], None, None),
        (["--limit=7"], None, 7),
        (["--limit=7", "--classes=cat", "--attributes=IsGroupOf=1"], 7, 7),
        (["--limit=100"], 40, 24),
    ],
)
def test_images_and_their_annotations_are_chosen_as_a_run_does(
    options: list[str], annotations: int | None, images: int | None, with_groups: None, export: Export, tmp_path: Path
) -> None:
    ended = export("--format=csv", *options, "--dest", tmp_path / "x")
    assert (ended.returncode, ended.stderr) == (0, "")
    told = [line.split() for line in ended.stdout.splitlines()[1:]]
    counts = [int(word) for line in told for word in line[4:] if word.isdigit()]
    written = sum(int(line[1]) for line in told), sum(counts)
    rows = [line for path in (tmp_path / "x").glob("*-*.csv") for line in path.read_text().splitlines()[1:]]
    assert len(rows) == written[1]
    if images is None:
        assert 5 <= written[0] <= 10
    else:
        assert written[0] == images
    assert annotations in (None, written[1])


@pytest.mark.parametrize(
    ("options", "images"), [([], 8), (["--classes=dog"], 8), (["--limit=20"], 8), (["--with-empty"], 24)]
)
def test_an_image_is_not_chosen_by_what_was_found_not_to_be_there(
    options: list[str], images: int, labelled: None, oidl, export: Export, tell, root: Path, tmp_path: Path
) -> None:
    tell("UPDATE label SET confidence = (SELECT i.rowid % 3 = 0 FROM image AS i WHERE i.image_id = label.image_id)")
    tell(f"INSERT INTO {_LABEL} SELECT image_id, '/m/01yrx', 'verification', 0 FROM label WHERE confidence = 1")
    ended = export("--format=csv", "--label-types=labels", *options, "--dest", tmp_path / "x")
    assert (ended.returncode, ended.stderr) == (0, "")
    rows = [line.split(",") for path in (tmp_path / "x").glob("*-*.csv") for line in path.read_text().splitlines()[1:]]
    assert len({row[0] for row in rows}) == images
    assert len(rows) == images if "--classes=dog" in options else images + 8, "rows of a chosen image are all written"


def test_a_shuffle_takes_others_and_the_same_seed_the_same(labelled: None, export: Export, ask, tmp_path: Path) -> None:
    def taken(*options: str) -> set[str]:
        assert export("--limit=6", *options, "--dest", tmp_path / "x").returncode == 0
        return {line.split()[0] for line in (tmp_path / "x/images.meta").read_text().splitlines()}

    first = taken("--shuffle")
    assert len(first) == 6
    assert taken("--shuffle") == first != taken("--shuffle", "--seed=1")
    assert taken() == {image_id for (image_id,) in ask("SELECT image_id FROM image ORDER BY image_id LIMIT 6")}


def test_named_images_are_the_only_ones(labelled: None, export: Export, ask, tmp_path: Path) -> None:
    named = [image_id for (image_id,) in ask("SELECT image_id FROM image ORDER BY image_id LIMIT 3")]
    (tmp_path / "ids.txt").write_text("\n".join([*named, "f" * 16]))
    ended = export("--image-ids", tmp_path / "ids.txt", "--dest", tmp_path / "x")
    assert ended.returncode == 0
    assert ended.stderr == f"oidl: 1 of the given ImageIDs are not in the list: {'f' * 16}\n"
    assert [line.split()[0] for line in (tmp_path / "x/images.meta").read_text().splitlines()] == named


def test_subclasses_come_along_if_asked_for(labelled: None, export: Export, tell, tmp_path: Path) -> None:
    tell("INSERT OR IGNORE INTO class (label_name, display_name) VALUES ('/m/0jbk', 'Animal')")
    tell("INSERT INTO class_hierarchy VALUES ('/m/0jbk', '/m/01yrx', 'subcategory', 0)")
    for number, (more, names) in enumerate((((), ["Animal"]), (("--include-subclasses",), ["Animal", "Cat"]))):
        dest = tmp_path / str(number)
        assert export("--classes=animal", *more, "--dest", dest, "--with-empty").returncode == 0
        (written, *_) = sorted(dest.rglob("*.json"))
        assert [each["name"] for each in json.loads(written.read_text())["categories"]] == names


@pytest.mark.parametrize("more", [[], ["--with-empty"]])
def test_subclasses_that_nothing_is_known_of_are_not_left_out_in_silence(
    more: list[str], labelled: None, export: Export, root: Path
) -> None:
    ended = export("--classes=cat", "--include-subclasses", *more)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there is no hierarchy of classes in the database" in ended.stderr
    assert not (root / "2017_11/export").exists()


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
    assert "--rendition a: there are no such images\n  choose from images-resized" in ended.stderr


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        (
            "--format=tfrecord",
            "--format: there is no format 'tfrecord'\n  choose from coco, yolo, voc, imagefolder, csv",
        ),
        ("--split=80", "--split 80: this is not a split\n  use subset, or percentages like 80/20 or 80/10/10"),
        ("--split=80/10", "--split 80/10: the percentages add up to 90, not 100"),
        ("--classes=Cta", "there is no class 'Cta'\n  did you mean Cat?"),
        ("--classes=,", "--classes is empty"),
        ("--include-subclasses", "--include-subclasses requires --classes"),
        ("--label-types=boxen", "--label-types: there is no label type 'boxen'\n  did you mean boxes?"),
        ("--label-types=", "--label-types is empty"),
        (
            "--label-types=boxes,labels",
            "--format coco does not support labels\n"
            "  use --label-types boxes,segmentations,relationships,points, or some of these",
        ),
        ("--label-types=boxes,segmentations", "there are no segmentations in the database"),
        ("--subset=tst", "--subset: there is no subset 'tst' in the database\n  did you mean test?"),
        ("--limit=0", "--limit must be at least 1, not 0"),
        ("--attributes=IsNice=1", "is not an attribute of boxes"),
        ("--attributes=", "--attributes is empty"),
        ("--min-box-area=2", "0 to 1"),
        ("--verified-only", "--format coco does not support labels"),
        ("--where=nope", "no such column: nope"),
        ("--min-visible=1.5", "--min-visible must be 0 to 1, not 1.5"),
        ("--min-visible=nan", "--min-visible must be 0 to 1, not nan"),
    ],
)
def test_what_makes_no_sense_is_said(argument: str, says: str, labelled: None, export: Export, root: Path) -> None:
    ended = export(argument)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert says in ended.stderr
    assert not (root / "2017_11/export").exists()


def test_polygons_are_for_coco_alone(labelled: None, export: Export, tmp_path: Path) -> None:
    assert export("--box-polygons", "--dest", tmp_path / "x").returncode == 0
    (polygon, *_), *_ = (
        each["segmentation"]
        for each in json.loads((tmp_path / "x/annotations/instances_train.json").read_text())["annotations"]
    )
    assert len(polygon) == 8
    ended = export("--box-polygons", "--format=yolo")
    assert ended.returncode == 2
    assert "--format yolo cannot contain polygons\n  use --format coco, or leave out --box-polygons" in ended.stderr


def test_some_of_each_class_and_what_shows_none_do_not_go_together(labelled: None, export: Export) -> None:
    ended = export("--limit-per-class=2", "--with-empty")
    assert ended.returncode == 2
    assert "leave out one of them" in ended.stderr


def test_lists_in_the_settings_file_are_lists_here_too(labelled: None, oidl, export: Export, tmp_path: Path) -> None:
    (oidl.cwd / "oidl.toml").write_text('classes = ["Dog", "Cat"]\nlabel-types = ["labels", "boxes"]\n')
    assert export("--format=csv", "--dest", tmp_path / "x").returncode == 0
    assert {"labels-train.csv", "boxes-train.csv"} <= {path.name for path in (tmp_path / "x").iterdir()}
    (oidl.cwd / "oidl.toml").write_text("classes = []\n")
    assert export("--dest", tmp_path / "y").returncode == 0


@pytest.mark.parametrize(
    ("typed", "in_the_file", "names"),
    [
        ('"Ducks, geese and swans"', None, ["Ducks, geese and swans"]),
        ('Dog, "ducks, geese and swans" ,Cat', None, ["Dog", "Ducks, geese and swans", "Cat"]),
        ('"Cat",Dog', None, ["Cat", "Dog"]),
        ('21" Screen,"21"" Screen, flat"', None, ['21" Screen', '21" Screen, flat']),
        (None, ["Ducks, geese and swans", "Cat"], ["Ducks, geese and swans", "Cat"]),
        (None, ['21" Screen, flat', '21" Screen'], ['21" Screen, flat', '21" Screen']),
        (None, ['"Quoted"'], ['"Quoted"']),
        (None, "Dog,Cat", ["Dog", "Cat"]),
    ],
)
def test_a_class_with_a_comma_in_its_name_can_be_named(
    typed: str | None,
    in_the_file: list[str] | str | None,
    names: list[str],
    labelled: None,
    oidl,
    export: Export,
    tell,
    tmp_path: Path,
) -> None:
    for number, name in enumerate(("Ducks, geese and swans", '21" Screen', '21" Screen, flat', '"Quoted"')):
        tell("INSERT INTO class (label_name, display_name, is_boxable) VALUES (?, ?, 1)", f"/m/1{number}", name)
    if in_the_file is not None:
        (oidl.cwd / "oidl.toml").write_text(f"classes = {json.dumps(in_the_file)}\n")
    flags = [f"--classes={typed}"] if typed else []
    ended = export(*flags, "--dest", tmp_path / "x", "--with-empty")
    assert (ended.returncode, ended.stderr) == (0, "")
    instances = json.loads((tmp_path / "x/annotations/instances_train.json").read_text())
    assert [category["name"] for category in instances["categories"]] == names


def test_copies_and_hard_links_exclude_each_other(labelled: None, export: Export) -> None:
    ended = export("--copy", "--hardlink")
    assert ended.returncode == 2
    assert ended.stderr == "oidl: --copy and --hardlink exclude each other\n  choose one of them\n"


def test_two_renditions_at_once_are_too_many(labelled: None, export: Export) -> None:
    ended = export("--rendition=a", "--rendition=b")
    assert ended.returncode == 2
    assert "--rendition is given twice" in ended.stderr


def test_without_annotations_the_way_to_them_is_said(downloaded: None, export: Export, root: Path) -> None:
    ended = export()
    assert ended.returncode == 2
    hint = f"run `oidl annotations load --root-dir {root} --annotations boxes` to load them"
    assert ended.stderr == f"oidl: there are no boxes in the database\n  {hint}\n"


def test_without_images_it_is_said(fine, run, export: Export, root: Path) -> None:
    assert export().returncode == 2
    assert run(fine, "--nodownload-metadata", "--limit=0").returncode == 0
    ended = export()
    assert ended.returncode == 2
    assert ended.stderr == f"oidl: there are no images yet\n  run `oidl run --root-dir {root}` to download them\n"


@pytest.mark.parametrize("form", ["coco", "yolo", "voc", "csv", "imagefolder"])
def test_where_nothing_can_be_written_it_is_said(form: str, labelled: None, export: Export, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = export(f"--format={form}", "--dest", tmp_path / "file" / "below")
    assert ended.returncode == 5
    assert "could not be written: Not a directory" in ended.stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--where=width > 99999"], "no chosen image has a file of the rendition images-resized"),
        (["--where=width > 99999", "--format=yolo"], "no chosen image has a file of the rendition images-resized"),
        (["--license=nc"], "no image has a licence check"),
        (["--min-box-area=0.9"], "of 24 chosen images, none has boxes that fit the options"),
    ],
)
def test_an_export_of_nothing_says_why_and_writes_nothing(
    options: list[str], why: str, labelled: None, export: Export, tmp_path: Path
) -> None:
    ended = export(*options, "--dest", tmp_path / "x")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"oidl: nothing was exported: {why}\n" in ended.stderr
    assert not list((tmp_path / "x").rglob("*"))


def test_an_export_without_the_files_names_the_commands_that_bring_them_back(
    labelled: None, export: Export, root: Path
) -> None:
    for path in (root / "2017_11").rglob("images-resized/**/*.jpg"):
        path.unlink()
    ended = export()
    assert ended.returncode == 2
    assert "the files of 24 chosen images are missing, or not those that were recorded\n" in ended.stderr
    assert f"run `oidl verify --root-dir {root} --repair`, then `oidl run --root-dir {root}`" in ended.stderr


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("", "--where is empty\n"),
        (" ", "--where is empty\n"),
        ("width >", "--where 'width >' cannot be run: it ends too early\n"),
        ("(width > 3", "--where '(width > 3' cannot be run: it ends too early\n"),
        ("widht > 3", "--where 'widht > 3' cannot be run: no such column: widht\n"),
    ],
)
def test_what_is_wrong_with_an_expression_is_said_without_the_sql_around_it(
    where: str, says: str, labelled: None, export: Export
) -> None:
    ended = export(f"--where={where}")
    assert ended.returncode == 2
    assert says in ended.stderr
