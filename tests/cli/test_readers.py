"""`python -m bench readers`: installed readers find what the database has, the others are listed."""

import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from bench.readers.check import Check, Found
from bench.readers.checks import CHECKS
from bench.readers.verdict import disagrees, row, verdict

REPOSITORY = Path(__file__).parents[2]
ALL = ("boxes", "labels", "segmentations", "masks", "relationships", "points")
CHECK = Check("coco", "reader", ("a-reader", "pillow"), ("a_reader",), lambda place: {}, ("boxes",))


def readers(*arguments: object) -> CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "readers", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_the_readers_that_are_here_find_what_the_database_has(annotated, run, root: Path, tmp_path: Path) -> None:
    assert run(annotated, *(f"--annotations={kind}" for kind in ALL), "--load-annotations").returncode == 0
    ended = readers(f"--root-dir={root}", f"--directory={tmp_path / 'work'}")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in ended.stdout.splitlines()[2:]]
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [f"{output}: {reader}" for output, reader, *_ in rows] == [
        name for name, check in CHECKS.items() if not check.output.startswith("run ")
    ]
    verdicts = {(output, reader.partition(" ")[0]): says for output, reader, *_, says in rows if "Anns" not in reader}
    for each in (
        ("coco", "pycocotools"), ("coco", "globox"), ("yolo", "globox"), ("voc", "globox"),
        ("pack webdataset", "webdataset"), ("pack parquet", "pyarrow"), ("pack tfrecord, --idx", "DALI's"),
    ):  # fmt: skip
        assert verdicts[each] == "same"
    assert all(says == "same" or says.startswith("not installed: `pip install ") for *_, says in rows)


@pytest.mark.parametrize(
    ("python", "says"), [("/nowhere", "No such file or directory"), ("/bin/true", "this is not Python 3.11 or newer")]
)
def test_without_the_python_that_is_named_it_is_said(python: str, says: str) -> None:
    ended = readers(f"--python={python}")
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"--python {python}: {says}\n")


@pytest.mark.parametrize(
    ("found", "is_wrong", "says"),
    [
        (Found("1.0", {"boxes": 570}), False, "same"),
        (Found("1.0", {"boxes": 571}), True, "differs"),
        (Found("1.0", {"boxes": 568.0}), False, "same"),
        (Found("1.0", {"boxes": 540.0}), True, "differs"),
        (Found("1.0", {}), True, "differs"),
        (Found("1.0", refused="KeyError: 'Dog'"), True, "refused: KeyError: 'Dog'"),
        (Found("1.0", broken="ImportError: libGL.so.1"), False, "cannot be imported: ImportError: libGL.so.1"),
        (Found(missing=("a-reader",)), False, "not installed: `pip install a-reader pillow`"),
    ],
)
def test_what_a_reader_finds_is_judged(found: Found, is_wrong: bool, says: str) -> None:
    assert disagrees(found, {"boxes": 570}) is is_wrong
    assert verdict(CHECK, found, {"boxes": 570}) == says


def test_a_row_says_what_was_found_and_what_was_expected() -> None:
    found = Found("1.0", {"boxes": 1570, "box pixels": 2.5e6})
    line = row(CHECK, found, {"boxes": 1571, "box pixels": 2.5e6}, "a|b")
    assert line == "| coco | reader | 1.0 | boxes 1,570, box pixels 2.5e+06 | boxes 1,571, box pixels 2.5e+06 | a/b |"
