"""The report: complete in itself, with the right numbers, and safe to open."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from oidl.model import Reason, Status
from oidl.model.licenses import LICENSES
from oidl.reasons import meaning
from oidl.report.describe import license_name
from oidl.report.document import report_html
from oidl.state.aggregates import SIDE_CLASSES, SIZE_CLASSES, Aggregates, HostStats, TimeBucket
from oidl.state.counts import Counts, RunRow
from oidl.state.licenses import LicenseCount

NOW = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"
HARMFUL = "\x1b]52;c;x\x07\x9b2J\u202e"
COUNTS = Counts(
    dataset_version="3",
    by_subset={
        "train": {Status.PENDING: 1_000, Status.RETRY: 200, Status.DONE: 8_000, Status.FAILED: 800},
    },
    by_reason={
        reason.value: {Status.PENDING: 0, Status.RETRY: 200 + number, Status.DONE: 0, Status.FAILED: 500}
        for number, reason in enumerate(Reason)
    },
    bytes_downloaded=12_345_000_000,
    files={"original": (8_000, 12_000_000_000), EVIL: (7_999, 80_000_000)},
    next_attempt_at=None,
    run=None,
)
RUN = RunRow(3, "2030-01-01T10:00:00.000Z", "2030-01-01T11:00:00.000Z", None, None, 77, 8, 9_000_000, 0.0, 0.0)
SURVEY = Aggregates(
    slice_s=60,
    slices=tuple(
        TimeBucket(datetime(2030, 1, 1, 10, minute, tzinfo=UTC), 60 * minute, 6, 10**6) for minute in range(5)
    ),
    sizes=(0,) * 5 + (40, 60) + (0,) * (len(SIZE_CLASSES) - 6),
    sides=(0, 0, 321, *(0,) * (SIDE_CLASSES - 3)),
    formats={"jpeg": 7_990, "png": 10},
    hosts=(
        HostStats("fast.example", 10, 10_000_000, 1.0, 0),
        HostStats("user:secret@slow.example", 5, 50_000, 10.0, 3),
        HostStats(EVIL, 0, 0, 0.0, 99),
    ),
    licenses={
        "https://creativecommons.org/licenses/by/2.0/": 7_000,
        "javascript:alert(1)": 800,
        EVIL: 100,
        f"https://{HARMFUL}": 100,
    },
    runs=(RUN, replace(RUN, started_at="<b>soon</b>", finished_at="1970-01-01")),
)


class Page(HTMLParser):
    """Collects the tags and the text of a document; complains where tags do not match."""

    _VOID = frozenset({"meta", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data + "\n"


@pytest.fixture(scope="module")
def html() -> str:
    return report_html(COUNTS, SURVEY, root=f"/data/{EVIL}{HARMFUL}", now=NOW)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_it_needs_no_other_file_and_runs_no_script(html: str, page: Page) -> None:
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "object", "base"})
    assert not any(name == "src" or name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "url(" not in html
    assert "@import" not in html


def test_words_of_others_are_only_words(page: Page) -> None:
    assert page.text.count(EVIL) == 4  # the directory, a rendition, a host, a licence
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == ["https://creativecommons.org/licenses/by/2.0/", "https://�]52;c;x��2J�"]
    assert "javascript:alert(1)" in page.text


def test_no_word_of_others_is_obeyed_by_a_terminal_or_turns_the_text(html: str) -> None:
    assert not set("\x1b\x07\x9b\u202e") & set(html)


def test_a_password_that_the_list_has_is_not_told(html: str) -> None:
    assert "secret" not in html
    assert "slow.example" in html


@pytest.mark.parametrize(
    "figure",
    ["10,000", "88.0 %", "8,000", "800", "1,000", "12.3 GB", "12.1 GB", "CC BY 2.0", "7,000", "77", "9.0 MB", "7,999"],
)
def test_the_numbers_are_those_that_were_given(page: Page, figure: str) -> None:
    assert figure in page.text.splitlines()


def test_every_reason_is_told_with_what_it_means(page: Page) -> None:
    for reason in Reason:
        assert reason in page.text.splitlines()
        assert meaning(reason) in page.text.splitlines()


def test_the_slowest_host_comes_first_and_the_most_troublesome(page: Page) -> None:
    slowest, troubled = page.text.split("Slowest\n")[1].split("Most failed tries\n")
    assert slowest.index("slow.example") < slowest.index("fast.example")
    assert "5.0 kB/s" in slowest
    assert troubled.index(EVIL) < troubled.index("slow.example")
    assert "fast.example" not in troubled.split("Licences")[0]


def test_plots_have_a_mark_for_everything(html: str) -> None:
    assert html.count("done in 1 min 0 s</title>") == 4  # the first minute had none
    assert html.count("failed in 1 min 0 s</title>") == 5
    assert "<title>20.0 kB – 50.0 kB: 40</title>" in html
    assert "<title>512 – 767 px: 321</title>" in html
    assert "at most 4.1 images/s" in html
    assert re.search("<span>2030-01-01 10:00:00</span><span>10:02:00</span><span>10:04:00</span>", html)


def test_where_there_is_nothing_it_says_so() -> None:
    nothing = Aggregates(1, (), (0,) * 16, (0,) * SIDE_CLASSES, {}, (), {}, ())
    page = Page(report_html(replace(COUNTS, by_reason={}, files={}), nothing, root="/x", now=NOW))
    assert page.text.count("None yet.") == 8


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://creativecommons.org/licenses/by/2.0/", "CC BY 2.0"),
        ("http://creativecommons.org/licenses/by-nc-sa/4.0", "CC BY-NC-SA 4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0 1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "Public Domain Mark 1.0"),
        ("https://www.flickr.com/commons/usage/", "no known copyright restrictions"),
        ("https://example.org/mine", "https://example.org/mine"),
    ],
)
def test_licences_have_short_names(url: str, name: str) -> None:
    assert license_name(url) == name


def test_each_licence_that_flickr_knows_has_a_short_name() -> None:
    names = {each.id: license_name(each.url) for each in LICENSES}
    assert names[0] == "all rights reserved"
    assert not [name for name in names.values() if "://" in name]


def test_checks_of_licences_are_a_section_if_there_are_some() -> None:
    assert "Licences now" not in report_html(COUNTS, SURVEY, root="/data", now=NOW)
    licenses = (LicenseCount("train", "same", "free", 123), LicenseCount("train", "changed", "nc", 9))
    page = report_html(replace(COUNTS, licenses=licenses), SURVEY, root="/data", now=NOW)
    section = page[page.index("<h2>Licences now</h2>") :]
    assert "3.6–12.5 %" in section  # 9 of 132
    assert "no commercial use" in section
