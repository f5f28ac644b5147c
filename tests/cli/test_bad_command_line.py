"""Bad command lines, and readers that leave before the end of the output."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from refusals import assert_one_clear_line


def test_status_json_says_what_is_wrong_on_stderr_only(oidl, root: Path) -> None:
    ended = oidl("status", "--json", "--root-dir", root)
    assert (ended.returncode, ended.stdout) == (2, "")


def test_a_reader_that_leaves_early_is_no_error(oidl, run, fine, root: Path) -> None:
    assert run(fine, "--limit=1").returncode == 0
    ended = subprocess.run(
        f"{sys.executable} -m oidl status --root-dir {root} | true",
        shell=True,
        capture_output=True,
        text=True,
        cwd=oidl.cwd,
        check=False,
    )
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        (["run", "--classes", "\udcff"], r"\xff is not UTF-8"),
        (["run", '--where=title="\udcff"'], r'--where=title="\xff" is not UTF-8'),
        (["run", "--root-dir", "caf\udce9"], r"caf\xe9 is not UTF-8"),
        (["export", "--dest=caf\udce9"], r"--dest=caf\xe9 is not UTF-8"),
        (["annotations", "load", "é\udce9.csv"], r"é\xe9.csv is not UTF-8"),
        (["demo", "--root-dir=\udcff"], r"--root-dir=\xff is not UTF-8"),
    ],
)
def test_what_is_not_utf_8_is_refused(typed: list[str], names: str, oidl) -> None:
    before = sorted(oidl.cwd.iterdir())
    for arguments, env in ((typed, {}), (["status"], {"OIDL_ROOT_DIR": typed[-1]})):
        ended = oidl(*arguments, env=env)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert_one_clear_line(ended.stderr)
        assert names in ended.stderr
    assert sorted(oidl.cwd.iterdir()) == before


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("run --foo", "oidl run"),
        ("export --min-visible=x", "oidl export"),
        ("annotations load --seed=x", "oidl annotations load"),
    ],
)
def test_the_hint_names_the_help_of_the_command_that_was_typed(oidl, typed: str, hint: str) -> None:
    ended = oidl(*typed.split())
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[1] == f"  `{hint} --help` lists the options"


def test_help_that_nobody_reads_on_is_no_failure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", "import sys; from oidl.cli.app import main; sys.exit(main())", "run", "--help"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")
