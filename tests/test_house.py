"""The house rules: format, lint, types, which room may import what, and what tests may patch."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_PRIVATE_PATCH = re.compile(
    r"""
    \b(setattr|delattr|patch|object)\(\s*([\w.]+,\s*)?["']([\w.]*\.)?_[A-Za-z]  # by name, or by path
    | (?<!\bself)\._[A-Za-z]\w*(,[^=\n]+)?\ [-+*/|&]?=\ | \bdel\ [\w.]+\._[A-Za-z]  # by assignment
    """,
    re.VERBOSE,
)


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "ruff", "format", "--check", "."],
        ["-m", "ruff", "check", "."],
        ["-m", "mypy"],
        ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
    ],
    ids=["format", "lint", "types", "imports"],
)
def test_the_house_is_in_order(command: list[str]) -> None:
    checked = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_test_patches_a_private_name() -> None:
    """A test passes a parameter, a setting or a fake, or gives real input: a patch holds the code to its inside."""
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, patch.start()) + 1}: {patch[0]}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for text in [path.read_text("utf-8")]
        for patch in _PRIVATE_PATCH.finditer(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "is_private"),
    [
        ('monkeypatch.setattr(pages, "?", 2)', True),
        ('monkeypatch.setattr(\n    "oidl.pages.?", 2)', True),
        ('mock.patch.object(desk.meter, "?")', True),
        ("page.? = broken", True),
        ("page.? += 1", True),
        ("page.?, other = 1, 2", True),
        ("del page.?", True),
        ("self.? = 1", False),
        ("assert page.? == 1", False),
        ("seen = page.?", False),
    ],
)
def test_a_private_patch_is_recognised(line: str, is_private: bool) -> None:
    assert bool(_PRIVATE_PATCH.search(line.replace("?", "_size"))) == is_private
    assert not _PRIVATE_PATCH.search(line.replace("?", "size"))
