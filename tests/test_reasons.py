"""Every reason has a meaning and a diagnosis, and text that users can read."""

import json
import pickle

import pytest

from oidl.model import Reason
from oidl.reasons import diagnosis, meaning


def test_a_reason_is_its_word_wherever_it_goes() -> None:
    assert Reason("gone") is Reason.of("gone") is pickle.loads(pickle.dumps(Reason.GONE)) is Reason.GONE
    assert f"{Reason.GONE}" == json.loads(json.dumps(Reason.GONE)) == "gone"


@pytest.mark.parametrize("reason", Reason)
def test_a_meaning_and_a_diagnosis_are_one_short_line(reason: Reason) -> None:
    for text in (meaning(reason), diagnosis(reason)):
        assert 10 < len(text) < 140
        assert text[-1] not in ".\n"
        assert "{" not in text


def test_every_meaning_is_another_one() -> None:
    assert len({meaning(reason) for reason in Reason}) == len(Reason)


@pytest.mark.parametrize("text", ["", "Gone", "UNAVAILABLE", "watermark"])
def test_a_reason_that_users_wrote_into_the_database_is_no_error(text: str) -> None:
    assert meaning(text) == "not a reason that oidl knows"
