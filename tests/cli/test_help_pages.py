"""`oidl help`: the list of pages, a page, one entry of it, the options of a command, and suggestions after a typo."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import manual

from oidl.cli.commands.help import PAGES, page


def test_alone_it_lists_the_pages_with_their_titles(oidl: Any) -> None:
    ended = oidl("help")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    listed = [line.split(maxsplit=1) for line in lines if line.startswith("  ")]
    assert [name for name, _ in listed] == list(PAGES)
    assert dict(listed)["sources"] == page("sources").splitlines()[0].removeprefix("# ")


@pytest.mark.parametrize("name", ["sources", "schema", "figures", "architecture", "exit-codes"])
def test_a_page_is_printed_as_it_is(name: str, oidl: Any) -> None:
    ended = oidl("help", name)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, page(name), "")


@pytest.mark.parametrize("command", ["run", "status", "export-csv", "renditions remove", "annotations load"])
def test_of_a_command_it_shows_the_options(command: str, oidl: Any) -> None:
    assert oidl("help", *command.split()).stdout == oidl(*command.split(), "--help").stdout


@pytest.mark.parametrize("name", ["web", "report", "plan", "renditions", "annotations"])
def test_a_page_about_a_command_is_followed_by_its_options(name: str, oidl: Any) -> None:
    assert oidl("help", name).stdout == f"{manual(name)}\n{oidl(name, '--help').stdout}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("reason forbidden", "- `forbidden`: the photo is no longer public (403)\n"),
        ("reason FORBIDDEN", "- `forbidden`: the photo is no longer public (403)\n"),
        ("exit-code 5", "- `5`: a file could not be written"),
        ("option max-rps", "- `--max-rps`: "),
        ("option --max-rps", "- `--max-rps`: "),
        ("finding orphan", "- `orphan`: "),
    ],
)
def test_an_entry_is_printed_alone(words: str, said: str, oidl: Any) -> None:
    ended = oidl("help", *words.split())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(said)
    assert ended.stdout.count("\n- ") == 0


def test_an_option_of_several_commands_has_several_entries(oidl: Any) -> None:
    assert oidl("help", "option", "json").stdout.count("- `--json`: ") == 3


@pytest.mark.parametrize(("word", "name"), [("reason", "failures"), ("exit-code", "exit-codes"), ("option", "options")])
def test_a_kind_of_entry_alone_is_the_page_that_has_them(word: str, name: str, oidl: Any) -> None:
    assert oidl("help", word).stdout == page(name)


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ("sorces", "there is no page 'sorces' in the manual", "did you mean `oidl help sources`?"),
        ("statsu", "there is no page 'statsu' in the manual", "did you mean `oidl help status`?"),
        (
            "keras",
            "there is no page 'keras' in the manual",
            "it is mentioned in exports: try `oidl help exports`",
        ),
        ("xyzzy", "there is no page 'xyzzy' in the manual", "`oidl help` lists the pages"),
        ("run fast", "there is no page 'run fast' in the manual", "`oidl help` lists the pages"),
        ("reason forbiden", "there is no reason 'forbiden'", "did you mean forbidden?"),
        ("exit-code 7", "there is no exit-code '7'", "choose from 0, 1, 2, 3, 4, 5, 6, 130"),
    ],
)
def test_what_is_not_there_is_an_error_with_what_is_near(words: str, error: str, hint: str, oidl: Any) -> None:
    ended = oidl("help", *words.split())
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"oidl: {error}\n  {hint}\n"


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("ultralytics", "jobs"), ("hierarchy", "choosing"), ("image-ids", "choosing"), ("shuffle", "choosing"),
        ("images-csv", "versions"), ("skipped_row", "versions"), ("narratives", "versions"), ("cvdf", "sources"),
        ("thumbnail", "sources"), ("exif", "renditions"), ("libjpeg-turbo", "renditions"), ("croissant", "exports"),
        ("fiftyone", "exports"), ("attribution", "exports"), ("new-plan", "plan"), ("ctrl-c", "stopping"),
        ("power", "stopping"), ("retry-after", "failures"), ("spread", "failures"), ("md5", "verifying"),
        ("prometheus", "json"), ("notebook", "watching"), ("tunnel", "web"), ("proxy", "network"),
        ("certificates", "network"), ("flickr", "network"), ("pytorch", "python"), ("views", "schema"),
        ("windows", "limits"), ("memory", "figures"), ("nursery", "architecture"), ("taskset", "settings"),
    ],
)  # fmt: skip
def test_what_the_manual_is_about_is_found_by_its_word(topic: str, name: str, oidl: Any) -> None:
    assert name in re.findall(r"[a-z-]+", oidl("help", topic).stderr.partition("mentioned in")[2])


def test_the_marks_of_generated_parts_are_not_shown(oidl: Any) -> None:
    assert "<!-- reasons -->" in manual("failures")
    assert "<!--" not in oidl("help", "failures").stdout


def test_help_is_there_whatever_is_set(oidl: Any) -> None:
    (oidl.cwd / "oidl.toml").write_text("nonsense")
    assert oidl("help", "limits", env={"OIDL_LIMT": "1"}).stdout == manual("limits")


def test_on_a_terminal_it_goes_through_the_pager(tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {tmp_path / 'shown'}\n")
    pager.chmod(0o755)
    manager, terminal = pty.openpty()
    environment = {**os.environ, "PAGER": str(pager), "TERM": "xterm"}
    environment.pop("MANPAGER", None)
    subprocess.run(
        [sys.executable, "-m", "oidl", "help", "sources"],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        env=environment,
        check=True,
    )
    os.close(terminal)
    os.close(manager)
    assert (tmp_path / "shown").read_text("utf-8") == manual("sources")
