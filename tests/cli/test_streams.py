"""Standard streams that are closed, full or without a reader: every command ends with the exit code of its work."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

_HEADER = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,"
    "Author,Title,OriginalSize,OriginalMD5,Thumbnail300KURL\n"
)
_LIST = _HEADER + "".join(
    f'{number:016x},train,http://127.0.0.1:9/{number}.gif,l,c,p,"a","t",42,OFhG08PuDWAtJ3hkgDLXxw==,\n'
    for number in range(3)
)
_RUN = (
    "run",
    "--images-csv=list.csv",
    "--dataset-version=3",
    "--nodownload-metadata",
    "--max-wait=0",
    "--root-dir=root",
)
_COMMANDS = (
    (*_RUN, "--log-file=/dev/full"),
    (*_RUN, "--progress=json", "--metrics-file=oidl.prom"),
    (*_RUN, "--dry-run"),
    ("status", "--root-dir=root"),
    ("status", "--root-dir=root", "--failures"),
    ("verify", "--root-dir=root"),
    ("export-csv", "--root-dir=root"),
    ("export", "--root-dir=root"),
    ("report", "--root-dir=root", "--out=report.html"),
    ("report", "--root-dir=root", "--out=/dev/stdout"),
    ("annotations", "load", "--root-dir=root", "--dataset-version=3", "nothing.csv"),
    ("catalogue",),
    ("status", "--root-dir=nowhere"),
    ("frobnicate",),
    ("run", "--help"),
    (),
)
_REDIRECTIONS = ("none", "1 closed", "2 closed", "1 full", "12 full", "1 unread", "2 unread")

# Every command by every redirection, in one process; what is not redirected goes to a file.
_DRIVER = """
import json, os, sys
from oidl.cli import main

commands, redirections = json.load(sys.stdin)
results = os.dup(1)

def closed():
    return None

def full():
    return os.open("/dev/full", os.O_WRONLY)

def unread():
    reader, writer = os.pipe()
    os.close(reader)
    return writer

def redirect(number, kind):
    fd = kind()
    os.close(number)
    if fd is not None:
        assert os.dup2(fd, number) == number
        os.close(fd)
    stream = None if fd is None else open(number, "w", closefd=False, buffering=1)
    setattr(sys, {1: "stdout", 2: "stderr"}[number], stream)

found = []
for redirection in redirections:
    where, _, kind = redirection.partition(" ")
    for command in commands:
        said = os.open("said.txt", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        for number in (1, 2):
            redirect(number, globals()[kind] if str(number) in where else lambda: os.dup(said))
        code = main(command)
        with open("said.txt") as file:
            found.append((redirection, command, code, file.read()))
        os.close(said)
os.write(results, json.dumps(found).encode())
os._exit(0)
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a list of images that no server has, and a database of them with one failure."""
    cwd = tmp_path_factory.mktemp("streams")
    (cwd / "list.csv").write_text(_LIST)
    assert _process(cwd, *_RUN).returncode == 3
    with sqlite3.connect(cwd / "root/oidl.sqlite3") as db:
        db.execute(
            "UPDATE download SET status = 'failed', reason = 'not_found', detail = 'HTTP 404' || char(27) || '[2J', "
            "next_attempt_at = NULL WHERE image_id = '0000000000000001'"
        )
    db.close()
    return cwd


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("OIDL_", "PYTHONUNBUFFERED"))}


def _process(cwd: Path, *arguments: str, shell: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "oidl", *arguments]
    if shell:
        command = ["bash", "-c", f'"$0" "$@" {shell}', *command]
    return subprocess.run(
        command, cwd=cwd, env=_environment(), capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def ended(directory: Path) -> dict[tuple[str, tuple[str, ...]], tuple[int, str]]:
    """The exit code, and what arrived, of every command by every redirection."""
    driver = subprocess.run(
        [sys.executable, "-c", _DRIVER],
        cwd=directory,
        env=_environment(),
        input=json.dumps([_COMMANDS, _REDIRECTIONS]),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return {(where, tuple(command)): (code, said) for where, command, code, said in json.loads(driver.stdout)}


def test_the_exit_code_of_every_command_is_that_of_its_work(ended) -> None:
    assert {code for (redirection, _), (code, _) in ended.items() if redirection == "none"} >= {0, 2, 3}
    for (redirection, command), (code, said) in ended.items():
        due, _ = ended["none", command]
        if "--out=/dev/stdout" in command and redirection in ("1 full", "12 full"):
            due = 5  # the report itself could not be written
        assert code == due, (redirection, command, said)
        assert "Traceback" not in said
        assert "Logging error" not in said
        assert "\x1b" not in said
    _, said = ended["1 full", ("catalogue",)]
    assert said == "oidl: the rest of stdout is lost: No space left on device\n"
    _, said = ended["none", (*_RUN, "--log-file=/dev/full")]
    assert said.count("the rest of the log is lost: the log file cannot be written: No space left on device") == 1


@pytest.mark.parametrize("shell", [">/dev/full", ">&-", "2>&-", "| true; exit ${PIPESTATUS[0]}"])
def test_the_end_of_the_process_changes_no_exit_code(directory: Path, shell: str) -> None:
    """What Python itself writes out at its end once made it exit with 120."""
    ended = _process(directory, *_RUN, shell=shell)
    assert ended.returncode == 3
    assert "Traceback" not in ended.stdout + ended.stderr


def test_what_verify_finds_is_in_the_exit_code_though_only_one_line_is_read(fine, run, oidl, root: Path) -> None:
    run(fine, "--nodownload-metadata")
    for path in root.rglob("*.jpg"):
        path.unlink()
    ended = _process(oidl.cwd, "verify", f"--root-dir={root}", shell="| head -1; exit ${PIPESTATUS[0]}")
    assert (ended.returncode, ended.stderr) == (3, "")
    assert ended.stdout.count("\n") == 1


def test_a_run_does_not_wait_for_a_pipe_that_nobody_reads(directory: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, bytes(65_536))
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    process = subprocess.Popen(
        [sys.executable, "-m", "oidl", *_RUN],
        cwd=directory,
        env=_environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    assert (process.communicate(timeout=120)[1], process.returncode) == (b"", 3)
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_text_that_the_terminal_has_no_letters_for_is_escaped(directory: Path, oidl, encoding: str) -> None:
    with sqlite3.connect(directory / "root/oidl.sqlite3") as db:
        db.execute("UPDATE download SET url = 'http://127.0.0.1/写真.gif' WHERE status = 'failed'")
        db.execute("UPDATE image SET original_url = 'http://127.0.0.1/写真.gif' WHERE image_id = '0000000000000001'")
    db.close()
    env = {"PYTHONIOENCODING": encoding}
    ended = oidl.process("status", f"--root-dir={directory}/root", "--failures", env=env)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("train\t0000000000000001\tnot_found\t")
    assert "\\u5199\\u771f.gif" in ended.stdout
    assert oidl.process("run", "--help", env=env).returncode == 0
