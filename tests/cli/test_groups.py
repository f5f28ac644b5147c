"""Options by section: a class has a section, an option may have another, and `--help` shows them in order."""

from dataclasses import dataclass
from typing import Annotated, get_args, get_type_hints

import pytest
from cyclopts import Parameter

from oidl.cli.options.groups import LIMITS, OUTPUT, PATHS, SECTIONS, in_section


def test_an_option_is_of_its_class_section_unless_it_says_another() -> None:
    @dataclass(frozen=True, kw_only=True)
    @in_section(PATHS)
    class Own:
        plain: int = 1
        with_parameter: Annotated[str, Parameter(show_default=False)] = ""
        elsewhere: Annotated[bool, Parameter(group=OUTPUT)] = False

    @dataclass(frozen=True, kw_only=True)
    @in_section(LIMITS)
    class Derived(Own):
        more: float = 0.0

    assert Derived(plain=3) == Derived(plain=3, with_parameter="", elsewhere=False, more=0.0)
    hints = get_type_hints(Derived, include_extras=True)
    groups = {name: [part.group for part in get_args(kind)[1:] if part.group] for name, kind in hints.items()}
    assert groups == {
        "plain": [(PATHS,)],
        "with_parameter": [(PATHS,)],
        "elsewhere": [(OUTPUT,)],
        "more": [(LIMITS,)],
    }
    assert [get_args(kind)[0] for kind in hints.values()] == [int, str, bool, float]


@pytest.mark.parametrize(
    ("command", "titles"),
    [
        ("run", [section.name for section in SECTIONS]),
        ("export", ["Paths", "Choosing images", "Output"]),
        ("export-csv", ["Paths", "Choosing images", "Output"]),
        ("annotations load", ["Arguments", "Paths", "What to download", "Choosing images", "Limits of the run"]),
    ],
)
def test_help_reads_in_sections(command: str, titles: list[str], oidl) -> None:
    ended = oidl(*command.split(), "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.strip("╭─╮ ") for line in ended.stdout.splitlines() if line.startswith("╭")] == titles
