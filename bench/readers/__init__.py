"""Opens every export with the programs that people use for it, and compares their findings with the database.

A demo's root is exported in every format, unchanged. Each reader opens its export in a separate process, so a crash
is one line of the table. Readers are no dependencies of this project: for one that is not installed the table has
the command that installs it. They may be in another Python (`--python`).
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path

from bench.readers.check import Found
from bench.readers.checks import CHECKS
from bench.readers.expected import read_expected
from bench.readers.verdict import HEADER, disagrees, row, verdict

_HERE = Path(__file__).parents[2]
_PATIENCE_S = 300

# The name of each export in the table, and its options.
_EXPORTS = {
    "coco": ("--format=coco", "--label-types=boxes,segmentations,relationships,points"),
    "coco, masks alone": ("--format=coco", "--label-types=segmentations"),
    "yolo": ("--format=yolo", "--label-types=boxes"),
    "voc": ("--format=voc", "--label-types=boxes", "--split=80/20"),  # torchvision knows only train and val
    "imagefolder": ("--format=imagefolder", "--label-types=boxes,labels", "--with-empty"),
    "csv": ("--format=csv", "--label-types=boxes,labels"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=300, help="number of images in the demo")
    parser.add_argument("--port", type=int, default=8710, help="the first of the demo's three ports")
    parser.add_argument("--directory", type=Path, help="where to work; a temporary directory if not given")
    parser.add_argument("--root-dir", type=Path, help="export this root with all annotations instead of a demo's")
    parser.add_argument("--python", default=sys.executable, help="the Python that has the readers")


def run(arguments: argparse.Namespace) -> None:
    """Prints the table; exits with 1 if an installed reader disagrees with the database."""
    missing = _missing(arguments.python)
    with _place(arguments.directory) as home:
        root = arguments.root_dir or home / "root"
        if arguments.root_dir is None:
            _oidl("demo", f"--root-dir={root}", f"--images={arguments.images}", f"--port={arguments.port}")
        elif not (root / "oidl.sqlite3").is_file():
            sys.exit(f"--root-dir {root}: there is no state database")
        expected = read_expected(root / "oidl.sqlite3")
        places = _export(root, home / "exports", {CHECKS[name].output for name in CHECKS if not missing[name]})
        print(HEADER, flush=True)
        wrong = 0
        for name, check in CHECKS.items():
            lacks = tuple(missing[name])
            found = Found(missing=lacks) if lacks else _read(arguments.python, name, places[check.output])
            wanted = {fact: expected[check.about][fact] for fact in check.facts}
            wrong += disagrees(found, wanted)
            print(row(check, found, wanted, verdict(check, found, wanted)), flush=True)
    if wrong:
        sys.exit(1)


def _missing(python: str) -> dict[str, list[str]]:
    """The packages that are missing for each check, by its name."""
    try:
        ended = subprocess.run([python, "-m", "bench.readers"], cwd=_HERE, capture_output=True, text=True, check=False)
        found: dict[str, list[str]] = json.loads(ended.stdout)
    except OSError as error:
        sys.exit(f"--python {python}: {error.strerror}")
    except ValueError:
        sys.exit(f"--python {python}: this is not Python 3.11 or newer")
    return found


def _export(root: Path, home: Path, outputs: Set[str]) -> Mapping[str, Path]:
    """Exports `root` as `outputs` need it; returns the path of each, by name."""
    places = {"database": root.absolute() / "oidl.sqlite3", "lists": home / "lists"}
    _oidl("export-csv", f"--root-dir={root}", f"--dest={places['lists']}")
    for output in sorted(outputs - places.keys()):
        name, _, how = output.partition(", --")
        places[output] = home / re.sub("[^a-z]+", "-", output)
        options = (*_EXPORTS[name], *([f"--{how}"] if how else []), f"--dest={places[output]}")
        _oidl("export", f"--root-dir={root}", "--rendition=images-resized", *options)
    return places


def _read(python: str, name: str, place: Path) -> Found:
    """The findings of the check `name` in `place`; it runs in a separate process."""
    try:
        ended = subprocess.run(
            [python, "-m", "bench.readers", name, str(place)],
            cwd=_HERE, capture_output=True, text=True, errors="replace", check=False, timeout=_PATIENCE_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Found(refused=f"nothing after {_PATIENCE_S} s")
    try:
        return Found(**json.loads(ended.stdout.splitlines()[-1]))
    except (ValueError, LookupError, TypeError):
        last = (ended.stderr.strip() or "no word").splitlines()[-1]
        return Found(refused=f"ended with {ended.returncode}: {last}")


def _oidl(*arguments: str) -> None:
    command = [sys.executable, "-m", "oidl", *arguments]
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        sys.exit(f"oidl {' '.join(arguments)} ended with {ended.returncode}:\n{ended.stderr.strip()}")


@contextmanager
def _place(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        yield Path(name)
