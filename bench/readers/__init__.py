"""Opens every export with the programs that people use for it, and compares their findings with the database.

A demo's root is exported and packed in every format, unchanged, and runs write shards of the same images. Each reader
opens its output in a separate process, so a crash is one line of the table. Readers are no dependencies of this
project: for one that is not installed the table has the command that installs it. They may be in another Python
(`--python`).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.readers.check import Found
from bench.readers.checks import CHECKS
from bench.readers.expected import expected_facts
from bench.readers.outputs import database_of, is_of_run, make_outputs, oidl
from bench.readers.verdict import HEADER, disagrees, row, verdict

_HERE = Path(__file__).parents[2]
_PATIENCE_S = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--images", type=int, default=300, help="number of images in the demo")
    parser.add_argument("--port", type=int, default=8710, help="the first of the demo's three ports")
    parser.add_argument("--directory", type=Path, help="where to work; a temporary directory if not given")
    parser.add_argument(
        "--root-dir", type=Path, help="export and pack this root with all annotations instead of a demo's; no runs"
    )
    parser.add_argument("--python", default=sys.executable, help="the Python that has the readers")


def run(arguments: argparse.Namespace) -> None:
    """Prints the table; exits with 1 if an installed reader disagrees with the database."""
    missing = _missing(arguments.python)
    with _place(arguments.directory) as home:
        root = arguments.root_dir or home / "root"
        if arguments.root_dir is None:
            oidl("demo", f"--root-dir={root}", f"--images={arguments.images}", f"--port={arguments.port}")
        elif not (root / "oidl.sqlite3").is_file():
            sys.exit(f"--root-dir {root}: there is no state database")
        checks = {
            name: each for name, each in CHECKS.items() if arguments.root_dir is None or not is_of_run(each.output)
        }
        exports = home / "exports"
        places = make_outputs(root, exports, {check.output for name, check in checks.items() if not missing[name]})
        print(HEADER, flush=True)
        wrong = 0
        for name, check in checks.items():
            lacks = tuple(missing[name])
            found = Found(missing=lacks) if lacks else _read(arguments.python, name, places[check.output])
            wanted = {} if lacks else expected_facts(database_of(check.output, root, exports), check)
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


@contextmanager
def _place(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="oidl-bench-") as name:
        yield Path(name)
