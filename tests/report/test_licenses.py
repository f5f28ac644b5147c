"""Shares of licences, their intervals, and how they are said."""

from datetime import UTC, datetime

import pytest

from oidl.model import CheckResult, LicenseClass, Verdict
from oidl.progress.licenses import LicenseMeter
from oidl.report.intervals import wilson_interval
from oidl.report.license_table import license_table
from oidl.report.licenses import (
    license_json,
    license_line,
    license_shares,
    license_summary,
    licenses_json,
    shares_lines,
)
from oidl.state.licenses import LicenseCount

COUNTS = [
    LicenseCount("test", "same", "free", 20),
    LicenseCount("train", "changed", "free", 4),
    LicenseCount("train", "changed", "nc", 5),
    LicenseCount("train", "gone", "", 20),
    LicenseCount("train", "same", "free", 103),
]


@pytest.mark.parametrize(
    ("found", "total", "low", "high"),
    [
        # The first four are those of R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (0, 132, 0.0, 0.0283),
        (9, 132, 0.0363, 0.1245),
        (132, 132, 0.9717, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_has_known_values(found: int, total: int, low: float, high: float) -> None:
    interval = wilson_interval(found, total)
    assert interval == pytest.approx((low, high), abs=5.1e-5)
    for bound in interval:  # the definition: the share is 1.96 standard deviations of the bound away from it
        if 0 < bound < 1:
            assert abs(found / total - bound) == pytest.approx(
                1.959964 * (bound * (1 - bound) / total) ** 0.5, rel=1e-5
            )


def test_shares_of_classes_are_of_the_images_whose_licence_is_known() -> None:
    shares = license_shares(COUNTS)
    assert shares.checked == 152
    assert {word: share.images for word, share in shares.by_verdict.items()} == {"same": 123, "changed": 9, "gone": 20}
    assert shares.by_class["nc"].total == 132
    assert str(shares.by_class["nc"]) == "  3.8 %    1.6–8.6 %  "
    assert str(license_shares(COUNTS[:1]).by_verdict["same"]) == "100.0 %   83.9–100.0 %"


def test_lines_of_shares_fit_into_a_terminal() -> None:
    known = [LicenseCount("train", "changed", kind, 12_345_678) for kind in LicenseClass]
    lines = shares_lines(license_shares([*known, *(LicenseCount("train", word, "", 1) for word in Verdict)]))
    assert max(map(len, lines)) <= 79
    assert len({line.index("–") for line in lines if "–" in line}) == 1


def test_the_json_has_all_subsets() -> None:
    assert licenses_json([]) is None
    found = licenses_json(COUNTS)
    assert found
    assert found["by_verdict"]["changed"] == {"images": 9, "share": 0.059211, "low": 0.03146, "high": 0.108691}
    assert {subset: shares["checked"] for subset, shares in found["by_subset"].items()} == {"test": 20, "train": 132}
    assert found["by_subset"]["test"]["by_class"] == {
        "free": {"images": 20, "share": 1.0, "low": 0.838875, "high": 1.0}
    }


def test_the_report_has_a_row_for_each_share() -> None:
    table = license_table(COUNTS)
    assert table.count("<tr>") == 1 + 5 + 2 + 5  # in all, test, train
    assert "3.8 %" in table
    assert "1.6–8.6 %" in table


def test_progress_is_one_short_line() -> None:
    clock = [0.0]
    meter = LicenseMeter(lambda: clock[0])
    meter.left = 9_178_275
    for verdict, number in ((Verdict.SAME, 4), (Verdict.CHANGED, 0), (Verdict.GONE, None)):
        meter.recorded(CheckResult(verdict, license_id=number))
    clock[0] = 3.0
    line = license_line(meter.statistics())
    assert line == "1 same · 1 changed · 1 other · 1.0/s · 9,178,272 left · 106 d 5 h"
    assert len(line) < 80
    meter.outcome = "unfinished"
    now = license_json(meter.statistics(), datetime(2026, 11, 29, tzinfo=UTC))
    assert (now["checked"], now["by_class"]["reserved"], now["outcome"]) == (3, 1, "unfinished")
    assert now["by_class"].keys() == set(LicenseClass)


def test_the_end_says_what_is_left() -> None:
    meter = LicenseMeter(lambda: 0.0)
    meter.left = 3
    text = license_summary(meter.statistics(), COUNTS, "nothing was found out for 300 s")
    assert "ended early: nothing was found out for 300 s" in text
    assert "3 photos left; run `oidl check-licenses` with the same options to resume" in text
    assert "5  nc             3.8 %    1.6–8.6 %    no commercial use" in text
