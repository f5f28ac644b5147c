"""The generated parts of the manual, in Markdown.

Options come from the same declarations as `--help`, and reasons from the retry table, so the manual always agrees with
the program. `python -m oidl.cli.reference` prints the parts. `--write` puts each into its page, between
`<!-- options -->` and `<!-- /options -->`, and a test fails if a page is out of date. Every line is an item of a list,
which reads well in a terminal: `oidl help` shows the pages as they are.
"""

import argparse
import inspect
import re
import textwrap
from functools import reduce
from pathlib import Path

from cyclopts import Argument, Group, Parameter

from oidl.cli.app import app
from oidl.cli.options.groups import SECTIONS
from oidl.cli.options.types import default_text
from oidl.model import NOTES, PACK, REDO, REMOVE, Problem, Reason
from oidl.pipeline.retry import RULES
from oidl.reasons import meaning
from oidl.report.verify import FAULTS

MANUAL = Path(__file__).parents[1] / "manual"

COMMANDS = (
    "run",
    "plan",
    "status",
    "export-csv",
    "export",
    "pack",
    "report",
    "web",
    "verify",
    "check-licenses",
    "renditions",
    "renditions remove",
    "annotations load",
    "catalogue",
    "demo",
)

_WIDTH = 80

# Reasons whose class depends on more than their row in the retry table.
_CLASSES = {
    Reason.CORRUPT: "retry; permanent if the MD5 is the published one",
    Reason.HTTP_ERROR: "202, 204, 408, 425, 5xx: retry; the rest: permanent after 3 spread tries",
    Reason.SIZE_MISMATCH: "permanent after 2 tries; after 3 spread tries if the answer is not an image",
    Reason.DISK: "stops the run, exit code 5",
}


def blocks() -> dict[str, dict[str, str]]:
    """The generated blocks by the names of their markers, for every page that has some."""
    return {
        "options": {"options": _options()},
        "failures": {"reasons": _reasons()},
        "verifying": {"findings": _findings()},
    }


def updated(page: str, text: str) -> str:
    """`text`, a page, with its generated blocks up to date. Raises `ValueError` if a marker is missing."""
    for name, block in blocks()[page].items():
        place = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        found = place.search(text)
        if not found:
            raise ValueError(f"there is no <!-- {name} --> … <!-- /{name} -->")
        text = f"{text[: found.end(1)]}\n{block}\n\n{text[found.start(2) :]}"
    return text


def _options() -> str:
    """The options of `oidl run` by section; for every other command the sections that it takes, and its own options."""
    groups: dict[str, list[Argument]] = {section.name: [] for section in SECTIONS}
    for argument in _arguments("run"):
        if section := _section(argument):
            groups[section.name].append(argument)
    parts = [f"## {name}\n\n{_items(arguments)}" for name, arguments in groups.items()]
    return "\n\n".join([*parts, *(_command(command, groups) for command in COMMANDS[1:])])


def _command(command: str, groups: dict[str, list[Argument]]) -> str:
    arguments = {argument.name: argument for argument in _arguments(command)}
    known = {argument.name: _item(argument) for group in groups.values() for argument in group}
    whole = {name: group for name, group in groups.items() if all(each.name in arguments for each in group)}
    in_whole = {argument.name for group in whole.values() for argument in group}
    own = [argument for argument in arguments.values() if known.get(argument.name) != _item(argument)]
    shared = [f"`{name}`" for name in arguments if name in known and name not in in_whole]
    shared = [name for name in shared if name.strip("`") not in {argument.name for argument in own}]
    taken = ", ".join([*(f"*{name}*" for name in whole), *shared])
    text = f"## `oidl {command}`"
    text += f"\n\n{textwrap.fill(f'Takes {taken}.', _WIDTH, break_on_hyphens=False)}" if taken else ""
    return text + (f"\n\n{_items(own)}" if own else "")


def _arguments(command: str) -> list[Argument]:
    no_negatives = Parameter(negative=())
    found = reduce(lambda above, word: above[word], command.split(), app)
    arguments = found.assemble_argument_collection(default_parameter=no_negatives, parse_docstring=True)
    return [argument for argument in arguments if argument.show]


def _section(argument: Argument) -> Group | None:
    groups = argument.parameter.group
    return next((section for section in SECTIONS if isinstance(groups, tuple) and section in groups), None)


def _items(arguments: list[Argument]) -> str:
    return "\n".join(map(_item, arguments))


def _item(argument: Argument) -> str:
    default = _default(argument)
    meaning = argument.parameter.help or ""
    return _filled(f"- `{argument.name}`: {meaning}" + (f" Default: {default}." if default else ""))


def _default(argument: Argument) -> str:
    value, show = argument.field_info.default, argument.parameter.show_default
    if show is False or value is inspect.Parameter.empty:
        return ""
    text = (show if callable(show) else default_text)(value)
    return f"`{text}`" if text and text != "on" else text or ""


def _reasons() -> str:
    return "\n".join(f"{_filled(f'- `{reason}`: {meaning(reason)}')}\n  → {_class(reason)}" for reason in Reason)


def _class(reason: Reason) -> str:
    rule = RULES[reason]
    if reason in _CLASSES:
        return _CLASSES[reason]
    if not rule.counts:
        return "retry; never counts against the image"
    if rule.is_of_path:
        return f"permanent after {rule.tries} spread tries"
    return {0: "retry", 1: "permanent"}.get(rule.tries, f"permanent after {rule.tries} tries")


def _findings() -> str:
    return "\n".join(
        f"{_filled(f'- `{fault}`: {FAULTS[fault]}')}\n{_filled(f'  → {_remedy(fault)}')}" for fault in Problem
    )


def _remedy(fault: Problem) -> str:
    if fault is Problem.WRONG_SHARD:
        return "the next run copies its images to a new one; those that are damaged are done again"
    if fault in PACK:
        return "it is made again by the next pack with the same options"
    if fault in REDO:
        return "the image is done again by the next run"
    if fault in REMOVE:
        return "the file is removed"
    return "left as it is; not counted as a problem" if fault in NOTES else "left as it is"


def _filled(text: str) -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def main() -> None:
    """Prints the blocks, or writes them into their pages."""
    parser = argparse.ArgumentParser(prog="python -m oidl.cli.reference", description="The manual's generated parts.")
    parser.add_argument("--write", action="store_true", help="put them into the pages instead of printing them")
    if parser.parse_args().write:
        for page in blocks():
            path = MANUAL / f"{page}.md"
            path.write_text(updated(page, path.read_text("utf-8")), "utf-8")
    else:
        print("\n\n".join(block for each in blocks().values() for block in each.values()))


if __name__ == "__main__":
    main()
