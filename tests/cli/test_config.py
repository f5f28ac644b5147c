"""Mistakes in the environment, a file or a path are refused in one sentence."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from oidl.cli.config import check_variables

_LONG = "x" * 300


def _no_overriding() -> None:
    """Takes from root what lets it pass all permissions, so that these count in a test that root runs."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


# ---- the command line


@pytest.mark.parametrize("typed", [(), ("--help",), ("annotations",), ("help", "run")])
def test_without_a_command_there_is_help(oidl, typed: tuple[str, ...]) -> None:
    ended = oidl(*typed)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Usage: oidl")


def test_help_can_come_before_the_command_or_after_it(oidl) -> None:
    shown = {oidl(*typed.split()).stdout for typed in ("help run", "--help run", "run --help")}
    assert len(shown) == 1
    assert shown.pop().startswith("Usage: oidl run")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("statsu", "there is no command `oidl statsu`\n  did you mean `oidl status`?\n"),
        ("annotations lod", "did you mean `oidl annotations load`?"),
        ("frobnicate", "there are run, plan, status,"),
    ],
)
def test_an_unknown_command_is_refused_with_the_nearest_one(oidl, typed: str, said: str) -> None:
    ended = oidl(*typed.split())
    assert ended.returncode == 2
    assert said in ended.stderr


def test_help_is_there_whatever_the_settings_are(oidl) -> None:
    (oidl.cwd / "oidl.toml").write_text("nonsense")
    assert oidl("run", "--help", env={"OIDL_LIMT": "1"}).returncode == 0


# ---- the environment


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("OIDL_LIMT", "use OIDL_LIMIT, or unset OIDL_LIMT"),
        ("OIDL_ROTDIR", "use OIDL_ROOT_DIR, or unset OIDL_ROTDIR"),
        ("OIDL_NO_RESIZE_IMAGES", "use OIDL_RESIZE_IMAGES=false"),
        ("OIDL_QQQQ", "use the options' names: OIDL_ROOT_DIR is --root-dir, or unset OIDL_QQQQ"),
    ],
)
@pytest.mark.parametrize("command", ["run", "status", "catalogue"])
def test_a_variable_that_is_no_option_is_refused(oidl, name: str, hint: str, command: str) -> None:
    ended = oidl(command, env={name: "1"})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"oidl: there is no variable {name}\n  {hint}\n"


@pytest.mark.parametrize(
    "name", ["OIDL_CONFIG", "OIDL_LIMIT", "OIDL_WITH_EMPTY", "OIDL_FIRST", "OIDL_ADDRESS", "OIDL_ALL"]
)
def test_options_of_every_command_are_known_to_all(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from oidl.cli.app import _COMMANDS, app

    monkeypatch.setenv(name, "1")
    check_variables(app, _COMMANDS)


@pytest.mark.parametrize(
    "name", ["OIDL_DATASET_VERSION", "OIDL_LIMIT", "OIDL_CONFIG", "OIDL_SUBSET", "OIDL_RESIZE_IMAGES", "OIDL_ROOT_DIR"]
)
def test_an_empty_variable_is_not_set(fine, run, oidl, root: Path, name: str) -> None:
    typed = ["run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", "--dry-run", "--no-download-images"]
    ended = oidl(*typed, env={name: ""})
    assert (ended.returncode, ended.stderr) == (0, "")


# ---- oidl.toml


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 100_000 + "]" * 100_000, "its values are nested too deeply"),
        ("limit = " + "9" * 5_000, "is not valid TOML"),
        ('root-dir = "a\\u0000b"', "root-dir has a NUL character"),
        ('subset = ["train", "a\\u0000b"]', "subset has a NUL character"),
        ("rot-dir = 1", "there is no option 'rot-dir'\n  use root-dir"),
    ],
    ids=["nested", "digits", "NUL", "NUL in a list", "misspelt"],
)
def test_a_file_that_makes_no_sense_is_refused_in_a_sentence(oidl, text: str, said: str) -> None:
    (oidl.cwd / "oidl.toml").write_text(text)
    ended = oidl("status")
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) <= 2


def test_a_catalogue_that_is_nested_too_deeply_is_refused_in_a_sentence(oidl) -> None:
    (oidl.cwd / "c.toml").write_text("a = " + "[" * 100_000 + "]" * 100_000)
    ended = oidl("catalogue", "--catalogue=c.toml")
    assert ended.returncode == 2
    assert "c.toml" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_byte_order_mark_is_passed_over(oidl) -> None:
    (oidl.cwd / "oidl.toml").write_text('root-dir = "there"\n', "utf-8-sig")
    assert f"no state database at {oidl.cwd}/there/oidl.sqlite3" in oidl("status").stderr


# ---- paths


@pytest.mark.parametrize("how", ["flag", "environment", "file"])
def test_a_tilde_is_the_home_directory(oidl, tmp_path: Path, how: str) -> None:
    env = {"HOME": str(tmp_path / "home")}
    if how == "file":
        (oidl.cwd / "oidl.toml").write_text('root-dir = "~/images"\n')
    typed = ["--root-dir=~/images"] if how == "flag" else []
    ended = oidl("status", *typed, env=env | ({"OIDL_ROOT_DIR": "~/images"} if how == "environment" else {}))
    assert f"no state database at {tmp_path}/home/images/oidl.sqlite3" in ended.stderr


@pytest.mark.parametrize(
    "option", ["--state-db", "--catalogue", "--images-csv", "--image-ids", "--original-images-dir", "--log-file"]
)
def test_it_is_so_in_every_option_that_is_a_path(oidl, option: str) -> None:
    ended = oidl("run", f"{option}=~nobody-of-that-name/x")
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"oidl: {option}: there is no user nobody-of-that-name\n")


@pytest.mark.parametrize(
    "typed",
    [
        f"run --root-dir={_LONG}",
        f"status --root-dir={_LONG}",
        f"status --state-db={_LONG}/x",
        f"run --images-csv={_LONG}",
        f"run --original-images-subdirectory={_LONG} --save-original-images",
        f"run --resized-images-subdirectory={_LONG}",
        f"run --rendition=name=a,box=9,dir={_LONG}",
        f"run --log-file={_LONG}",
        f"report --out={_LONG}",
        f"export-csv --dest={_LONG}",
        f"--config={_LONG} status",
    ],
    ids=lambda typed: typed.partition("=")[0],
)
def test_a_name_that_is_too_long_for_a_file_is_refused(oidl, typed: str) -> None:
    ended = oidl(*typed.split())
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert "too long" in ended.stderr
    assert not list(oidl.cwd.iterdir())


@pytest.mark.parametrize(
    "typed", ["run --root-dir=", "status --root-dir=", "status --state-db=", "run --log-file=", "export-csv --dest="]
)
def test_an_empty_path_is_refused_and_not_taken_for_the_working_directory(oidl, typed: str) -> None:
    ended = oidl(*typed.split())
    assert ended.returncode == 2
    assert f"{typed.split()[1].rstrip('=')} is empty" in ended.stderr
    assert not list(oidl.cwd.iterdir())


@pytest.mark.parametrize("command", ["run --images-csv=x.csv", "status", "verify", "report", "annotations load x.csv"])
def test_a_working_directory_that_was_removed_is_said(oidl, command: str) -> None:
    gone = oidl.cwd / "gone"
    gone.mkdir()
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys; os.rmdir(os.getcwd()); from oidl.cli import main; sys.exit(main())",
            *command.split(),
        ],
        cwd=gone,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "from the working directory, which was removed" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["run --images-csv=x.csv", "status", "annotations load x.csv"])
def test_a_working_directory_that_is_not_utf_8_is_said(oidl, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = os.fsdecode(os.fsencode(oidl.cwd) + b"/b\xffd")
    os.mkdir(odd)
    oidl.cwd = Path(odd)
    ended = oidl(*command.split())
    assert ended.returncode == 2
    assert "b\\xffd" in ended.stderr
    assert "is not UTF-8" in ended.stderr
    assert not os.listdir(odd)


@pytest.mark.parametrize("command", ["status", "verify", "verify --repair", "export-csv", "report", "export", "run"])
@pytest.mark.parametrize("closed", ["root", "images"])
def test_a_directory_without_permission_is_said_in_a_sentence(
    fine, run, oidl, root: Path, tmp_path: Path, command: str, closed: str
) -> None:
    run(fine, "--nodownload-metadata", "--limit=1")
    directory = root if closed == "root" else next(root.glob("2017_11/*/images-resized"))
    directory.chmod(0)
    more = [f"--catalogue={fine.catalogue}", "--nodownload-metadata"] if command == "run" else []
    ended = subprocess.run(
        [sys.executable, "-m", "oidl", *command.split(), f"--root-dir={root}", *more],
        cwd=oidl.cwd,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "no_proxy": "*"},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_no_overriding,
        timeout=60,
    )
    directory.chmod(0o755)
    assert "Traceback" not in ended.stderr
    if closed == "root" or command in ("verify", "verify --repair", "run"):
        assert ended.returncode == 5
        assert "Permission denied" in ended.stderr
        assert len(ended.stderr.splitlines()) == 2
    else:
        assert ended.returncode in (0, 2)


def test_a_disk_that_does_not_say_its_room_ends_in_a_sentence(fine, run, oidl, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: object) -> None:
        raise OSError(5, "Input/output error", os.fspath(path))  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", broken)
        ended = run(fine, "--nodownload-metadata")
    assert ended.returncode == 5
    assert "Input/output error\n  check the disk (dmesg)" in ended.stderr
    assert "Traceback" not in ended.stderr
