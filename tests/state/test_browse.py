"""The values that images can be filtered by, and that finding them goes along indexes."""

from collections.abc import Callable

import pytest
from builders import image

from oidl.errors import UsageError
from oidl.state.browse import class_filter, classes_called, frequent_licenses, read_choices
from oidl.state.connection import StateConnection

from .conftest import CAT, CC0, DOG
from .test_explore import plans_of

BY = image(1).license


def test_only_classes_that_annotations_have_are_proposed(browsed: StateConnection) -> None:
    assert classes_called(browsed, "", 10) == ["Cat", "Hot dog"]
    assert classes_called(browsed, " CAT", 10) == ["Cat"]  # there is no cat owl in any image
    assert classes_called(browsed, "dog", 10) == ["Hot dog"]
    assert classes_called(browsed, "zebra", 10) == []
    assert classes_called(browsed, "", 1) == ["Cat"]


def test_a_class_has_its_name_in_any_case_or_its_mid(browsed: StateConnection) -> None:
    assert class_filter(browsed, "cat") == (CAT,)
    assert class_filter(browsed, DOG) == (DOG,)
    with pytest.raises(UsageError, match="there is no class 'Catt'") as refused:
        class_filter(browsed, "Catt")
    assert refused.value.hint == "did you mean Cat?"


def test_licences_are_known_from_a_sample_the_most_frequent_first(browsed: StateConnection) -> None:
    assert frequent_licenses(browsed) == [BY, CC0]


def test_there_is_to_choose_what_there_is(browsed: StateConnection) -> None:
    choices = read_choices(browsed)
    assert choices.subsets == {"test": 2, "train": 10}
    assert choices.renditions == {"thumbs": 12, "original": 5}
    assert choices.reasons == {"gone": 1, "not_found": 1, "timeout": 1}
    assert choices.checks == {"changed": 1, "gone": 1, "same": 1, "free": 1, "nc": 1}


@pytest.mark.parametrize(
    "question",
    [lambda db: classes_called(db, "", 5), lambda db: classes_called(db, "cat", 5), frequent_licenses],
    ids=["classes", "typed", "licences"],
)
def test_every_question_goes_along_an_index(browsed: StateConnection, question: Callable[..., object]) -> None:
    for sql, plan in plans_of(browsed, question):
        scans = [step for step in plan if step.startswith("SCAN") and step != "SCAN class"]  # twenty thousand at most
        assert not scans or "max(rowid)" in sql, (sql, plan)
        assert not [step for step in plan if "TEMP B-TREE" in step], (sql, plan)
