"""The checks of licences in the report: shares of verdicts and classes, in all and by subset. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from oidl.model import LicenseClass, Verdict
from oidl.report.html import cell, number, table
from oidl.report.licenses import CLASSES, VERDICTS, LicenseShare, LicenseShares, license_shares, shares_by_subset
from oidl.state.licenses import LicenseCount
from oidl.text import html_text

_HEADS = ("subset", "licence now", "#images", "#share", "#95 % interval", "meaning")
_NOTE = (
    '<p class="soft">Shares of verdicts are of the checked images, those of classes of the images whose licence is '
    "known. The interval is Wilson's, for images that were drawn at random.</p>"
)


def license_table(counts: Iterable[LicenseCount]) -> str:
    """A table of the shares, with a note."""
    listed = list(counts)
    by_subset = shares_by_subset(listed)
    parts = {"all": license_shares(listed)} | (by_subset if len(by_subset) > 1 else {})
    return table(_HEADS, [row for name, shares in parts.items() for row in _rows(name, shares)]) + _NOTE


def _rows(name: str, shares: LicenseShares) -> Iterator[Sequence[str]]:
    verdicts = {str(word): VERDICTS[word] for word in Verdict}
    classes = {str(word): CLASSES[word] for word in LicenseClass}
    yield from _of(name, shares.by_verdict, verdicts)
    yield from _of(name, shares.by_class, classes)


def _of(name: str, shares: Mapping[str, LicenseShare], meanings: Mapping[str, str]) -> Iterator[Sequence[str]]:
    for word, share in shares.items():
        low, high = share.interval
        yield (
            html_text(name),
            html_text(word),
            number(share.images),
            cell(f"{100 * share.share:.1f} %"),
            cell(f"{100 * low:.1f}–{100 * high:.1f} %"),
            html_text(meanings[word]),
        )
