"""The tables of the README that the program itself knows best, in Markdown.

Options come from the same declarations as `--help`, reasons from the retry
table, so neither can say anything else than what the program does. `python -m
oidl.cli.reference` prints the blocks, `--write README.md` puts each in its
place between `<!-- options -->` and `<!-- /options -->`, and a test holds the
README to it.
"""

import argparse
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from functools import reduce
from pathlib import Path

from cyclopts import Argument, ArgumentCollection, Group, Parameter

from oidl.cli.app import app
from oidl.cli.sections import SECTIONS
from oidl.model import REMARKS, TO_BE_DONE_AGAIN, TO_BE_REMOVED, Fault, Reason
from oidl.pipeline.retry import RULES
from oidl.reasons import meaning
from oidl.report.audit import FAULTS

COMMANDS = (
    "run",
    "status",
    "export-csv",
    "export",
    "report",
    "web",
    "verify",
    "renditions",
    "renditions remove",
    "annotations load",
    "catalogue",
    "demo",
)

_ORDER = (None, *SECTIONS)  # as `--help` has them

# Those whose class is more than their row in the retry table.
_CLASSES = {
    Reason.CORRUPT: "retry; permanent if the MD5 is the published one",
    Reason.HTTP_ERROR: "408, 425, 5xx: retry; the rest: permanent after 3 spread tries",
    Reason.SIZE_MISMATCH: "permanent after 2 tries; of what is no image, after 3 spread tries",
    Reason.DISK: "stops the run, exit code 5",
}


def blocks() -> dict[str, str]:
    """The generated blocks by the names of their markers."""
    options = "\n\n".join(_options(command) for command in COMMANDS)
    return {"options": options, "reasons": _reasons(), "faults": _faults()}


def updated(text: str) -> str:
    """`text` with every generated block as it is now. Raises `ValueError` where one has no place in it."""
    for name, block in blocks().items():
        place = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        found = place.search(text)
        if not found:
            raise ValueError(f"there is no <!-- {name} --> … <!-- /{name} -->")
        text = f"{text[: found.end(1)]}\n{block}\n\n{text[found.start(2) :]}"
    return text


def _options(command: str) -> str:
    rows = "\n".join(f"| {option} | {default} | {meaning} |" for option, default, meaning in _rows(command))
    return f"#### `oidl {command}`\n\n| option | default | meaning |\n|---|---|---|\n{rows}"


def _rows(command: str) -> Iterator[tuple[str, str, str]]:
    """The cells of a command's table: by sections, where it has more than one each under its title."""
    shown = [argument for argument in _arguments(command) if argument.show]
    sections = {section: [argument for argument in shown if _section(argument) is section] for section in _ORDER}
    is_titled = sum(map(bool, sections.values())) > 1 + bool(sections[None])
    for section, arguments in sections.items():
        if section and arguments and is_titled:
            yield f"**{section.name}**", "", ""
        for argument in arguments:
            yield f"`{argument.name}`", _default(argument.field_info.default), argument.parameter.help or ""


def _arguments(command: str) -> ArgumentCollection:
    no_negatives = Parameter(negative=())
    found = reduce(lambda above, word: above[word], command.split(), app)
    return found.assemble_argument_collection(default_parameter=no_negatives, parse_docstring=True)


def _section(argument: Argument) -> Group | None:
    groups = argument.parameter.group
    return next((section for section in SECTIONS if isinstance(groups, tuple) and section in groups), None)


def _default(value: object) -> str:
    match value:
        case None | () | "" | inspect.Parameter.empty:
            return ""
        case bool():
            return "on" if value else "off"
        case Enum():
            return f"`{value.value}`"
        case float():
            return f"`{value:g}`"
        case _:
            return f"`{value}`"


def _reasons() -> str:
    rows = "\n".join(f"| `{reason}` | {meaning(reason)} | {_class(reason)} |" for reason in Reason)
    return f"| reason | meaning | class |\n|---|---|---|\n{rows}"


def _class(reason: Reason) -> str:
    rule = RULES[reason]
    if reason in _CLASSES:
        return _CLASSES[reason]
    if not rule.counts:
        return "retry; never counts against the image"
    if rule.is_of_path:
        return f"permanent after {rule.tries} spread tries"
    return {0: "retry", 1: "permanent"}.get(rule.tries, f"permanent after {rule.tries} tries")


def _faults() -> str:
    rows = "\n".join(f"| `{fault}` | {FAULTS[fault]} | {_remedy(fault)} |" for fault in Fault)
    return f"| found | meaning | `--repair` |\n|---|---|---|\n{rows}"


def _remedy(fault: Fault) -> str:
    if fault in TO_BE_DONE_AGAIN:
        return "the image is done again by the next run"
    if fault in TO_BE_REMOVED:
        return "the file is removed"
    return "left as it is; not counted as a fault" if fault in REMARKS else "left as it is"


def main() -> None:
    """Prints the blocks, or writes them into a file."""
    parser = argparse.ArgumentParser(prog="python -m oidl.cli.reference", description="The README's generated tables.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put them into this file instead of printing them")
    file: Path | None = parser.parse_args().write
    if file:
        file.write_text(updated(file.read_text("utf-8")), "utf-8")
    else:
        print("\n\n".join(blocks().values()))


if __name__ == "__main__":
    main()
