"""Reasons, shares and licences in words. Pure."""

import re

from oidl.model import Reason, Status
from oidl.state.plan_counts import PlanCounts
from oidl.text import counted

MEANINGS: dict[Reason, str] = {
    Reason.UNAVAILABLE: "the photo was taken down (a placeholder is served instead)",
    Reason.NOT_FOUND: "not there any more (404)",
    Reason.GONE: "removed (410)",
    Reason.FORBIDDEN: "not public any more (403)",
    Reason.SIZE_MISMATCH: "changed: not the published size",
    Reason.MD5_MISMATCH: "changed: not the published MD5",
    Reason.NOT_AN_IMAGE: "something else than a picture was served",
    Reason.CORRUPT: "a part of the picture is missing",
    Reason.HTTP_ERROR: "another HTTP error",
    Reason.RATE_LIMITED: "the server asked us to slow down",
    Reason.TIMEOUT: "no connection, or no byte, in time",
    Reason.TOO_SLOW: "not complete in time",
    Reason.CONNECTION: "the host could not be reached, or the connection broke",
    Reason.DNS: "the host's name could not be resolved",
    Reason.TLS: "the server's certificate or TLS is not valid",
    Reason.TOO_LARGE: "longer, or larger, than it may be",
    Reason.RESIZE_FAILED: "could not be resized",
    Reason.INTERNAL_ERROR: "oidl failed on this image; the log has the traceback",
    Reason.DISK: "could not be written to disk",
}

_UNKNOWN = "not a reason of oidl's"


def meaning(reason: str) -> str:
    """What `reason`, as it is in the database, means; people write reasons of their own there too."""
    return next((text for known, text in MEANINGS.items() if known == reason), _UNKNOWN)


def share(part: int, whole: int) -> str:
    """`part` of `whole` in per cent, never rounded to all or nothing when it is not."""
    if not whole or part in (0, whole):
        return "100 %" if part and part == whole else "0 %"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %"


def skipped_words(rows: int) -> str:
    """A line about rows of the list that are no images here."""
    were = "was" if rows == 1 else "were"
    return f"{counted(rows, 'row')} of the image list {were} skipped when it was loaded: see the table `skipped_row`"


def plan_words(plan: PlanCounts) -> str:
    """How the images stand that the plan is about: `24 of 24 chosen images are done`."""
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
_OTHER_LICENSES = {  # Flickr's own two
    "https://www.flickr.com/commons/usage/": "no known copyright restrictions",
    "http://www.usa.gov/copyright.shtml": "United States Government Work",
}


def license_name(url: str) -> str:
    """A licence's short name by its URL, like `CC BY 2.0` or `CC0 1.0`; the URL itself if it is not a known one."""
    if found := _CREATIVE_COMMONS.fullmatch(url):
        return f"CC {found[1].upper()} {found[2]}"
    if found := _PUBLIC_DOMAIN.fullmatch(url):
        return f"CC0 {found[2]}" if found[1] == "zero" else f"Public Domain Mark {found[2]}"
    return _OTHER_LICENSES.get(url, url)
