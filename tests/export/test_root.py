"""A root read from Python with `oidl.open`: the same images and annotations as in an export."""

import pickle
import re
import sys
from pathlib import Path
from shutil import copytree
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy
import pytest
from labelled import BLUE, IMAGES, NAMES, OBJECT, RED, LabelledRoot
from pages import code_blocks, manual
from pictures import check_box, check_mask
from PIL import Image as Pillow
from pycocotools import mask as coco_mask

import oidl
from oidl.errors import UsageError
from oidl.state.database import open_writer


@pytest.mark.parametrize("rendition", ["shrinktofit", "fillcrop", "border", "turned", "kept"])
def test_boxes_and_masks_lie_on_the_objects(rendition: str, labelled_root: LabelledRoot) -> None:
    checked = 0
    for image in oidl.open(labelled_root.root).images(rendition=rendition, label_types=("boxes", "segmentations")):
        with Pillow.open(image.path) as picture:
            assert picture.size == (image.width, image.height)
            for box in image.boxes:
                check_box(picture, OBJECT[box.label_name], box.left, box.top, box.right, box.bottom)
                if box.mask:
                    check_mask(picture, OBJECT[box.label_name], box.mask.pixels())
                    checked += 1
    assert checked > IMAGES


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools' own
def test_the_pixels_of_a_mask_are_those_that_pycocotools_decodes(labelled_root: LabelledRoot) -> None:
    for image in oidl.open(labelled_root.root).images(rendition="fillcrop", label_types="segmentations"):
        for box in image.boxes:
            assert box.mask is not None
            run_lengths = {"size": [box.mask.height, box.mask.width], "counts": box.mask.counts.encode()}
            assert numpy.array_equal(box.mask.pixels(), coco_mask.decode(run_lengths) == 1)


def test_an_image_says_what_was_published_and_where_its_bytes_are(labelled_root: LabelledRoot) -> None:
    image = next(oidl.open(str(labelled_root.root)).images(rendition="copied"))
    assert image.image_id == f"{1:016x}"
    assert (image.subset, image.title) == ("train", 'A "title", with &amp; and é')
    assert image.license == "https://creativecommons.org/licenses/by/2.0/"
    assert image.path.is_absolute()
    assert image.read() == image.path.read_bytes()
    assert [(label.label_name, label.confidence) for label in image.labels] == [(BLUE, 1.0), (RED, 0.0)]
    assert {box.class_name: box.is_group_of for box in image.boxes} == {NAMES[RED]: False, NAMES[BLUE]: True}


def test_images_are_chosen_as_an_export_chooses_them(labelled_root: LabelledRoot) -> None:
    root = oidl.open(labelled_root.root)

    def selected(**options: Any) -> list[str]:
        return [image.image_id for image in root.images(rendition="copied", **options)]

    everything = selected()
    assert everything == sorted(everything)
    assert len(everything) == IMAGES
    assert len(selected(classes="red")) == IMAGES - 1
    assert {box.label_name for each in root.images(classes=[RED], rendition="copied") for box in each.boxes} == {RED}
    assert selected(subset="validation") == [f"{number:016x}" for number in range(3, IMAGES + 1, 3)]
    assert selected(where="subset = 'validation'", limit=2) == [f"{3:016x}", f"{6:016x}"]
    drawn = selected(shuffle=True, seed=1)
    assert drawn != everything
    assert sorted(drawn) == everything


def test_a_file_that_a_row_names_and_no_run_can_have_written_is_left_out_with_a_warning(
    labelled_root: LabelledRoot, tmp_path: Path
) -> None:
    moved = tmp_path / "root"
    copytree(labelled_root.root, moved)
    with open_writer(moved / "oidl.sqlite3") as db:
        db.execute("UPDATE file SET path = '/etc/passwd' WHERE image_id = ?", (f"{2:016x}",))
    with pytest.warns(UserWarning, match="left out 1 image whose row names a file"):
        images = list(oidl.open(moved).images(rendition="copied"))
    assert f"{2:016x}" not in {each.image_id for each in images}
    assert len(images) == IMAGES - 1


def test_a_tilde_is_the_home_directory(labelled_root: LabelledRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(labelled_root.root.parent))
    assert oidl.open(f"~/{labelled_root.root.name}").root_dir == labelled_root.root


def test_counts_and_sql(labelled_root: LabelledRoot) -> None:
    root = oidl.open(labelled_root.root)
    assert root.counts() == {"pending": 0, "retry": 0, "done": IMAGES, "failed": 0}
    rows = root.sql("SELECT subset, count(*) AS images FROM image WHERE rowid > ? GROUP BY 1 ORDER BY 1", (0,))
    assert next(rows) == {"subset": "train", "images": IMAGES - IMAGES // 3}
    assert list(rows) == [{"subset": "validation", "images": IMAGES // 3}]
    for sql in ("SELECT nothing FROM image", "DELETE FROM image", "SELECT 1; SELECT 2", "SELECT ?"):
        with pytest.raises(UsageError, match="this SQL cannot be run"):
            list(root.sql(sql))


def test_what_there_is_not_is_said(labelled_root: LabelledRoot, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no state database at"):
        oidl.open(tmp_path)
    root = oidl.open(labelled_root.root)
    for options, says in (
        ({"classes": "gren", "rendition": "copied"}, "there is no class 'gren'"),
        ({"label_types": "smells"}, "label_types: there is no 'smells'"),
        ({"rendition": "huge"}, "--rendition huge"),
        ({}, "several renditions"),
        ({"where": "nonsense(", "rendition": "copied"}, "--where"),
    ):
        with pytest.raises(UsageError, match=re.escape(says)):
            list(root.images(**options))


def test_a_handle_can_be_sent_to_another_process(labelled_root: LabelledRoot) -> None:
    root = pickle.loads(pickle.dumps(oidl.open(labelled_root.root)))
    assert repr(root) == f"oidl.open({str(labelled_root.root)!r})"
    images = list(root.images(rendition="copied"))
    assert pickle.loads(pickle.dumps(images)) == images


def test_a_notebook_shows_the_picture_its_boxes_and_whom_to_thank(labelled_root: LabelledRoot) -> None:
    image = next(oidl.open(labelled_root.root).images(rendition="copied"))
    html = image._repr_html_()
    assert html.count("<rect ") == 2
    assert 'href="data:image/jpeg;base64,' in html
    assert "blue &quot;box&quot;, &amp; &lt;more&gt;: é" in html
    assert "A\x01 &lt;b&gt; &amp; co" in html or "&lt;b&gt; &amp; co" in html
    assert "<b>" not in html
    assert "<script" not in html


def test_a_link_leads_to_the_web_or_nowhere() -> None:
    from oidl.library.html import image_html

    html = image_html(
        b"", ".tif", (4, 3), [], title="x", page="javascript:alert(1)", author="", license_url="file:///etc/passwd"
    )
    assert "<a " not in html
    assert "by unknown" in html


def test_the_data_set_in_the_manual_is_one(
    labelled_root: LabelledRoot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its only need of PyTorch is a class to inherit from, and of torchvision a function that reads a picture."""
    (code,) = [code for code in code_blocks(manual("python"), "python") if "import torch" in code]
    torch, data, io = ModuleType("torch"), ModuleType("torch.utils.data"), ModuleType("torchvision.io")
    data.Dataset = object  # type: ignore[attr-defined]
    torch.tensor = numpy.array  # type: ignore[attr-defined]
    io.decode_image = lambda path: numpy.array(Pillow.open(path)).transpose(2, 0, 1)  # type: ignore[attr-defined]
    for name, module in (("torch", torch), ("torch.utils", ModuleType("torch.utils")), ("torch.utils.data", data),
                         ("torchvision", SimpleNamespace(io=io)), ("torchvision.io", io)):  # fmt: skip
        monkeypatch.setitem(sys.modules, name, module)
    names: dict[str, Any] = {}
    exec(code.replace('"cats"', repr(str(labelled_root.root))).replace('"Cat"', '"red"').replace("train", "validation")
         .replace("classes=", 'rendition="copied", classes='), names)  # fmt: skip
    pictures = names["pictures"]
    assert len(pictures) == IMAGES // 3
    picture, boxes = pictures[0]
    assert picture.shape[0] == 3
    assert boxes.shape == (1, 4)


def test_a_word_about_licences_that_there_is_not_is_refused(labelled_root: LabelledRoot) -> None:
    root = oidl.open(labelled_root.root)
    with pytest.raises(UsageError, match="there is no 'mine'"):
        next(root.images(rendition="copied", license="mine"))
    assert next(root.images(rendition="copied", license=("same", "unchecked"))).license_verdict == ""
    assert list(root.images(rendition="copied", license="same")) == []
