"""The success and failure CSVs give back every published row, once, byte for byte."""

import csv
import io
import tarfile
from pathlib import Path

import pytest

HEADER = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,"
    "Author,Title,OriginalSize,OriginalMD5,Thumbnail300KURL\n"
)
AUTHORS_AND_TITLES = [
    '"Some One","Plain"',
    '"&gt;;&lt; &amp; co","Entities stay as they are &quot;"',
    '"Ten, Eleven","A title, with commas, and a ""quoted"" word"',
    '"""","""both ends"""',
    '"José Ångström","Парк 公園 🦊"',
    '"",""',
    '"back\\slash","C:\\temp\\n"',
    '" spaces "," around "',
    '"it\'s","tab\there; semi-colon|pipe"',
    '"Ünï","#hash, -dash, =1+1"',
]
SUBSETS = ("train", "validation", "test")
LOAD = ("--dataset-version=3", "--limit=0", "--no-download-metadata")
OWN_ROWS = {
    subset: [
        f"{3 * number % 10:015x}a,{subset},https://farm{number % 8 + 1}.staticflickr.com/1/{number}_ab_o.jpg,"
        f"https://www.flickr.com/photos/one/{number},https://creativecommons.org/licenses/by/2.0/,"
        f"https://www.flickr.com/people/one/,{text},{100 + number},1B2M2Y8AsgTpgAmY7PhCfg==,"
        + ("" if number == 4 else f"https://c1.staticflickr.com/1/{number}_cd_z.jpg?zz=1")
        + "\n"
        for number, text in enumerate(AUTHORS_AND_TITLES)
        if SUBSETS[number % 3] == subset
    ]
    for subset in SUBSETS
}


def _own_list(directory: Path) -> Path:
    path = directory / "own.csv"
    path.write_bytes((HEADER + "".join(row for rows in OWN_ROWS.values() for row in rows)).encode())
    return path


def _published(path: Path) -> dict[str, list[bytes]]:
    if path.suffix == ".csv":
        return {subset: [row.encode() for row in rows] for subset, rows in OWN_ROWS.items()}
    with tarfile.open(path) as tar:
        bodies = {Path(member.name).parent.name: tar.extractfile(member).read() for member in tar}
    assert all(body.startswith(HEADER.encode()) for body in bodies.values())
    return {subset: body.splitlines(keepends=True)[1:] for subset, body in bodies.items()}


@pytest.fixture(params=["own", "sample"])
def image_list(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "own":
        return _own_list(tmp_path)
    sample = Path(__file__).parents[3] / "shared/sample-v3/test_images_2017_11.tar.gz"
    if not sample.exists():
        pytest.skip("the sample of real rows is not here")
    return sample


@pytest.fixture
def loaded(oidl, root: Path, image_list: Path) -> Path:
    ended = oidl("run", "--root-dir", root, "--images-csv", image_list, *LOAD)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "bad" not in ended.stdout
    return image_list


def test_both_files_together_are_the_published_list(loaded, oidl, root: Path, tell, tmp_path: Path, ask) -> None:
    published = _published(loaded)
    assert ask("SELECT count(*) FROM image") == [(sum(map(len, published.values())),)]
    # Every third one failed, in awkward words; as a run would have it.
    tell(
        "UPDATE download SET status = 'failed', reason = 'http_error', detail = 'a \"b\", c' || char(10) || 'd' "
        "WHERE (SELECT i.rowid FROM image AS i WHERE i.image_id = download.image_id) % 3 = 0"
    )
    tell("UPDATE download SET status = 'done' WHERE status = 'pending'")
    for arguments, base in (([], root / "2017_11"), (["--dest", tmp_path / "elsewhere"], tmp_path / "elsewhere")):
        ended = oidl("export-csv", "--root-dir", root, *arguments)
        assert (ended.returncode, ended.stderr) == (0, "")
        for subset, rows in published.items():
            success = (base / subset / "images-success.csv").read_bytes()
            failure = (base / subset / "images-failure.csv").read_bytes()
            assert success.startswith(HEADER.encode())
            assert failure.startswith(HEADER.encode().rstrip(b"\n") + b",FailureDetails\n")
            had = success.splitlines(keepends=True)[1:]
            ending = b',"http_error: a ""b"", c d"\n'
            missed = failure.splitlines(keepends=True)[1:]
            assert all(row.endswith(ending) for row in missed)
            missed = [row.removesuffix(ending) + b"\n" for row in missed]
            assert had == [row for row in rows if row in set(had)]
            assert missed == [row for row in rows if row in set(missed)]
            assert sorted(had + missed) == sorted(rows)
            assert f"{base / subset / 'images-success.csv'}: {len(had)} images" in ended.stdout
            parsed = list(csv.DictReader(io.StringIO(failure.decode(), newline="")))
            assert {row["FailureDetails"] for row in parsed} <= {'http_error: a "b", c d'}


def test_how_a_list_of_ones_own_is_written_its_header_tells_whatever_the_version(oidl, root, tell, tmp_path) -> None:
    own = _own_list(tmp_path)
    ended = oidl("run", "--root-dir", root, "--images-csv", own, "--dataset-version=7", *LOAD[1:])
    assert (ended.returncode, ended.stderr) == (0, "")
    tell("UPDATE download SET status = 'done'")
    assert oidl("export-csv", "--root-dir", root).returncode == 0
    for subset, rows in _published(own).items():
        written = (root / "v7" / subset / "images-success.csv").read_bytes()
        assert written == b"".join([HEADER.encode(), *rows])


@pytest.fixture
def all_done(fine, run, tell, root: Path) -> dict[str, bytes]:
    """Every image is done, all but the first have a small cat and every second one a large one; rows by ImageID."""
    assert run(fine, "--limit=0", "--no-download-metadata").returncode == 0
    tell("UPDATE download SET status = 'done'")
    tell("INSERT INTO class (label_name, display_name) VALUES ('/m/01yrx', 'Cat')")
    tell(
        "INSERT INTO box (image_id, row_number, source, label_name, confidence, x_min, x_max, y_min, y_max) "
        "SELECT image_id, 1, 'xclick', '/m/01yrx', 1, 0.0, 1.0 - rowid % 2 * 0.9, 0.0, 1.0 FROM image WHERE rowid > 1"
    )
    return {row[:16].decode(): row for rows in fine.rows().values() for row in rows}


@pytest.fixture
def exported_rows(oidl, root: Path, tmp_path: Path):
    """The rows of the successes that `oidl export-csv` writes with some options, by subset."""

    def export(*options: object) -> dict[str, list[bytes]]:
        dest = tmp_path / f"chosen{len(list(tmp_path.iterdir()))}"
        ended = oidl("export-csv", "--root-dir", root, "--dest", dest, *options)
        assert (ended.returncode, ended.stderr) == (0, "")
        files = dest.glob("*/images-success.csv")
        return {path.parent.name: path.read_bytes().splitlines(keepends=True)[1:] for path in files}

    return export


@pytest.mark.parametrize(
    ("options", "condition"),
    [
        (["--where=original_size % 2 = 0"], "original_size % 2 = 0"),
        (["--classes=cat"], "rowid > 1"),
        (["--classes=cat", "--min-box-area=0.5"], "rowid % 2 = 0"),
        (["--classes=cat", "--where=rowid < 9", "--shuffle"], "rowid BETWEEN 2 AND 8"),
        (["--subset=test", "--subset=train"], "subset <> 'validation'"),
    ],
)
def test_the_rows_of_chosen_images_are_the_published_ones_in_published_order(
    options: list[str], condition: str, all_done, exported_rows, ask
) -> None:
    expected: dict[str, list[bytes]] = {}
    for subset, image_id in ask(f"SELECT subset, image_id FROM image WHERE {condition} ORDER BY rowid"):
        expected.setdefault(subset, []).append(all_done[image_id])
    assert expected
    assert {subset: rows for subset, rows in exported_rows(*options).items() if rows} == expected


def test_a_subset_that_was_not_chosen_has_no_files(all_done, exported_rows) -> None:
    assert exported_rows("--subset=test").keys() == {"test"}
    assert exported_rows("--where=subset = 'test'").keys() == set(SUBSETS)


def test_named_images_and_some_of_each_class(all_done, exported_rows, tmp_path: Path, ask) -> None:
    (tmp_path / "ids.txt").write_text("\n".join(list(all_done)[3:6]))
    rows = exported_rows("--image-ids", tmp_path / "ids.txt")
    assert sorted(row for each in rows.values() for row in each) == sorted(list(all_done.values())[3:6])
    first, other = (exported_rows("--limit-per-class=4", "--shuffle", f"--seed={seed}") for seed in (1, 2))
    assert sum(map(len, first.values())) == sum(map(len, other.values())) == 4
    assert first != other


def test_a_choice_that_cannot_be_made_is_said_as_a_run_says_it(all_done, oidl, root: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("f" * 16)
    for options, says in (
        (["--classes=Cta"], "there is no class 'Cta'\n  did you mean Cat?"),
        (["--classes=Cat", "--label-types=points"], "there are no points in the database"),
        (["--classes=Cat", "--include-subclasses"], "there is no hierarchy of classes in the database"),
        (["--where=nope > 1"], "no such column: nope"),
        (["--subset=tst"], "--subset: there is no subset 'tst' in the database\n  did you mean test?"),
        (["--attributes=IsNice=1"], "is not an attribute of boxes"),
        (["--image-ids=nowhere.txt"], "the list of ImageIDs nowhere.txt cannot be read"),
    ):
        ended = oidl("export-csv", "--root-dir", root, "--dest", tmp_path / "x", *options)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert says in ended.stderr
    assert not (tmp_path / "x").exists()
    ended = oidl("export-csv", "--root-dir", root, "--image-ids", tmp_path / "ids.txt")
    assert ended.returncode == 0
    assert ended.stderr == f"oidl: 1 of the given ImageIDs are not in the list: {'f' * 16}\n"


def test_rows_that_were_never_tried_are_in_neither_file(loaded, oidl, root: Path) -> None:
    assert oidl("export-csv", "--root-dir", root).returncode == 0
    for subset in SUBSETS:
        for name in ("images-success.csv", "images-failure.csv"):
            assert len((root / "2017_11" / subset / name).read_bytes().splitlines()) == 1


def test_rows_that_wait_for_a_retry_are_failures_that_say_so(loaded, oidl, root: Path, tell) -> None:
    tell("UPDATE download SET status = 'retry', reason = 'timeout', detail = 'no byte in time'")
    assert oidl("export-csv", "--root-dir", root).returncode == 0
    rows = (root / "2017_11/test/images-failure.csv").read_bytes().splitlines()[1:]
    assert rows
    assert all(row.endswith(b",timeout: no byte in time (will be retried)") for row in rows)


def test_without_an_image_list_there_is_nothing_to_export(oidl, fine, run, root: Path) -> None:
    assert run(fine, "--nodownload-images").returncode == 0
    ended = oidl("export-csv", "--root-dir", root)
    assert ended.returncode == 6
    assert ended.stderr.startswith("oidl: there is no image list in the database yet\n")


def test_a_run_that_is_told_not_to_export_does_not(fine, run, root: Path) -> None:
    assert run(fine, "--no-export-csv", "--limit=2").returncode == 0
    assert not list(root.rglob("images-success.csv"))
