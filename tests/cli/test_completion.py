"""`oidl --install-completion` writes a script that completes command lines, and prints its path."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

_TRY = """
. "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_oidl; printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of its own."""
    for name in ("ZSH", "ZSH_CUSTOM", "ZSH_VERSION", "BASH_VERSION", "FISH_VERSION"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    return path


def test_bash_completes_commands_options_and_the_values_that_are_typed(oidl: Any, home: Path) -> None:
    ended = oidl("--install-completion", "--shell", "bash")
    script = home / ".local/share/bash-completion/completions/oidl"
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        f"wrote {script}\nadded a line to {home}/.bashrc that loads it\nopen a new shell to use it\n"
    )
    assert f'. "{script}"' in (home / ".bashrc").read_text()

    def completed(*typed: str) -> list[str]:
        command = ["bash", "-c", _TRY, "bash", str(script), "oidl", *typed]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert {"run", "status", "annotations"} <= set(completed(""))
    assert completed("annotations", "") == ["load"]
    assert "--resize-box-size" in completed("run", "--resize")
    assert completed("run", "--resize-mode", "Fi") == ["FillCrop", "FillDistort"]
    assert {"300k", "cvdf"} <= set(completed("run", "--source", ""))
    assert completed("run", "--retry-failed", "not") == ["not_found", "not_an_image"]


def test_what_was_said_the_first_time_is_not_added_again(oidl: Any, home: Path) -> None:
    oidl("--install-completion", "--shell=bash")
    before = (home / ".bashrc").read_text()
    assert "added" not in oidl("--install-completion", "--shell=bash").stdout
    assert (home / ".bashrc").read_text() == before


@pytest.mark.parametrize(
    ("shell", "script", "said"),
    [
        ("zsh", ".zsh/completions/_cyclopts_oidl", "compinit"),
        ("fish", ".config/fish/completions/oidl.fish", "open a new shell to use it"),
    ],
)
def test_other_shells_have_their_scripts_too(shell: str, script: str, said: str, oidl: Any, home: Path) -> None:
    ended = oidl("--install-completion", f"--shell={shell}")
    assert f"wrote {home / script}\n" in ended.stdout
    assert said in ended.stdout
    assert "retry-failed" in (home / script).read_text()


def test_a_shell_that_there_is_no_script_for_is_refused(oidl: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = oidl("--install-completion", "--shell=tcsh")
    assert ended.returncode == 2
    assert ended.stderr == "oidl: --shell cannot be 'tcsh'\n  choose from bash, zsh, fish\n"
    monkeypatch.setattr("oidl.cli.completion.detect_shell", lambda: "powershell")
    ended = oidl("--install-completion")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "choose one with --shell: bash, zsh, fish" in ended.stderr
    assert not list(home.iterdir())


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_is_printed(flag: str, oidl: Any) -> None:
    from oidl import __version__

    ended = oidl(flag)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{__version__}\n", "")
