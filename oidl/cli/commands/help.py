"""`oidl help`: the pages of the manual, single entries of them, and the options of a command.

The pages are Markdown, 80 characters wide, which needs no rendering. Most are in `oidl/manual`; three are the READMEs
of a folder. A wheel has these inside the package, a checkout outside of it.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from oidl.errors import UsageError
from oidl.text import nearest, suggestion

PAGES = (
    "start", "jobs", "choosing", "versions", "sources", "renditions", "annotations", "exports", "shards", "licenses",
    "cluster",
    "plan", "stopping", "failures", "verifying", "watching", "web", "report", "settings", "network", "python", "schema",
    "json", "exit-codes", "options", "limits", "figures", "architecture",
)  # fmt: skip
"""The pages in the order in which they are listed and can be read."""

_ELSEWHERE = {"schema": "migrations/README.md", "figures": "bench/README.md", "architecture": "oidl/README.md"}

ENTRIES = {"reason": "failures", "exit-code": "exit-codes", "option": "options", "finding": "verifying"}
"""The kinds of entries that can be shown one by one, and their pages: items of a list that begin with names."""

_REFERENCE = frozenset({"schema", "json", "options", "figures", "architecture"})
"""The pages that mention almost everything."""

_ITEM = re.compile(r"^- ((?:`[^`]+`(?:, )?)+):.*\n(?:  .*\n)*", re.MULTILINE)

_ABOUT = "A page of the manual, a command, or an entry: `reason forbidden`, `exit-code 3`, `option limit`."


def help_(*words: Annotated[str, Parameter(help=_ABOUT, allow_leading_hyphen=True)]) -> None:
    """Shows the list of pages, one of them, an entry, or the options of a command."""
    from oidl.cli.app import app

    typed = [word.lower() for word in words]
    typed = [ENTRIES.get(typed[0], typed[0])] if len(typed) == 1 else typed
    is_page, is_command = len(typed) == 1 and typed[0] in PAGES, bool(typed) and _is_command(app, typed)
    if not typed:
        show(_contents())
    elif len(typed) == 2 and typed[0] in ENTRIES:
        show(_entry(*typed))
    elif is_page:
        show(page(typed[0]) + (f"\n{_options(app, typed)}" if is_command else ""))
    elif is_command:
        app.help_print(typed)
    else:
        phrase = " ".join(typed)
        names = [*PAGES, *(name for name in app if not name.startswith("-"))]
        raise UsageError(f"there is no page {phrase!r} in the manual", hint=_where(phrase, names))


def page(name: str) -> str:
    """The text of a page, without the marks around what is generated."""
    package = Path(str(files("oidl")))
    path = _ELSEWHERE.get(name, f"oidl/manual/{name}.md")
    places = (package / path.removeprefix("oidl/"), package.parent / path)
    text = next(place for place in places if place.is_file()).read_text("utf-8")
    return re.sub(r"^<!-- .* -->\n+", "", text, flags=re.MULTILINE)


def entries(name: str) -> Iterator[tuple[list[str], str]]:
    """The names, without dashes, and the text of every item in the lists of a page that begins with names."""
    for found in _ITEM.finditer(page(name)):
        yield [each.removeprefix("--").lower() for each in re.findall("`([^`]+)`", found[1])], found[0]


def show(text: str) -> None:
    """Prints `text`, on a terminal through the user's pager."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        print(text, end="")
        return
    import pydoc  # slow

    os.environ.setdefault("LESS", "FRX")  # what fits on the screen is just printed
    pydoc.pager(text)


def _contents() -> str:
    width = max(map(len, PAGES))
    titles = "\n".join(f"  {name:<{width}}  {page(name).splitlines()[0].lstrip('# ')}" for name in PAGES)
    return f"""The manual. `oidl help PAGE` shows one of its pages:

{titles}

`oidl help COMMAND` lists the options of a command, `oidl --help` the commands.
Single entries: `oidl help reason forbidden`, `oidl help exit-code 3`,
`oidl help option limit`, `oidl help finding orphan`.
"""


def _entry(kind: str, name: str) -> str:
    found = [text for names, text in entries(ENTRIES[kind]) if name.removeprefix("--") in names]
    if not found:
        known = [each for names, _ in entries(ENTRIES[kind]) for each in names]
        raise UsageError(f"there is no {kind} {name!r}", hint=suggestion(name, known))
    return "\n".join(found)


def _is_command(app: App, words: Sequence[str]) -> bool:
    for word in words:
        if word.startswith("-") or word not in app:
            return False
        app = app[word]
    return True


def _options(app: App, words: Sequence[str]) -> str:
    with redirect_stdout(StringIO()) as printed:
        app.help_print(words)
    return printed.getvalue()


def _where(phrase: str, names: Sequence[str]) -> str:
    """The hint for `phrase`, which names no page: the pages that mention it most, or one with a similar name."""
    counts = {name: page(name).lower().count(phrase) for name in PAGES}
    ranked = sorted((name for name in PAGES if counts[name]), key=lambda name: (name in _REFERENCE, -counts[name]))
    if ranked:
        return f"it is mentioned in {', '.join(ranked[:5])}: try `oidl help {ranked[0]}`"
    close = nearest(phrase, names)
    return f"did you mean `oidl help {close[0]}`?" if close else "`oidl help` lists the pages"
