"""The pages that people read, and their parts that can be checked: code, commands, lists, tables."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MANUAL = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "oidl/manual").glob("*.md"))
READMES = ("README.md", "oidl/README.md", "migrations/README.md", "bench/README.md", "tests/README.md")
_ITEM = re.compile(r"^- ((?:`[^`]+`(?:, |,\n  )?)+)[^:`\n]*: ?((?:.*\n)(?:  .*\n)*)", re.MULTILINE)
ALL = (*READMES, ".github/CONTRIBUTING.md", *MANUAL)


def read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def manual(name: str) -> str:
    return read(f"oidl/manual/{name}.md")


def section(text: str, title: str) -> str:
    """What is under the heading `title`, up to the next heading of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found, title
    return re.split(rf"^#{{1,{len(found[1])}}} ", text[found.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[str]:
    """The `oidl` commands in the blocks of shell code, with the variables before them."""
    shell = "\n".join(code_blocks(text, "sh")).replace(" \\\n    ", " ")
    return re.findall(r"^(?:until )?((?:OIDL_\S+ )*oidl [^;\n]+)", shell, re.MULTILINE)


def items(text: str) -> Iterator[tuple[list[str], str]]:
    """The names in code that begin an item of a list, and what follows the colon behind them, in one line."""
    for found in _ITEM.finditer(text + "\n"):
        yield words_in_code(found[1]), " ".join(found[2].split())


def table_rows(text: str) -> Iterator[list[str]]:
    """The cells of the rows of every table in `text`, headers included."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def words_in_code(text: str) -> list[str]:
    return re.findall("`([^`]+)`", text)
