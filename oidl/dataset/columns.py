"""The columns of annotation files, and the readers of their values.

Columns are read a batch at a time: repeated values (ImageIDs, labels, flags) are
parsed once per batch, and shares of width or height, which rarely repeat, are
computed together.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from oidl.dataset.decimals import read_decimals

_IS_NUMERIC = re.compile("[0-9.,eE+-]*").fullmatch
_LEAST_SHARE, _MOST_SHARE = -0.5, 1.5
_MANY = 50  # values; from here on computing them together is faster


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the values of a column, or raises `ValueError`; `complaint` then describes the bad value."""

    read: Callable[[Sequence[str]], Sequence[Any]]
    complaint: str


def _few(parse: Callable[[str], Any]) -> Callable[[Sequence[str]], Sequence[Any]]:
    """For columns with repeated values: parses each distinct value once."""

    def read(values: Sequence[str]) -> Sequence[Any]:
        parsed = {value: parse(value) for value in set(values)}
        if len(parsed) == 1:
            return [*parsed.values()] * len(values)
        return list(map(parsed.__getitem__, values))

    return read


def _matching(pattern: str) -> Callable[[Sequence[str]], Sequence[str]]:
    """For columns of repeated words: checks each distinct value once."""
    is_sound = re.compile(pattern, re.ASCII).fullmatch

    def read(values: Sequence[str]) -> Sequence[str]:
        if not all(map(is_sound, set(values))):
            raise ValueError
        return values

    return read


def _reals(values: Sequence[str]) -> Sequence[float]:
    if len(values) >= _MANY and (decimals := read_decimals(values)):
        return decimals
    if not _IS_NUMERIC(",".join(values)):  # `float` also accepts `1_0`, digits of other scripts and `nan`
        raise ValueError
    reals = list(map(float, values))
    if not isfinite(sum(reals)):
        raise ValueError
    return reals


def _shares(values: Sequence[str]) -> Sequence[float]:
    """Boxes may extend slightly beyond the image; values in pixels are much larger."""
    shares = _reals(values)
    if shares and not (min(shares) >= _LEAST_SHARE and max(shares) <= _MOST_SHARE):
        raise ValueError
    return shares


def _confidence(text: str) -> float:
    (confidence,) = _reals((text,))
    if not 0 <= confidence <= 1:
        raise ValueError
    return confidence


def _whole(text: str) -> int:
    (number,) = _reals((text,))
    if not number.is_integer() or not -(2**63) <= number < 2**63:  # the integers of SQLite
        raise ValueError
    return int(number)


def _or_none(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: parse(text) if text else None


_FLAG_VALUES = {"0": 0, "1": 1, "-1": -1, "": None}

SHARE = Reader(_shares, "is not a share of the width or height, from 0 to 1: are these pixels?")
"""A share of a width or height; such columns may be read together."""

_ID = Reader(_matching("[0-9a-f]{16}"), "is not 16 lower-case hex digits")
_WORD = Reader(_matching("[!-~]+"), "is not a word")
_TEXT = Reader(lambda values: values, "is not text")
_CONFIDENCE = Reader(_few(_confidence), "is not a number from 0 to 1")
_MAYBE_NUMBER = Reader(_few(_or_none(lambda text: _reals((text,))[0])), "is not a number")
_MAYBE_WHOLE = Reader(_few(_or_none(_whole)), "is not a 64-bit whole number")
_FLAG = Reader(lambda values: list(map(_FLAG_VALUES.__getitem__, values)), "is not 0, 1 or -1")

_FLAGS = {
    "IsOccluded": ("is_occluded", _FLAG),
    "IsTruncated": ("is_truncated", _FLAG),
    "IsGroupOf": ("is_group_of", _FLAG),
    "IsDepiction": ("is_depiction", _FLAG),
    "IsInside": ("is_inside", _FLAG),
}
_CLICKS = {
    f"XClick{number}{axis}": (f"x_click{number}_{axis.lower()}", _MAYBE_NUMBER)
    for axis in "XY"
    for number in range(1, 5)
}

TABLES: dict[str, tuple[dict[str, tuple[str, Reader]], dict[str, tuple[str, Reader]]]] = {
    "segmentation": (
        {
            "ImageID": ("image_id", _ID),
            "MaskPath": ("mask_path", _WORD),
            "LabelName": ("label_name", _WORD),
            "BoxID": ("box_id", _WORD),
            "BoxXMin": ("box_x_min", SHARE),
            "BoxXMax": ("box_x_max", SHARE),
            "BoxYMin": ("box_y_min", SHARE),
            "BoxYMax": ("box_y_max", SHARE),
        },
        {"PredictedIoU": ("predicted_iou", _MAYBE_NUMBER), "Clicks": ("clicks", _TEXT)},
    ),
    "relationship": (
        {
            "ImageID": ("image_id", _ID),
            "LabelName1": ("label_name1", _WORD),
            "LabelName2": ("label_name2", _WORD),
            **{
                f"{axis}{end}{number}": (f"{axis.lower()}_{end.lower()}{number}", SHARE)
                for number in "12"
                for axis in "XY"
                for end in ("Min", "Max")
            },
            "RelationshipLabel": ("relationship_label", _WORD),
        },
        {},
    ),
    "box": (
        {
            "ImageID": ("image_id", _ID),
            "Source": ("source", _WORD),
            "LabelName": ("label_name", _WORD),
            "Confidence": ("confidence", _CONFIDENCE),
            "XMin": ("x_min", SHARE),
            "XMax": ("x_max", SHARE),
            "YMin": ("y_min", SHARE),
            "YMax": ("y_max", SHARE),
        },
        _FLAGS | _CLICKS,
    ),
    "point": (
        {
            "ImageID": ("image_id", _ID),
            "X": ("x", SHARE),
            "Y": ("y", SHARE),
            "Label": ("label", _WORD),
        },
        {
            "EstimatedYesNo": ("estimated_yes_no", _TEXT),
            "Source": ("source", _TEXT),
            "YesVotes": ("yes_votes", _MAYBE_WHOLE),
            "NoVotes": ("no_votes", _MAYBE_WHOLE),
            "UnsureVotes": ("unsure_votes", _MAYBE_WHOLE),
            "TextLabel": ("text_label", _TEXT),
        },
    ),
    "label": (
        {
            "ImageID": ("image_id", _ID),
            "Source": ("source", _WORD),
            "LabelName": ("label_name", _WORD),
            "Confidence": ("confidence", _CONFIDENCE),
        },
        {},
    ),
}  # fmt: skip
"""The published columns of each annotation table, required and optional; for each, its name in the table and its
reader."""
