"""`python -m bench.readers CHECK PLACE` does one check and prints its result as JSON on the last line.

Without a check it prints the missing packages of each. It imports nothing from `oidl`, so the Python with the readers
needs nothing else.
"""

import importlib
import importlib.metadata
import json
import platform
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path

from bench.readers.check import Check, Found
from bench.readers.checks import CHECKS


def main() -> None:
    """Does the check that the command line names, if any."""
    if not sys.argv[1:]:
        print(json.dumps({name: _missing(check) for name, check in CHECKS.items()}))
        return
    name, place = sys.argv[1:]
    with redirect_stdout(sys.stderr):  # readers print, too
        found = _found(CHECKS[name], Path(place))
    print(json.dumps(asdict(found)))


def _found(check: Check, place: Path) -> Found:
    version = _version(check.packages[0]) if check.packages else f"Python {platform.python_version()}"
    try:
        for module in check.modules:
            importlib.import_module(module)
    except Exception as error:
        return Found(version, broken=_words(error))
    try:
        found = check.read(place)
        return Found(version, facts={name: found[name] for name in check.facts})
    except Exception as error:
        return Found(version, refused=_words(error))


def _missing(check: Check) -> list[str]:
    return [package for package in check.packages if not _version(package)]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _words(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


if __name__ == "__main__":
    main()
