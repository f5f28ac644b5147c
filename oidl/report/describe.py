"""Shares, plans and licences in words. Pure."""

import re

from oidl.model import LicenseClass, Status, license_of_url
from oidl.state.plan_counts import PlanCounts
from oidl.text import counted


def share(part: int, whole: int) -> str:
    """`part` of `whole` in per cent; only all and nothing are written as 100 and 0."""
    if not whole or part in (0, whole):
        return "100 %" if part and part == whole else "0 %"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %"


def skipped_words(rows: int) -> str:
    """A line about the rows of the image list that were skipped."""
    were = "was" if rows == 1 else "were"
    return f"{counted(rows, 'row')} of the image list {were} skipped when it was loaded: see the table `skipped_row`"


def plan_words(plan: PlanCounts) -> str:
    """The progress of the images in the plan: `24 of 24 selected images are done`."""
    done, failed = plan.by_status[Status.DONE], plan.by_status[Status.FAILED]
    if plan.limit is not None:
        words = f"{min(done, plan.limit):,} of {plan.limit:,} images are done"
        if done < plan.limit:
            words += f", {failed:,} failed" if failed else ""
            words += f", {plan.left:,} left" if plan.left else "; there are no more to try"
    else:
        words = f"{done:,} of {plan.images:,} chosen images are done"
        words += f", {failed:,} failed" if failed else ""
        words += f", {plan.left:,} left" if plan.left and plan.limit_per_class is None else ""
    if plan.limit_per_class is not None and plan.classes:
        words += f"; {plan.full_classes:,} of {plan.classes:,} classes have {plan.limit_per_class:,}"
        if plan.short:
            few = ", ".join(f"{name} {count:,}" for name, count in plan.short.items())
            words += f" (fewer: {few}{', …' if plan.classes - plan.full_classes > len(plan.short) else ''})"
    return words


_CREATIVE_COMMONS = re.compile(r"https?://creativecommons\.org/licenses/([a-z-]+)/([0-9.]+)/?")
_PUBLIC_DOMAIN = re.compile(r"https?://creativecommons\.org/publicdomain/(zero|mark)/([0-9.]+)/?")
_OTHER_LICENSES = {  # those of Flickr that are not of Creative Commons
    "https://www.flickr.com/commons/usage/": "no known copyright restrictions",
    "http://www.usa.gov/copyright.shtml": "United States Government Work",
    "https://www.usa.gov/government-copyright": "United States Government Work",
}


def license_name(url: str) -> str:
    """The short name of the licence at `url`, like `CC BY 2.0` or `CC0 1.0`; an unknown URL is returned unchanged."""
    if found := _CREATIVE_COMMONS.fullmatch(url):
        return f"CC {found[1].upper()} {found[2]}"
    if found := _PUBLIC_DOMAIN.fullmatch(url):
        return f"CC0 {found[2]}" if found[1] == "zero" else f"Public Domain Mark {found[2]}"
    known = license_of_url(url)
    if known and known.license_class is LicenseClass.RESERVED:
        return "all rights reserved"
    return _OTHER_LICENSES.get(url, url)
