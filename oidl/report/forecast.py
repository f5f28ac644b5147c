"""What `oidl run --dry-run` says."""

from oidl.progress.words import duration, size
from oidl.state.forecast import Share
from oidl.text import counted


def forecast_text(
    subsets: dict[str, Share], classes: dict[str, Share], limit: int | None, pace: float | None, *, is_exact: bool
) -> str:
    """Images and bytes by subset and class, and how long it may take; `pace` is in images a second.

    Sizes that are not `is_exact` are from a sample. An image of two classes is counted in each.
    """
    images = sum(share.images for share in subsets.values())
    total = sum(share.bytes for share in subsets.values())
    fetched = images if limit is None else min(images, limit)
    about = "" if is_exact and fetched == images else "about "
    weight = size(round(total * fetched / images)) if images else size(0)
    those = counted(images, "image")
    which = f"{those} would be fetched" if fetched == images else f"{fetched:,} of {those} would be fetched (--limit)"
    lines = [f"{which}, originals of {about}{weight}; nothing was touched"]
    if pace and fetched:
        lines.append(f"at the pace of the last run, {pace:.1f} img/s, that takes {duration(fetched / pace)}")
    elif fetched:
        lines.append("how long that takes is not known before the first run")
    for title, shares in (("subset", subsets), ("class", classes)):
        if shares:
            lines += ["", f"{title:<32}{'images':>12}{'bytes':>12}"]
            lines += [f"{name:<32}{share.images:>12,}{size(round(share.bytes)):>12}" for name, share in shares.items()]
    return "\n".join(lines)
