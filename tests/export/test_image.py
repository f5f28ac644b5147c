"""What all formats write about an image: distinct names, text that fits, and clipped boxes."""

import pytest

from oidl.export.categories import numbered_categories
from oidl.export.image import Category, LabelledBox
from oidl.export.text import csv_line, number, plain
from oidl.imaging.boxes import PlacedBox
from oidl.state.file_annotations import Box, LabelClass


def test_categories_count_from_one_and_have_names_unlike_each_other() -> None:
    classes = [
        LabelClass("/m/1", "Bat", "Animal"),
        LabelClass("/m/2", "Cat", None),
        LabelClass("/m/3", "Bat", None),
        LabelClass("/m/4", None, None),
    ]
    assert numbered_categories(classes) == [
        Category(1, "/m/1", "Bat (/m/1)", "Animal"),
        Category(2, "/m/2", "Cat", "Cat"),
        Category(3, "/m/3", "Bat (/m/3)", "Bat"),
        Category(4, "/m/4", "/m/4", "/m/4"),
    ]


@pytest.mark.parametrize(
    ("published", "visible", "is_truncated"), [(1, 1.0, 1), (0, 0.5, 1), (0, 0.9999, 0), (-1, 1, 0)]
)
def test_what_is_cut_off_is_truncated(published: int, visible: float, is_truncated: int) -> None:
    box = Box("i", "/m/1", "s", 1.0, 0, 1, 0, 1, None, published, 0, -1, 1)
    found = LabelledBox(Category(1, "/m/1", "Bat", ""), box, PlacedBox(0, 0, 1, 1, visible))
    assert found.is_truncated == bool(is_truncated)
    flags = ("is_occluded", "is_group_of", "is_depiction", "is_inside")
    assert [found.attribute(flag) for flag in flags] == [False, False, False, True]


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        ("a\x00b\x1bc\x7fd\x9fe\ufffef\u202eg", "a�b�c�d�ef�g"),
        (" a \t\r\n b ", "a b"),
        ("é 公園 🦊 <&>", "é 公園 🦊 <&>"),
    ],
)
def test_text_is_one_line_of_characters_that_xml_and_yaml_know(text: str, fit: str) -> None:
    assert plain(text) == fit


def test_csv_is_quoted_where_needed() -> None:
    assert csv_line(["a", 1, None, "b,c", 'd"e', "f\ng"]) == 'a,1,,"b,c","d""e","f\ng"\n'


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (0.0, "0"), (1.5, "1.5"), (1.239, "1.24"), (100.0, "100")])
def test_numbers_are_hundredths_at_most(value: float, text: str) -> None:
    assert number(value) == text
