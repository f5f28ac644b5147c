"""Plain modern English in everything that people read: docstrings, comments, messages, pages, SQL.

The list is of phrases that made readers stop: they are translated from another language, or out of use. Say it
otherwise; do not add an exception.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BANNED = {
    r"\bwho(so)?ever\b": "name the actor",
    r"\b(nobody|somebody|anybody)\b": "name the actor",
    r"\bin hand\b": "in progress, in flight",
    r"\blets? go of\b|\bletting go of\b": "releases, drops",
    r"\b(gone|goes|going|go) on with\b(?! the plan)": "continue, resume",
    r"\bfor want of\b": "without",
    r"\bbe it\b": "whether",
    r"\banew\b": "again",
    r"\b(is|are|was|were) to be\b": "must, should, will",
    r"\bone's own\b": "the user's own",
    r"\bof late\b": "recent",
    r"\bcame to be\b|\bcame to something\b": "say what happened",
    r"\bis told (of|how|what|when|that|why)\b|\bare told (of|how|what|when|that|why)\b": "receives, is called with",
    r"\bhas not got\b": "lacks",
    r"\bset aside\b": "left alone, unreachable",
    r"\blent\b": "acquired, leased",
    r"\bas it stands\b|\bas they stand\b": "unchanged, as published",
    r"\bstands? in place\b": "is in place",
    r"\bthe like\b": "and similar",
    r"\bbeside (it|them)\b": "next to, in addition to",
    r"\bmend (the|your) permissions\b": "fix the permissions",
    r"\bmake room\b": "free some space",
    r"\bname another\b": "choose another",
    r"\ball is well\b": "no problems found",
    r"\bin vain\b": "without result",
    r"\bof its own accord\b": "by itself",
    r"\bsave (for|that)\b": "except",
    r"\bbrought up to date\b.*\bbring": "updated",
    r"\bwhence\b|\bthence\b|\bhence\b|\bthereof\b|\bwherein\b|\btherein\b": "from where, so, in which",
    r"\bought to\b|\bshall\b": "should, must",
    r"\bit is not known\b": "say who does not know it",
    r"\b(goes|went|gone) on\b": "continues, resumes",
    r"\bputs? right\b|\bput it right\b": "corrects, repairs",
    r"\bhas no place for\b": "cannot contain",
    r"\bis none of its\b": "is not one of its",
    r"\bfail(s|ed|ing)? alike\b": "fail for one reason",
    r"\bmade-up\b": "generated",
    r"\bmet on the disk\b": "found on the disk",
    r"--[a-z-]+ is about\b": "requires, applies only to",
}
_PATTERN = re.compile("|".join(f"(?:{phrase})" for phrase in BANNED), re.IGNORECASE)
_SUFFIXES = (".md", ".sql", ".js", ".toml")
_SKIPPED = ("uv.lock",)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and prose of a file; of Python only strings and comments."""
    source = path.read_text("utf-8")
    if path.suffix != ".py":
        yield 1, source
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            yield token.start[0], token.string


def files() -> list[Path]:
    found = [path for path in (ROOT / "oidl").rglob("*") if path.suffix in (".py", *_SUFFIXES)]
    found += [path for path in ROOT.glob("*") if path.suffix in _SUFFIXES and path.name not in _SKIPPED]
    for directory in ("bench", ".github"):
        found += [path for path in (ROOT / directory).rglob("*") if path.suffix in (".py", *_SUFFIXES)]
    return sorted(found)


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_it_is_plain_english(path: Path) -> None:
    found = []
    for line, text in texts(path):
        unfolded = re.sub(r"\s*\n\s*(?:#|--|//|\*)?\s*", " ", text)
        found += [
            f"line {line}: {match.group()!r} in {unfolded[max(0, match.start() - 40) : match.end() + 40]!r}"
            for match in _PATTERN.finditer(unfolded)
        ]
    assert found == []
