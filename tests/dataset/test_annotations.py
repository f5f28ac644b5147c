"""Annotation files: read by header, in batches, bad rows reported by line; only the requested images."""

from typing import Any

import pytest

from oidl.dataset.annotations import read_annotations
from oidl.dataset.rows import ReadReport
from oidl.errors import MetadataError

ID = "000a1249af2bc5f0"
OTHER = "0001eeaf4aed83f9"
BOXES = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"


def rows(text: str, skipped: ReadReport | None = None, **more: Any) -> list[dict[str, Any]]:
    """The rows that `text` stands for, as dictionaries."""
    lines = text.splitlines(keepends=True)
    pieces = ["".join(lines[at : at + 1000]) for at in range(0, len(lines), 1000)]
    found = read_annotations(pieces, name="f.csv", skipped=skipped or ReadReport(), **more)
    assert found
    return [dict(zip(found.columns, row, strict=True)) for batch in found.batches for row in zip(*batch, strict=True)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_boxes_of_v4(end: str) -> None:
    text = f"{BOXES}\n{ID},xclick,/m/01yrx,1,0.012500,0.195312,0.148438,1,0,1,-1,0,1\n".replace("\n", end)
    assert rows(text) == [
        {
            "image_id": ID,
            "source": "xclick",
            "label_name": "/m/01yrx",
            "confidence": 1.0,
            "x_min": 0.0125,
            "x_max": 0.195312,
            "y_min": 0.148438,
            "y_max": 1.0,
            "is_occluded": 0,
            "is_truncated": 1,
            "is_group_of": -1,
            "is_depiction": 0,
            "is_inside": 1,
            "row_number": 1,
        }
    ]


def test_boxes_of_v3_have_no_flags_and_those_of_v6_have_clicks() -> None:
    (old,) = rows(",".join(BOXES.split(",")[:8]) + f"\n{ID},human,/m/1,1,0,1,0,1\n")
    assert "is_occluded" not in old
    clicks = ",".join(f"XClick{number}{axis}" for axis in "XY" for number in range(1, 5))
    (new,) = rows(f"{BOXES},{clicks}\n{ID},xclick,/m/1,1,0,1,0,1,0,0,0,0,0,.1,.2,.3,.4,.5,.6,.7,\n")
    assert [new[f"x_click{number}_x"] for number in range(1, 5)] == [0.1, 0.2, 0.3, 0.4]
    assert (new["x_click3_y"], new["x_click4_y"]) == (0.7, None)


@pytest.mark.parametrize(
    ("header", "row", "table", "some"),
    [
        (
            "ImageID,Source,LabelName,Confidence",
            f"{ID},verification,/m/1,0.9",
            "label",
            {"source": "verification", "confidence": 0.9},
        ),
        (
            "MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks",
            f"m.png,{ID},/m/1,0f,0.1,0.2,0.3,0.4,,0.1 0.2 1;0.3 0.4 0",
            "segmentation",
            {"mask_path": "m.png", "box_y_max": 0.4, "predicted_iou": None, "clicks": "0.1 0.2 1;0.3 0.4 0"},
        ),
        (
            "ImageID,LabelName1,LabelName2,XMin1,XMax1,YMin1,YMax1,XMin2,XMax2,YMin2,YMax2,RelationshipLabel",
            f"{ID},/m/1,/m/2,.1,.2,.3,.4,.5,.6,.7,.8,plays",
            "relationship",
            {"label_name2": "/m/2", "x_max1": 0.2, "y_max2": 0.8, "relationship_label": "plays"},
        ),
        (
            "ImageId,X,Y,Label,EstimatedYesNo,Source,YesVotes,NoVotes,UnsureVotes,TextLabel",
            f'{ID},0.5,0.25,/m/1,yes,ih,3,0,,"a, b"',
            "point",
            {"image_id": ID, "y": 0.25, "label": "/m/1", "yes_votes": 3, "unsure_votes": None, "text_label": "a, b"},
        ),
    ],
)
def test_the_header_says_what_it_is(header: str, row: str, table: str, some: dict[str, Any]) -> None:
    lines = [f"{header}\n", f"{row}\n"]
    found = read_annotations(["".join(lines)], name="f.csv", skipped=ReadReport())
    assert found is not None
    assert found.table == table
    (read,) = rows("".join(lines))
    assert {column: read[column] for column in some} == some
    assert ("row_number" in read) is (table != "label")


def test_shares_of_many_rows_are_those_of_each() -> None:
    corners = [[f"0.{number * 7919 % 5000 + side * 200_000:06d}" for side in range(4)] for number in range(200)]
    read = rows(f"{BOXES}\n" + "".join(f"{ID},xclick,/m/1,1,{','.join(four)},0,0,0,0,0\n" for four in corners))
    assert [[row[column] for column in ("x_min", "x_max", "y_min", "y_max")] for row in read] == [
        list(map(float, four)) for four in corners
    ]


def test_a_line_end_of_two_characters_is_no_part_of_the_last_column() -> None:
    (read,) = rows(f"ImageID,X,Y,Label,TextLabel\r\n{ID},0.5,0.25,/m/1,two words\r\n")
    assert read["text_label"] == "two words"


def test_columns_may_come_in_any_order_and_with_others() -> None:
    (read,) = rows(f"\ufeffConfidence,Mine,LabelName,ImageID,Source\n1,x,/m/1,{ID},human\n")
    assert read == {"confidence": 1.0, "label_name": "/m/1", "image_id": ID, "source": "human"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "LabelName,DisplayName",
        "LabelName1,RelationshipLabel,LabelName2",
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin",
        "ImageID,Source,LabelName,Confidence,Xmin,XMax,YMin,YMax",
        "ImageID,Source,LabelName,Confidence,IsOccluded",
    ],
)
def test_another_file_is_none(header: str) -> None:
    assert read_annotations([f"{header}\n"], name="f.csv", skipped=ReadReport()) is None


GOOD = f"{ID},xclick,/m/01yrx,1,0.1,0.2,0.3,0.4,0,0,0,0,0"


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (GOOD.replace(ID, "000A1249AF2BC5F0"), "ImageID '000A1249AF2BC5F0' is not 16 lower-case hex digits"),
        (GOOD.replace("0.2", "nan"), "XMax 'nan' is not a share of the width or height"),
        (GOOD.replace("0.3", "1e999"), "YMin '1e999' is not a share"),
        (GOOD.replace(",1,", ",,"), "Confidence '' is not a number from 0 to 1"),
        (GOOD.replace(",1,", ",1.5,"), "Confidence '1.5' is not a number from 0 to 1"),
        (GOOD.replace("0.2", "1_0"), "XMax '1_0' is not a share"),
        (GOOD.replace("0.2", "١"), "XMax '١' is not a share"),
        (GOOD.replace("0.2", "200"), "XMax '200' is not a share"),
        (GOOD.replace("0.1", "-0.6"), "XMin '-0.6' is not a share"),
        (GOOD.replace("0.1", " 0.1"), "XMin ' 0.1' is not a share"),
        (GOOD.replace("/m/01yrx", ""), "LabelName '' is not a word"),
        (GOOD[:-1] + "2", "IsInside '2' is not 0, 1 or -1"),
        (GOOD[:-2], "12 fields instead of 13"),
        (GOOD + ",", "14 fields instead of 13"),
        ('"' + GOOD, "a quote is opened and not closed"),
    ],
)
def test_a_bad_row_is_told_by_its_line_and_left_out(bad: str, complaint: str) -> None:
    told: list[str] = []
    skipped = ReadReport(report=told.append)
    good = f"{GOOD}\n" * 1500
    read = rows(f"{BOXES}\n{good}{bad}\n\n{good}", skipped)
    (said,) = told
    assert said.startswith(f"f.csv line 1502: {complaint}")
    assert (skipped.rows, skipped.bad) == (3001, 1)
    assert [row["row_number"] for row in read] == [*range(1, 1501), *range(1503, 3003)]
    skipped.judge("f.csv")


SIDES = {
    "ImageID,Source,LabelName,Confidence": f"{ID},human,/m/1,1",
    "MaskPath,ImageID,LabelName,BoxID": f"m.png,{ID},/m/1,0f",
    "ImageID,LabelName1,LabelName2,RelationshipLabel": f"{ID},/m/1,/m/2,plays",
}


@pytest.mark.parametrize(
    ("header", "low", "high", "others"),
    [
        (
            header,
            low,
            low.replace("Min", "Max"),
            [side for side in sides if side not in (low, low.replace("Min", "Max"))],
        )
        for header, sides in zip(
            SIDES,
            (
                ["XMin", "XMax", "YMin", "YMax"],
                ["BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax"],
                ["XMax1", "XMin1", "YMin1", "YMax1", "XMin2", "XMax2", "YMax2", "YMin2"],
            ),
            strict=True,
        )
        for low in sides
        if "Min" in low
    ],
)
def test_a_box_that_ends_before_it_begins_is_a_bad_row(header: str, low: str, high: str, others: list[str]) -> None:
    told: list[str] = []
    skipped = ReadReport(report=told.append)
    text = f"{header},{','.join([low, high, *others])}\n"
    for least, most in [("0.2", "0.9"), ("0.50", "0.5"), ("0.9", "0.25")]:
        text += f"{SIDES[header]},{least},{most}{',0.5' * len(others)}\n"
    assert [row["row_number"] for row in rows(text, skipped)] == [1, 2]
    assert told == [f"f.csv line 4: {low} 0.9 is more than {high} 0.25"]
    assert (skipped.rows, skipped.bad) == (3, 1)


@pytest.mark.parametrize("votes", ["1e30", "1e19", "9223372036854775808", "-9223372036854777856", "0.5", "inf", "nan"])
def test_votes_that_no_integer_column_holds_are_one_bad_row(votes: str) -> None:
    told: list[str] = []
    text = (
        f"ImageId,X,Y,Label,YesVotes\n{ID},0,0,/m/1,-9223372036854775808\n{ID},0,0,/m/1,{votes}\n{ID},0,0,/m/1,1e18\n"
    )
    assert [row["yes_votes"] for row in rows(text, ReadReport(report=told.append))] == [-(2**63), 10**18]
    assert told == [f"f.csv line 3: YesVotes '{votes}' is not a 64-bit whole number"]


@pytest.mark.parametrize("half", [ID[:5], f"{ID},xclick,/m/1,1,0,1", f"{ID},xclick,/m/1,1,0,1,0,1,0,0,0,0,"[:-1]])
def test_a_last_row_that_is_half_and_has_no_line_end_means_that_the_file_is_cut_short(half: str) -> None:
    row = f"{ID},xclick,/m/1,1,0,1,0,1,0,0,0,0,0\n"
    with pytest.raises(MetadataError) as caught:
        rows(f"{BOXES}\n{row}{half}")
    assert str(caught.value).startswith(
        "f.csv seems to be cut short: line 3, its last, has no line end and is half a row ("
    )
    assert len(rows(f"{BOXES}\n{row}{row}".rstrip("\n"))) == 2


def test_two_rows_that_are_off_by_a_field_in_opposite_ways_are_both_found() -> None:
    told: list[str] = []
    rows(f"{BOXES}\n{GOOD[:-2]}\n{GOOD}\n{GOOD},0\n" + f"{GOOD}\n" * 300, ReadReport(report=told.append))
    assert [line.split(":")[0] for line in told] == ["f.csv line 2", "f.csv line 4"]


def test_a_row_that_begins_with_the_last_field_of_the_one_before_is_bad_and_so_is_that_one() -> None:
    told: list[str] = []
    first, _, last = GOOD.rpartition(",")
    read = rows(f"{BOXES}\n{first}\n{last},{GOOD}\n" + f"{GOOD}\n" * 300, ReadReport(report=told.append))
    assert told == ["f.csv line 2: 12 fields instead of 13", "f.csv line 3: 14 fields instead of 13"]
    assert [row["row_number"] for row in read] == list(range(3, 303))


def test_so_they_are_where_the_last_column_may_be_any_text() -> None:
    told: list[str] = []
    point = f"{ID},0.5,0.25,/m/1"
    text = f"ImageId,X,Y,Label,TextLabel\n{point}\nwords,{point},more\n" + f"{point},words\n" * 300
    assert [row["row_number"] for row in rows(text, ReadReport(report=told.append))] == list(range(3, 303))
    assert told == ["f.csv line 2: 4 fields instead of 5", "f.csv line 3: 6 fields instead of 5"]


def test_too_many_bad_rows_are_no_annotation_file() -> None:
    skipped = ReadReport()
    rows(f"{BOXES}\n{GOOD}\n{GOOD[:-2]}\n", skipped)
    with pytest.raises(MetadataError, match=r"more than 1% of the rows of f\.csv are bad: 1 of the first 2"):
        skipped.judge("f.csv")


def test_only_wanted_images_are_kept_with_the_numbers_of_their_rows() -> None:
    asked: list[set[str]] = []

    def keep(image_ids: Any) -> set[str]:
        asked.append(set(image_ids))
        return {OTHER}

    read = rows(f"{BOXES}\n{GOOD}\n{GOOD.replace(ID, OTHER)}\n{GOOD}\n", keep=keep)
    assert [(row["image_id"], row["row_number"]) for row in read] == [(OTHER, 2)]
    assert asked == [{ID, OTHER}]


def test_a_long_file_is_read_as_it_is_asked_for() -> None:
    taken = 0

    def pieces() -> Any:
        nonlocal taken
        yield f"{BOXES}\n"
        for _ in range(1000):
            taken += 1
            yield f"{GOOD}\n" * 10

    found = read_annotations(pieces(), name="f.csv", skipped=ReadReport())
    assert found is not None
    assert taken == 0
    assert len(next(found.batches)[0]) == 10
    assert taken == 1


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bad", ["", f"{GOOD[:-2]}\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_rows_are_the_same_however_the_text_comes_in_pieces(end: str, bad: str, last: str) -> None:
    lines = [f"{BOXES}\n", *[f"{GOOD}\n"] * 7, *([bad] if bad else []), *[f"{GOOD}\n"] * 5]
    lines[-1] = GOOD + last
    lines = [line.replace("\n", end) for line in lines]
    read = []
    for size in (1, 2, 3, 5, 20):
        told: list[str] = []
        skipped = ReadReport(report=told.append)
        pieces = ["".join(lines[at : at + size]) for at in range(0, len(lines), size)]
        found = read_annotations(pieces, name="f.csv", skipped=skipped)
        assert found is not None
        batches = list(found.batches)
        read.append(([row for batch in batches for row in zip(*batch, strict=True)], told, skipped.rows))
    assert all(each == read[0] for each in read)
    assert len(read[0][0]) == 12
    assert read[0][1:] == (["f.csv line 9: 12 fields instead of 13"] if bad else [], 13 if bad else 12)
