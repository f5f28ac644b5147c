"""Licence checks in words and numbers: progress, the end of a check, and shares with their intervals. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from oidl.hints import command
from oidl.model import LicenseClass, Verdict
from oidl.progress.format import duration, pace_words
from oidl.progress.licenses import LicenseStatistics
from oidl.progress.snapshot import pace_json, rounded
from oidl.report.intervals import Interval, wilson_interval
from oidl.state.licenses import LicenseCount
from oidl.text import counted

VERDICTS: dict[Verdict, str] = {
    Verdict.SAME: "the published licence",
    Verdict.CHANGED: "another licence",
    Verdict.GONE: "it does not exist any more",
    Verdict.PRIVATE: "it is not public",
    Verdict.UNSHAREABLE: "it must not be embedded",
    Verdict.UNKNOWN: "the answer does not say",
}
CLASSES: dict[LicenseClass, str] = {
    LicenseClass.FREE: "with attribution if asked for",
    LicenseClass.NC: "no commercial use",
    LicenseClass.ND: "no changes",
    LicenseClass.RESERVED: "all rights reserved",
}


@dataclass(frozen=True, slots=True)
class LicenseShare:
    """How many of the checked images have something, and the 95 % interval for its share."""

    images: int
    total: int

    @property
    def share(self) -> float:
        """The share, from 0 to 1."""
        return self.images / self.total if self.total else 0.0

    @property
    def interval(self) -> Interval:
        """The interval for it."""
        return wilson_interval(self.images, self.total)

    def __str__(self) -> str:
        """Both in per cent, in 22 columns."""
        low, high = self.interval
        return f"{100 * self.share:5.1f} %  {100 * low:5.1f}–" + f"{100 * high:.1f} %".ljust(7)


@dataclass(frozen=True, slots=True)
class LicenseShares:
    """The shares of verdicts, and those of classes, which are of the images whose licence is known."""

    checked: int
    by_verdict: dict[str, LicenseShare]
    by_class: dict[str, LicenseShare]


def license_shares(counts: Iterable[LicenseCount]) -> LicenseShares:
    """The shares that `counts` make together."""
    verdicts: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    for each in counts:
        verdicts[each.verdict] += each.images
        if each.license_class:
            classes[each.license_class] += each.images
    return LicenseShares(verdicts.total(), _shares(Verdict, verdicts), _shares(LicenseClass, classes))


def shares_by_subset(counts: Iterable[LicenseCount]) -> dict[str, LicenseShares]:
    """The same for each subset."""
    listed = list(counts)
    subsets = dict.fromkeys(each.subset for each in listed)
    return {subset: license_shares(each for each in listed if each.subset == subset) for subset in subsets}


def licenses_json(counts: Iterable[LicenseCount]) -> dict[str, Any] | None:
    """The shares for `status --json`, in total and by subset; None if nothing was checked."""
    listed = list(counts)
    if not listed:
        return None
    return {
        **_shares_json(license_shares(listed)),
        "by_subset": {subset: _shares_json(shares) for subset, shares in shares_by_subset(listed).items()},
    }


def license_line(now: LicenseStatistics) -> str:
    """The progress of a check, in one line of under 80 characters."""
    others = now.checked - now.by_verdict[Verdict.SAME] - now.by_verdict[Verdict.CHANGED]
    parts = [
        f"{now.by_verdict[Verdict.SAME]:,} same",
        f"{now.by_verdict[Verdict.CHANGED]:,} changed",
        f"{others:,} other",
        f"{now.per_s:.1f}/s",
        f"{now.left:,} left",
    ]
    if now.eta_s is not None and now.left:
        parts.append(duration(now.eta_s))
    parts += [pace_words(pace) for pace in now.paces if pace.pause_s >= 1][:1]
    return " · ".join(parts)


def license_json(now: LicenseStatistics, at: datetime) -> dict[str, Any]:
    """The same as a JSON object, at the time `at`."""
    return {
        "time": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": now.outcome,
        "elapsed_s": round(now.elapsed_s, 3),
        "checked": now.checked,
        "by_verdict": {verdict.value: images for verdict, images in now.by_verdict.items()},
        "by_class": {kind.value: images for kind, images in now.by_class.items()},
        "left": now.left,
        "retried": now.retried,
        "throttled": now.throttled,
        "checks_per_s": round(now.per_s, 3),
        "eta_s": rounded(now.eta_s, 1),
        "paces": [pace_json(pace) for pace in now.paces],
    }


def license_summary(end: LicenseStatistics, counts: Iterable[LicenseCount], why: str) -> str:
    """Some lines: what this check found, the shares of all checks, and the next step."""
    lines = [f"checked {counted(end.checked, 'photo')} in {duration(end.elapsed_s)}"]
    lines += shares_lines(license_shares(counts))
    if why:
        lines.append(f"ended early: {why}")
    if end.left:
        lines.append(
            f"{counted(end.left, 'photo')} left; run {command('check-licenses')} with the same options to resume"
        )
    return "\n".join(lines)


def shares_lines(shares: LicenseShares) -> list[str]:
    """The shares of all checks as lines of text; none if nothing was checked."""
    if not shares.checked:
        return []
    known = sum(share.images for share in shares.by_class.values())
    lines = [f"of {counted(shares.checked, 'checked image')}, with 95 % intervals:"]
    lines += [_line(word, share, VERDICTS[Verdict(word)]) for word, share in shares.by_verdict.items()]
    if known:
        lines.append(f"of {counted(known, 'image')} whose licence is known:")
        lines += [_line(word, share, CLASSES[LicenseClass(word)]) for word, share in shares.by_class.items()]
    return lines


def _line(word: str, share: LicenseShare, meaning: str) -> str:
    return f"{share.images:>10,}  {word:<12} {share}  {meaning}"


def _shares(words: Iterable[str], counts: Mapping[str, int]) -> dict[str, LicenseShare]:
    total = sum(counts.values())
    return {str(word): LicenseShare(counts[word], total) for word in words if counts[word]}


def _shares_json(shares: LicenseShares) -> dict[str, Any]:
    def plain(found: Mapping[str, LicenseShare]) -> dict[str, Any]:
        return {
            word: {
                "images": share.images,
                "share": round(share.share, 6),
                "low": round(share.interval.low, 6),
                "high": round(share.interval.high, 6),
            }
            for word, share in found.items()
        }

    return {"checked": shares.checked, "by_verdict": plain(shares.by_verdict), "by_class": plain(shares.by_class)}
