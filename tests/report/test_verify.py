"""The text and JSON of `oidl verify`."""

import json
from dataclasses import replace

import pytest

from oidl.model import Finding, Problem
from oidl.progress.verify import VerifyMeter
from oidl.report.verify import FAULTS, finding_line, is_sound, verify_json, verify_line, verify_text


@pytest.fixture
def meter() -> VerifyMeter:
    times = iter([100.0] + [110.0] * 99)
    meter = VerifyMeter(lambda: next(times))
    meter.total = 5000
    meter.files_checked(1000, 7)
    return meter


def test_every_fault_has_words():
    assert list(FAULTS) == list(Problem)


def test_the_line_says_how_far_how_fast_and_what_is_wrong(meter: VerifyMeter):
    assert verify_line(meter.statistics()) == "1,000 of 5,000 files · 0 wrong · 100 files/s · 40 s"
    for fault in Problem:
        meter.found(Finding(fault))
    assert verify_line(meter.statistics()) == "1,000 of 5,000 files · 11 wrong · 100 files/s · 40 s"
    meter.files_seen(1234)
    assert verify_line(meter.statistics()) == "1,000 of 5,000 files · 11 wrong · 1,234 on the disk"


@pytest.mark.parametrize("fault", Problem)
def test_what_is_left_to_do_is_not_sound(fault: Problem, meter: VerifyMeter):
    assert is_sound(meter.statistics(), is_repaired=False)
    meter.found(Finding(fault))
    end = meter.statistics()
    assert is_sound(end, is_repaired=False) == (fault in ("unrecorded", "foreign"))
    assert is_sound(end, is_repaired=True) == (fault in ("unrecorded", "foreign", "orphan", "leftover"))


def test_it_says_what_to_do_next(meter: VerifyMeter):
    meter.found(Finding(Problem.MISSING, "a"))
    end = meter.statistics()
    assert verify_text(end, is_repaired=False, is_interrupted=False).splitlines() == [
        "checked 1,000 recorded files and looked at 0 files on the disk in 10 s",
        "checked only the size of 7 files, because oidl does not decode the format",
        "         1  missing     a recorded file does not exist",
        "run `oidl verify --repair`, then `oidl run` to fetch what is missing",
    ]
    repaired = verify_text(replace(end, requeue=1), is_repaired=True, is_interrupted=False).splitlines()
    assert repaired[-2:] == [
        "put 1 image back in the queue and removed 0 files",
        "run `oidl run` to fetch what was put back",
    ]
    assert "interrupted: there may be more" in verify_text(end, is_repaired=False, is_interrupted=True)


def test_the_object_has_a_number_for_every_fault_and_a_few_examples(meter: VerifyMeter):
    for number in range(30):
        meter.found(Finding(Problem.DAMAGED, f"{number}.jpg", "id", "thumbs", "ends early", 1.0))
    meter.repaired(30, 29)
    said = json.loads(verify_json(meter.statistics(), is_repaired=True, is_interrupted=True))
    assert said["found"] == dict.fromkeys(map(str, Problem), 0) | {"damaged": 30}
    assert len(said["examples"]["damaged"]) == 20
    assert said["examples"]["damaged"][0] == {
        "path": "0.jpg",
        "image_id": "id",
        "rendition": "thumbs",
        "detail": "ends early",
    }
    assert (said["requeued"], said["removed"], said["is_sound"], said["is_interrupted"]) == (30, 29, False, True)


def test_a_finding_is_one_printable_line():
    assert (
        finding_line(Finding(Problem.FOREIGN, "a\nb\x1b[31m\udcff.jpg", detail="x")) == "foreign     a�b�[31m�.jpg (x)"
    )
    assert finding_line(Finding(Problem.INCOMPLETE, "", "0a", "thumbs")) == "incomplete  0a thumbs"
