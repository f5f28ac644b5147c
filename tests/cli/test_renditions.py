"""Several renditions of one download, in one run or later; orientation, colours and converted originals."""

import io
from pathlib import Path

import pytest
from PIL import Image as Pillow

from oidl.cli.options.rendition_parser import check_together, hex_colour, parse_rendition
from oidl.errors import UsageError
from oidl.model import Crop, Orientation, Rendition, ResizeMode, Scaling, Source
from oidl.settings import SourceSettings


def typed(text: str) -> Rendition:
    return parse_rendition(text, Rendition("", ""))


def test_what_is_not_said_is_as_always() -> None:
    assert typed("box=100") == Rendition("images-100", "images-100", ResizeMode.SHRINK_TO_FIT, 100, "jpg")


def test_everything_may_be_said() -> None:
    text = (
        "name=t, mode=fillcrop, box=224, format=PNG, dir=images/224, crop=attention, orientation=dataset, "
        "background=#FF8000, force_rgb=true"
    )
    assert typed(text) == Rendition(
        "t", "images/224", ResizeMode.FILL_CROP, 224, "png", None, Crop.ATTENTION, Orientation.DATASET, "ff8000", True
    )
    assert typed("box=9,quality=50,mode=keep-ratio").mode is ResizeMode.KEEP_RATIO
    assert typed("box=9,scaling=FAST").scaling is Scaling.FAST
    assert parse_rendition("box=9", Rendition("", "", scaling=Scaling.FAST)).scaling is Scaling.FAST


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name=t", "box is missing"),
        ("box=0", "box must be 1 to 65500"),
        ("box=9,quality=101", "quality must be 1 to 100"),
        ("box=9,box=9", "'box=9' is not one of its parts"),
        ("box=9,size=3", "'size=3'"),
        ("box", "'box'"),
        ("box=9,mode=Squash", "'Squash' is not one of ShrinkToFit"),
        ("box=9,dir=../x", "without '..'"),
        ("box=9,dir=/etc", "relative name"),
        ("box=9,format=j/pg", "the format must be a suffix"),
        ("box=9,background=red", "six hex digits"),
        ("box=9,crop=attention", "only for mode=FillCrop"),
    ],
)
def test_what_makes_no_sense_is_said(text: str, names: str) -> None:
    with pytest.raises(UsageError, match=names.replace("(", r"\(")):
        typed(text)


def test_two_of_one_name_or_directory_are_refused() -> None:
    original = SourceSettings()
    for one, two in (("name=a,box=1", "name=a,box=2,dir=b"), ("dir=a,box=1", "dir=a,box=2,name=b")):
        with pytest.raises(UsageError, match="another one"):
            check_together([typed(one), typed(two)], original)
    with pytest.raises(UsageError, match="originals"):
        check_together([typed("name=original,box=1,dir=x")], original)
    with pytest.raises(UsageError):
        check_together(
            [typed("name=mine,box=1,dir=images-original-cvdf")], SourceSettings((Source.ORIGINAL, Source("cvdf")))
        )


def test_a_colour_is_six_hex_digits() -> None:
    assert hex_colour("#ABCDEF", "x") == "abcdef"


def test_several_renditions_come_of_one_request_and_one_more_of_none(fine, run, ask, root: Path) -> None:
    options = ("--save-original-images", "--nodownload-metadata")
    two = ("--rendition=name=small,box=64", "--rendition=name=square,box=48,mode=FillCrop,format=webp,dir=squares")
    assert run(fine, *options, *two).returncode == 0
    assert set(fine.requests.values()) == {1}
    assert ask("SELECT rendition, count(*) FROM file GROUP BY 1 ORDER BY 1") == [
        ("original", 24),
        ("small", 24),
        ("square", 24),
    ]
    fine.site.requests.clear()
    assert run(fine, *options, *two, "--rendition=name=third,box=32,mode=border,background=00ff00").returncode == 0
    assert not fine.requests
    for path, width, height in ask("SELECT path, width, height FROM file WHERE rendition = 'square'"):
        assert (width, height) == (48, 48)
        assert "/squares/" in path
        assert path.endswith(".webp")
    for path, left, top in ask("SELECT path, crop_left, crop_top FROM file WHERE rendition = 'third'"):
        assert Pillow.open(io.BytesIO((root / path).read_bytes())).size == (32, 32)
        assert min(left, top) < 0 or (left, top) == (0, 0)


def test_the_classic_one_stands_beside_them_where_it_is_shaped(fine, run, ask) -> None:
    run(fine, "--nodownload-metadata", "--limit=1", "--rendition=name=a,box=64", "--resize-box-size=100")
    assert ask("SELECT name, box_size FROM rendition ORDER BY 1") == [("a", 64), ("images-resized", 100)]


def test_they_may_stand_in_the_file(fine, oidl, root: Path, ask) -> None:
    (oidl.cwd / "oidl.toml").write_text(
        f'root-dir = "{root}"\ncatalogue = "{fine.catalogue}"\nlimit = 1\ndownload-metadata = false\n'
        '[[rendition]]\nname = "a"\nbox = 64\n[[rendition]]\nname = "b"\nbox = 32\nmode = "FillCrop"\n'
    )
    assert oidl("run").returncode == 0
    assert ask("SELECT name, mode, box_size FROM rendition ORDER BY 1") == [
        ("a", "ShrinkToFit", 64),
        ("b", "FillCrop", 32),
    ]
    assert oidl("status").returncode == 0


def test_another_recipe_in_the_same_directory_is_refused(fine, run) -> None:
    assert run(fine, "--nodownload-metadata", "--limit=1").returncode == 0
    named = "--resized-images-subdirectory=images-resized"  # otherwise these go to a directory of their own
    ended = run(fine, "--nodownload-metadata", "--limit=1", "--orientation=keep", named)
    assert ended.returncode == 2
    assert "not ShrinkToFit 224 px jpg images with orientation keep" in ended.stderr
    ended = run(fine, "--nodownload-metadata", "--limit=1", "--orientation=exif", "--scaling=fast", named)
    assert ended.returncode == 2
    assert "not ShrinkToFit 224 px jpg images with fast scaling" in ended.stderr


def test_a_cmyk_original_may_be_saved_as_srgb(fine, run, ask, root: Path) -> None:
    options = ("--save-original-images", "--nodownload-metadata", "--noresize-images", "--convert-cmyk")
    assert run(fine, *options).returncode == 0
    rows = ask("SELECT path, is_cmyk, conversion FROM file JOIN download USING (image_id)")
    assert {(is_cmyk, conversion) for _, is_cmyk, conversion in rows} == {(0, None), (1, "cmyk")}
    for path, _, conversion in rows:
        picture = Pillow.open(io.BytesIO((root / path).read_bytes()))
        assert picture.mode in ("RGB", "L") if conversion or picture.mode != "CMYK" else False
