"""Commands in messages: about the user's root, and written in one place."""

import ast
import re
import tomllib
from contextvars import copy_context
from pathlib import Path

import pytest

from oidl.cli.app import app
from oidl.cli.reference import COMMANDS
from oidl.hints import command, command_line, install, note_root

PACKAGE = Path(__file__).parents[1] / "oidl"
_WITH_A_ROOT = [name for name in (*COMMANDS, "plan") if name not in ("demo", "catalogue")]
_TYPED = re.compile(rf"\boidl ({'|'.join(map(re.escape, _WITH_A_ROOT))})\b(?! (--root-dir|--help|\[OPTIONS\]))")


def _texts(tree: ast.AST) -> list[ast.Constant]:
    """The texts of a module that people may be shown: not docstrings, and not help, which is about no root."""
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    silent |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "help"}
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent
    ]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in sorted(PACKAGE.rglob("*.py"))])
def test_no_message_spells_a_command_that_has_a_root_by_itself(path: Path) -> None:
    if path.stem == "command_help":
        return
    tree = ast.parse(path.read_text("utf-8"))
    found = [f"{node.lineno}: {node.value}" for node in _texts(tree) if _TYPED.search(node.value)]
    assert not found, "use `oidl.hints.command`, which names the root"


@pytest.mark.parametrize("name", _WITH_A_ROOT)
def test_the_options_that_are_written_are_options_of_every_command(name: str) -> None:
    found = app
    for word in name.split():
        found = found[word]
    assert {"--root-dir", "--state-db"} <= {argument.name for argument in found.assemble_argument_collection()}


def _written(root_dir: Path | None, state_db: Path | None, *words: str) -> str:
    def write() -> str:
        note_root(root_dir, state_db)
        return command(*words)

    return copy_context().run(write)


def test_a_command_is_about_the_root_at_hand() -> None:
    assert _written(None, None, "status") == "`oidl status`"
    assert _written(Path("my cats"), None, "run", "--limit 0") == "`oidl run --root-dir 'my cats' --limit 0`"
    assert _written(Path("cats"), Path("/db"), "renditions remove", "small") == (
        "`oidl renditions remove --root-dir cats --state-db /db small`"
    )
    assert _written(Path("cats"), None, "catalogue") == "`oidl catalogue`"
    assert command_line("plan", root_dir=Path("dogs")) == "oidl plan --root-dir dogs"


def test_every_extra_is_installed_by_the_same_words() -> None:
    with open(PACKAGE.parent / "pyproject.toml", "rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    sources = {path: path.read_text("utf-8") for path in PACKAGE.rglob("*.py") if path.name != "hints.py"}
    named = {name for text in sources.values() for name in re.findall(r'install\("([a-z]+)"\)', text)}
    assert named == extras.keys()
    assert install("web") == "install it with `pip install 'oidl[web]'`"
    assert not [path for path, text in sources.items() if "pip install" in text]
