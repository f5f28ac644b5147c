"""Published rows: reading and writing gives the same bytes; bad ones are counted and not fatal."""

import re
from collections.abc import Iterable

import pytest

from oidl.dataset.rows import LINE_ENDS, MAX_BAD_ROWS, ReadReport, format_row, header, read_images
from oidl.errors import ExitCode, MetadataError
from oidl.model import Image, SkippedRow

SUBSETS = frozenset({"train", "validation", "test"})
V3_HEADER = header("author-title")
ROW = (
    "00000000000000ff,train,http://a.org/1.jpg,http://a.org/1,http://cc.org/by,http://a.org/me,"
    '"Author","Title",100,1B2M2Y8AsgTpgAmY7PhCfg==,\n'
)


def images_in(
    lines: Iterable[str], skipped: ReadReport | None = None, subsets: frozenset[str] = SUBSETS
) -> list[Image]:
    skipped = skipped or ReadReport()
    return list(read_images(lines, name="list.csv", subsets=subsets, known_subsets=SUBSETS, skipped=skipped))


def lines_of(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n", text)


def test_published_rows_come_back_byte_for_byte(published_list: str) -> None:
    skipped = ReadReport()
    images = images_in(lines_of(published_list), skipped)
    assert (len(images), skipped.rows, skipped.bad) == (10, 10, 0)
    assert header("author-title") + "".join(format_row(image, "author-title") for image in images) == published_list


def test_real_rows_come_back_byte_for_byte(sample_lists: list[str]) -> None:
    assert len(sample_lists) == 3
    for text in sample_lists:
        images = images_in(lines_of(text))
        assert len(images) == 1000
        assert V3_HEADER + "".join(format_row(image, "author-title") for image in images) == text


@pytest.mark.parametrize(
    "row",
    [
        ROW.replace('"', "").replace("\n", ",90.0\n"),
        ROW.replace('"Author"', '"Author, the ""first"""').replace('"Title"', "Title").replace("\n", ",\n"),
    ],
)
def test_rows_with_a_rotation_and_as_few_quotes_as_may_be_come_back_too(row: str) -> None:
    (image,) = images_in([header("minimal"), row])
    assert format_row(image, "minimal") == row
    assert image.rotation == row.rstrip("\n").rpartition(",")[2]


def test_how_lines_end_is_noticed_and_kept() -> None:
    for name, end in LINE_ENDS.items():
        row = ROW.replace('"', "").replace("\n", f",90.0{end}")
        skipped = ReadReport()
        (image,) = images_in([header("minimal", end), row], skipped)
        assert skipped.line_end == name
        assert image.rotation == "90.0"
        assert format_row(image, "minimal", end) == row


def test_each_field_is_what_its_column_says(published_rows: list[str]) -> None:
    (image,) = images_in([V3_HEADER, published_rows[2]])
    assert image == Image(
        image_id="000000000000002a",
        subset="test",
        original_url="https://farm3.staticflickr.com/1/2_ab_o.jpg",
        original_landing_url="https://www.flickr.com/photos/one/2",
        license="https://creativecommons.org/licenses/by/2.0/",
        author_profile_url="https://www.flickr.com/people/one/",
        author="Ten, Eleven",
        title='A title, with commas, and a "quoted" word',
        original_size=102,
        original_md5="1B2M2Y8AsgTpgAmY7PhCfg==",
        thumbnail_300k_url="https://c1.staticflickr.com/1/2_cd_z.jpg?zz=1",
        rotation=None,
    )


def test_the_header_says_which_column_is_where_and_others_are_ignored() -> None:
    columns = V3_HEADER.strip().split(",")
    values = ROW.replace('"', "").rstrip("\n").split(",")
    turned = f"Extra,{','.join(reversed(columns))}\n", f"x,{','.join(reversed(values))}\n"
    assert images_in(turned) == images_in([V3_HEADER, ROW])


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    assert images_in(["\ufeff" + V3_HEADER.replace("\n", "\r\n"), ROW.replace("\n", "\r\n"), "\r\n"]) == images_in(
        [V3_HEADER, ROW]
    )


def test_rows_of_subsets_that_were_not_selected_are_passed_over(published_list: str) -> None:
    skipped = ReadReport()
    images = images_in(lines_of(published_list), skipped, frozenset({"test"}))
    assert {image.subset for image in images} == {"test"}
    assert (skipped.rows, skipped.bad) == (10, 0)


@pytest.mark.parametrize("column", V3_HEADER.strip().split(","))
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(MetadataError, match=rf"list\.csv has no column {column}\b") as refused:
        images_in([V3_HEADER.replace(f"{column}\n", "Another\n").replace(f"{column},", "Another,", 1), ROW])
    assert refused.value.exit_code is ExitCode.METADATA


@pytest.mark.parametrize(
    ("published", "bad", "complaint"),
    [
        ("00000000000000ff", "00000000000000FF", "ImageID '00000000000000FF' is not 16 lower-case hex digits"),
        ("00000000000000ff", "0000000000000ff", "ImageID"),
        ("00000000000000ff", "../../../../etc/x", "ImageID"),
        (",train,", ",training,", "Subset 'training'"),
        (",100,", ",0,", "OriginalSize '0'"),
        (",100,", ",-1,", "OriginalSize"),
        (",100,", ",0100,", "OriginalSize"),
        (",100,", ",1e3,", "OriginalSize"),
        (",100,", ",١٠٠,", "OriginalSize"),
        (",100,", ",9999999999999999999,", "OriginalSize"),
        ("1B2M2Y8AsgTpgAmY7PhCfg==", "d41d8cd98f00b204e9800998ecf8427e", "OriginalMD5"),
        ("1B2M2Y8AsgTpgAmY7PhCfg==", "1B2M2Y8AsgTpgAmY7PhCfh==", "OriginalMD5"),
        ("http://a.org/1.jpg", "ftp://a.org/1.jpg", "OriginalURL 'ftp://a.org/1.jpg'"),
        ("http://a.org/1.jpg", "http:///1.jpg", "OriginalURL"),
        ("http://a.org/1.jpg", "http://a.org/1.jpg ", "OriginalURL"),
        ("http://a.org/1.jpg", "http://a .org/1.jpg", "OriginalURL"),
        ("http://a.org/1.jpg", "http://me:pw@/1.jpg", "OriginalURL"),
        ("http://a.org/1.jpg", '"http://a.org/1\n2.jpg"', "OriginalURL"),
        ("http://a.org/1.jpg", "", "OriginalURL"),
        (",\n", ",none\n", "Thumbnail300KURL 'none'"),
        (",\n", "\n", "10 fields instead of 11"),
        (",\n", ",,\n", "12 fields instead of 11"),
        ('"Title"', '"Ti"tle"', "'\"'"),
    ],
)
def test_a_bad_row_is_told_by_its_line_and_the_rest_goes_on(published: str, bad: str, complaint: str) -> None:
    skipped = ReadReport()
    images = images_in([V3_HEADER, ROW, *ROW.replace(published, bad).splitlines(keepends=True), ROW], skipped)
    assert len(images) == 2
    assert (skipped.rows, skipped.bad) == (3, 1)
    assert skipped.examples[0].startswith("list.csv line 3: ")
    assert complaint in skipped.examples[0]


@pytest.mark.parametrize(
    ("title", "complaint"),
    [
        ('"Ti"tle"', "a field continues after its closing '\"'"),
        ("a\rb", "a line end in it is CR alone, and not LF or CRLF"),
        ("x" * 200_000, "a field has more than 131,072 characters"),
        ('"Title', "a quote is opened and not closed"),
    ],
)
def test_what_csv_objects_to_is_said_in_words_for_people(title: str, complaint: str) -> None:
    skipped = ReadReport()
    images_in([V3_HEADER, ROW, ROW.replace('"Title"', title), ROW], skipped)
    assert skipped.examples == [f"list.csv line 3: {complaint}"]


@pytest.mark.parametrize("characters", [1, 20, 60, len(ROW) - 40, len(ROW) - 3])
def test_a_last_row_that_is_half_and_has_no_line_end_means_that_the_list_is_cut_short(characters: int) -> None:
    with pytest.raises(MetadataError) as caught:
        images_in([V3_HEADER, ROW, *ROW[:characters].splitlines(keepends=True)])
    assert str(caught.value).startswith(
        "list.csv seems to be cut short: line 3, its last, has no line end and is half a row ("
    )


def test_it_does_within_a_title_of_several_lines_too_and_whatever_subset_is_selected() -> None:
    cut = ROW[: ROW.index("itle")].replace('"T', '"One\nT')
    with pytest.raises(MetadataError, match="line 4, its last, has no line end"):
        images_in([V3_HEADER, ROW, *cut.splitlines(keepends=True)], subsets=frozenset({"test"}))


def test_a_whole_last_row_needs_no_line_end() -> None:
    skipped = ReadReport()
    assert len(images_in([V3_HEADER, ROW, ROW.rstrip("\n")], skipped)) == 2
    assert skipped.bad == 0


def minimal_row(number: int, title: str = "Title") -> str:
    row = ROW.replace('"Author"', "Author").replace("\n", ",90.0\n").replace('"Title"', title)
    return row.replace("00000000000000ff", f"{number:016x}")


@pytest.mark.parametrize("at", [2, 50, 51, 52, 1999, 2001])
@pytest.mark.parametrize("later", ["Title", '"A title, quoted"', '6" nails', '""""""', '"One\nTwo"'])
def test_a_quote_that_nobody_closes_spoils_only_its_own_row(at: int, later: str) -> None:
    told: list[str] = []
    skipped = ReadReport(report=told.append)
    rows = [minimal_row(number) for number in range(2, 2002)]
    rows[at - 2] = minimal_row(at, '"Title')
    rows.insert(300, minimal_row(0, later))
    line = at + (at >= 302)
    images = images_in([header("minimal"), *lines_of("".join(rows))], skipped)
    assert [int(image.image_id, 16) for image in images] == [
        number for number in [*range(2, 302), 0, *range(302, 2002)] if number != at
    ]
    assert [message.partition(": ")[0] for message in told] == [
        f"list.csv line {line + (at >= 302 and 'Two' in later)}"
    ]
    assert (skipped.rows, skipped.bad) == (2001, 1)


def test_a_quote_that_a_later_row_happens_to_close_takes_nothing_of_that_row() -> None:
    skipped = ReadReport()
    rows = [minimal_row(1, '"Title'), minimal_row(2), minimal_row(3, 'Nails 6"'), minimal_row(4)]
    images = images_in([header("minimal"), *rows], skipped)
    assert [(image.image_id[-1], image.title) for image in images] == [
        ("2", "Title"),
        ("3", 'Nails 6"'),
        ("4", "Title"),
    ]
    assert skipped.examples == ["list.csv line 2: a quote is opened and not closed"]


def test_lines_after_a_title_of_several_lines_keep_their_numbers() -> None:
    skipped = ReadReport()
    rows = "".join(minimal_row(number, '"One\nTwo\n\nFour"') for number in range(200)) + "bad\n"
    images = images_in([header("minimal"), *lines_of(rows)], skipped)
    assert [image.title for image in images] == ["One\nTwo\n\nFour"] * 200
    assert skipped.examples == ["list.csv line 802: 1 field instead of 12"]


def test_an_open_quote_holds_no_more_lines_than_csv_lets_a_field_have() -> None:
    taken = 0

    def lines() -> Iterable[str]:
        nonlocal taken
        yield header("minimal")
        yield minimal_row(0, '"Title')
        while True:
            taken += 1
            yield minimal_row(taken)

    skipped = ReadReport()
    first = next(read_images(lines(), name="l", subsets=SUBSETS, known_subsets=SUBSETS, skipped=skipped))
    assert first.image_id == f"{1:016x}"
    assert taken * len(minimal_row(0)) < 140_000


def test_only_the_first_bad_rows_are_told_but_all_are_counted() -> None:
    told: list[str] = []
    skipped = ReadReport(report=told.append)
    images_in([V3_HEADER, *["bad\n"] * 50], skipped)
    assert skipped.bad == 50
    assert told == skipped.examples
    assert len(told) == 20
    assert told[0] == "list.csv line 2: 1 field instead of 11"


@pytest.mark.parametrize(("sound", "bad", "is_refused"), [(99, 1, False), (98, 2, True), (0, 1, True)])
def test_more_than_one_bad_row_in_a_hundred_is_too_many(sound: int, bad: int, is_refused: bool) -> None:
    skipped = ReadReport()
    images_in([V3_HEADER, *["bad\n"] * bad, *[ROW] * sound], skipped)
    if is_refused:
        with pytest.raises(MetadataError, match=rf"the rows of list.csv are bad: {bad} of the first {sound + bad}"):
            skipped.check("list.csv")
    else:
        skipped.check("list.csv")


def test_a_list_that_is_nothing_but_bad_rows_is_not_read_to_its_end() -> None:
    def endless() -> Iterable[str]:
        yield V3_HEADER
        while True:
            yield "bad\n"

    with pytest.raises(MetadataError, match="of the file are bad: 1000 of the first 1000"):
        images_in(endless())


@pytest.mark.parametrize("lines", [[], [V3_HEADER]])
def test_a_list_without_rows_holds_no_images(lines: list[str]) -> None:
    def read() -> None:
        skipped = ReadReport()
        images_in(lines, skipped)
        skipped.check("list.csv")

    with pytest.raises(MetadataError, match=r"list\.csv contains no images"):
        read()


def test_a_url_may_have_blanks_and_a_password() -> None:
    urls = ["http://a.org/my photo.jpg", "http://me:pw@a.org/1.jpg", "http://me@[::1]:80/x y?z z"]
    rows = [ROW.replace("http://a.org/1.jpg", url) for url in urls]
    assert [image.original_url for image in images_in([V3_HEADER, *rows])] == urls


def test_bad_rows_are_kept_as_they_stand_and_a_password_is_not_shown() -> None:
    skipped = ReadReport()
    bad = ROW.replace("http://a.org/1.jpg", "http://me:secret@/1.jpg")
    short = "x,y\n"
    images_in([V3_HEADER, *[ROW] * 300, bad, short], skipped)
    assert [(row.subset, row.list, row.line, row.text) for row in skipped.bad_rows] == [
        ("train", "list.csv", 302, bad.rstrip("\n")),
        ("", "list.csv", 303, "x,y"),
    ]
    assert skipped.by_subset == {"train": 1, "": 1}
    assert skipped.examples[0] == "list.csv line 302: OriginalURL 'http:///1.jpg' is not an http or https URL"


def test_more_bad_rows_are_counted_than_kept() -> None:
    skipped = ReadReport()
    with pytest.raises(MetadataError):
        images_in([V3_HEADER, *["x\n" * 1] * 5000], skipped)
    skipped = ReadReport()
    for number in range(MAX_BAD_ROWS + 5):
        skipped.rows += 1000
        skipped.leave_out(SkippedRow("train", "l", number, "bad", "x" * 9999))
    assert (len(skipped.bad_rows), skipped.by_subset["train"], len(skipped.bad_rows[0].text)) == (
        MAX_BAD_ROWS,
        MAX_BAD_ROWS + 5,
        2000,
    )


def test_the_line_of_every_image_is_known() -> None:
    several = ROW.replace('"Title"', '"A\ntitle"')
    other = ROW.replace(",train,", ",test,")
    lines = lines_of(
        "".join([V3_HEADER, ROW, "bad\n", ROW, other, other, ROW, several, ROW, "\n", ROW, *[ROW] * 200, other, ROW])
    )
    skipped = ReadReport()
    images = images_in(lines, skipped, frozenset({"train"}))
    numbers = []
    for at in range(len(images)):
        begun = [each for each in skipped.breaks if each.at <= at][-1]
        numbers.append(begun.line + at - begun.at)
    assert numbers == [2, 4, 7, 8, 10, 12, *range(13, 213), 214]
    assert {each.list for each in skipped.breaks} == {"list.csv"}
