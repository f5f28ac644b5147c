"""Numbers as charts of one line: bars and sparklines. Pure."""

from collections.abc import Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = " ▁▂▃▄▅▆▇█"


def bar(share: float, width: int) -> tuple[str, str]:
    """The filled and the empty part of a bar of `width` cells; `share` is 0 to 1."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    filled = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    return filled, "░" * (width - len(filled))


def sparkline(values: Sequence[float], width: int) -> str:
    """`values` over time in `width` cells, the latest at the right; the highest cell is full.

    If there are more values than cells, each cell is the mean of equally many
    values. Zeros are the lowest line; cells without a value are empty.
    """
    step = max(1, -(-len(values) // width))
    cells = [sum(values[max(0, end - step) : end]) / step for end in range(len(values), 0, -step)][:width]
    highest = max(cells, default=0.0)
    if not highest:
        return ("▁" * len(cells)).rjust(width)
    return "".join(_LEVELS[max(1, round(cell / highest * 8))] for cell in reversed(cells)).rjust(width)
