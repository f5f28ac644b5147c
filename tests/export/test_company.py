"""The files in every export, attribution and metadata for programs; and the folder of images."""

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from builders import image
from labelled import BLUE, EVERY_FORMAT, IMAGES, LABELLED, NAMES, RED, SUBSETS, LabelledRoot, image_files

from oidl.export.format import ExportTarget, Format
from oidl.export.formats.coco import COCO
from oidl.export.formats.imagefolder import IMAGEFOLDER
from oidl.export.formats.voc import VOC
from oidl.export.formats.yolo import YOLO
from oidl.export.image import Category
from oidl.export.text import cell, shown
from oidl.model import LabelType
from oidl.settings import Selection


def rows(dest: Path) -> list[dict[str, str]]:
    with open(dest / "ATTRIBUTION.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def croissant(dest: Path) -> dict[str, Any]:
    return json.loads((dest / "croissant.json").read_text("utf-8"))


def records(dest: Path) -> dict[str, dict[str, Any]]:
    """The lines of all `metadata.jsonl`, by ImageID."""
    lines = [line for split in SUBSETS for line in (dest / split / "metadata.jsonl").read_text("utf-8").splitlines()]
    return {record["image_id"]: record for record in map(json.loads, lines)}


@EVERY_FORMAT
def test_the_author_of_every_image_of_an_export_is_named(form: Format, exported: Any, tmp_path: Path) -> None:
    exported(form, rendition="border")
    found = {row["image_id"]: row for row in rows(tmp_path)}
    assert sorted(tmp_path / row["file_name"] for row in found.values()) == image_files(form, tmp_path)
    assert len(found) == LABELLED
    published = image(1)
    assert found[published.image_id] == {
        "image_id": published.image_id,
        "file_name": found[published.image_id]["file_name"],
        "title": published.title,
        "author": "A� <b> & co",
        "author_url": published.author_profile_url,
        "license": published.license,
        "landing_url": published.original_landing_url,
    }


HARMFUL = "\x1b]52;c;ZXZpbA==\x07\x9b2J\u202e\u2066\r\x7f"


@pytest.fixture
def harmful(labelled_root: LabelledRoot) -> Iterator[None]:
    """Every text of lists and annotation files has what terminals obey, and begins as a formula."""
    texts = {
        "image": ("title", "author", "author_profile_url", "license", "original_landing_url", "original_url"),
        "class": ("display_name",),
        "point": ("estimated_yes_no", "source", "text_label"),
    }
    labelled_root.db.execute("BEGIN")
    for table, columns in texts.items():
        labelled_root.db.execute(
            f"UPDATE {table} SET {', '.join(f'{column} = ?' for column in columns)}",
            [f"={column}|{HARMFUL}x" for column in columns],
        )
    yield
    labelled_root.db.execute("ROLLBACK")


@EVERY_FORMAT
@pytest.mark.usefixtures("harmful")
def test_nothing_in_an_export_is_obeyed_by_a_terminal_or_run_by_a_spreadsheet(
    form: Format, exported: Any, tmp_path: Path
) -> None:
    exported(form, rendition="border", selection=Selection(label_types=form.label_types))
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix not in (".png", "")]
    assert tmp_path / "ATTRIBUTION.csv" in files
    for path in files:
        text = path.read_bytes().decode()
        assert not set(HARMFUL) - set("]52;cZXZpbA==2J") & set(text), path
        assert r"\u00" not in text, path  # as JSON has it
    for path in tmp_path.glob("*.csv"):
        with open(path, encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert [cell for cell in cells if cell.startswith("=")] == []
        assert [cell for cell in cells if cell.startswith("'=")]
    assert {row["title"] for row in rows(tmp_path)} == {"'=title|�]52;c;ZXZpbA==��2J�� �x"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1", "\n=1"])
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=b", "1-2", "me@example.org", "'=1", "写真", "👩\u200d👩\u200d👧"])
def test_all_other_text_is_left_alone(text: str) -> None:
    assert cell(shown(text)) == text


@EVERY_FORMAT
def test_croissant_names_every_file_of_an_export(form: Format, exported: Any, tmp_path: Path) -> None:
    exported(form, rendition="border", selection=Selection(label_types=form.label_types))
    described = croissant(tmp_path)
    assert described["license"] == ["https://creativecommons.org/licenses/by/2.0/", _ANNOTATIONS]
    named: set[Path] = set()
    for each in described["distribution"]:
        if each["@type"] == "cr:FileObject":
            path = tmp_path / each["contentUrl"]
            assert each["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert each["contentSize"] == f"{path.stat().st_size} B"
            named.add(path)
        else:
            includes = each["includes"] if isinstance(each["includes"], list) else [each["includes"]]
            named |= {path for pattern in includes for path in tmp_path.glob(pattern)}
    others = {"croissant.json", "images.meta", ".oidl-export"}
    assert named == {path for path in tmp_path.rglob("*") if path.is_file() and path.name not in others}


_ANNOTATIONS = "https://creativecommons.org/licenses/by/4.0/"


def test_croissant_has_the_whole_context_of_its_version(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="border")
    context = croissant(tmp_path)["@context"]
    # Of Croissant 1.0; mlcroissant warns about each that is missing.
    names = """
        citeAs column conformsTo cr data dataType dct equivalentProperty examples extract field fileObject fileProperty
        fileSet format includes isLiveDataset jsonPath key md5 parentField path rai recordSet references regex repeated
        replace samplingRate sc separator source subField transform
    """
    assert set(names.split()) == context.keys() - {"@language", "@vocab"}


def test_croissant_knows_the_version_and_the_types_of_files(exported: Any, tmp_path: Path) -> None:
    exported(COCO, rendition="border")
    described = croissant(tmp_path)
    assert (described["name"], described["version"]) == ("Open Images V7, border, coco", "7.0.0")
    assert described["datePublished"] == "2022-10"
    types = {each["@id"]: each["encodingFormat"] for each in described["distribution"]}
    assert types["annotations/instances_train.json"] == "application/json"
    assert types["ATTRIBUTION.csv"] == "text/csv"
    assert types["image-files"] == ["image/png"]


@EVERY_FORMAT
def test_croissant_joins_each_row_with_its_image(form: Format, exported: Any, tmp_path: Path) -> None:
    exported(form, rendition="border")
    (records,) = croissant(tmp_path)["recordSet"]
    columns = {field["source"]["extract"].get("column"): field for field in records["field"]}
    assert columns.keys() == {*rows(tmp_path)[0], None}
    joined = columns["file_name"]
    assert joined["references"] == {"fileSet": {"@id": "image-files"}, "extract": {"fileProperty": "filename"}}
    # As mlcroissant does: from the beginning, and the first group counts.
    found = [re.match(joined["source"]["transform"]["regex"], row["file_name"]) for row in rows(tmp_path)]
    names = sorted(each.group(1) for each in found if each)
    assert names == sorted(path.name for path in image_files(form, tmp_path))


# ---- the folder of images


def test_a_folder_of_images_has_a_record_for_every_image(exported: Any, tmp_path: Path) -> None:
    exported(IMAGEFOLDER, rendition="fillcrop", with_empty=True)
    found = records(tmp_path)
    assert len(found) == IMAGES
    published = image(1)
    record = found[published.image_id]
    assert record["objects"]["categories"] == [NAMES[RED], NAMES[BLUE]]
    assert record["objects"]["bbox"][0] == [0.0, 16.0, 80.0, 40.0]
    assert record["labels"] == [NAMES[BLUE]]  # red was looked for and not found
    assert (record["width"], record["height"]) == (160, 160)
    assert (record["license"], record["title"]) == (published.license, published.title)
    assert found[image(IMAGES).image_id]["objects"] == {"bbox": [], "categories": []}


def test_a_folder_of_images_has_the_annotations_that_there_are(
    exported: Any, labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    keys = {"objects", "labels"}
    exported(IMAGEFOLDER, rendition="border", selection=Selection(label_types=(LabelType.BOXES,)))
    assert keys & records(tmp_path)[image(1).image_id].keys() == {"objects"}
    labelled_root.db.execute("BEGIN")
    try:
        labelled_root.db.execute("DELETE FROM box")
        exported(IMAGEFOLDER, rendition="border", with_empty=True)
        assert keys & records(tmp_path)[image(1).image_id].keys() == {"labels"}
        labelled_root.db.execute("DELETE FROM label")
        done = exported(IMAGEFOLDER, rendition="border", with_empty=True)
    finally:
        labelled_root.db.execute("ROLLBACK")
    assert not keys & records(tmp_path)[image(1).image_id].keys()
    assert sum(done.images.values()) == IMAGES
    assert _ANNOTATIONS not in croissant(tmp_path)["license"]


def test_a_folder_of_images_has_no_split_without_images(exported: Any, tmp_path: Path) -> None:
    exported(IMAGEFOLDER, rendition="border", with_empty=True, selection=Selection(limit=2))
    assert (tmp_path / "train/metadata.jsonl").is_file()
    assert not (tmp_path / "validation").exists()


# ---- splits, and classes for Datumaro


@pytest.mark.parametrize(("form", "name"), [(COCO, "validation"), (YOLO, "val"), (VOC, "val")])
def test_parts_have_the_names_that_readers_know(form: Format, name: str, exported: Any, tmp_path: Path) -> None:
    assert list(exported(form, rendition="border").images) == ["train", name]


def test_the_classes_of_voc_are_listed(exported: Any, tmp_path: Path) -> None:
    exported(VOC, rendition="border", label_names=(RED,))
    lines = (tmp_path / "VOCdevkit/VOC2012/labelmap.txt").read_text().splitlines()
    assert lines == ["# name : colour : parts : actions", "background:0,0,0::", "red:::"]
    exported(VOC, rendition="border", label_names=(BLUE,))
    lines = (tmp_path / "VOCdevkit/VOC2012/labelmap.txt").read_text().splitlines()
    assert lines[2:] == ['blue "box", & <more>- é:::']


def test_the_classes_of_voc_are_those_of_its_boxes_whatever_their_names(exported: Any, tmp_path: Path) -> None:
    """A colon would end a name in the list, and `#` would make a comment of it."""
    exported(VOC, rendition="border")
    home = tmp_path / "VOCdevkit/VOC2012"
    listed = [line.partition(":")[0] for line in (home / "labelmap.txt").read_text("utf-8").splitlines()]
    used = {each.text for path in home.glob("Annotations/*.xml") for each in ElementTree.parse(path).iterfind("*/name")}
    assert len(used) == 3  # both objects, and the author
    assert len(used & set(listed)) == 2


@pytest.mark.parametrize(
    ("names", "written"),
    [
        (["sign: stop", "sign: go"], ["sign- stop", "sign- go"]),
        (["a:b", "a-b", "c"], ["a-b (1)", "a-b (2)", "c"]),
        (["#1", "no. #2"], ["-1", "no. #2"]),
    ],
)
def test_names_that_a_label_map_cannot_hold_are_spelled_otherwise_and_stay_apart(
    names: list[str], written: list[str], tmp_path: Path
) -> None:
    categories = [Category(number, f"/m/{number}", name, "") for number, name in enumerate(names, 1)]
    target = ExportTarget(tmp_path, "title", "border", ["train"], categories, (LabelType.BOXES,))
    with VOC.write(target):
        pass
    lines = (tmp_path / "VOCdevkit/VOC2012/labelmap.txt").read_text("utf-8").splitlines()
    assert [line.removesuffix(":::") for line in lines[2:]] == written
