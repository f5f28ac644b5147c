"""Lists have one syntax everywhere: commas, repetition or both, in flags, environment and file."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from typed import options

from oidl.cli.config import Environment, config_file
from oidl.cli.options.lists import join_list, split_list
from oidl.cli.options.run import RunOptions
from oidl.cli.options.types import check_values
from oidl.cli.planning import plan_line, plan_of
from oidl.model import FileKind, LabelType, Reason

_LISTS = {
    "subset": ("validation", "test"),
    "source": ("original", "cvdf"),
    "annotations": (FileKind.BOXES, FileKind.MACHINE_LABELS),
    "classes": ("Polar bear", "/m/01yrx"),
    "label_types": (LabelType.BOXES, LabelType.LABELS),
    "attributes": ("IsGroupOf=0", "IsOccluded=-1"),
    "retry_failed": (Reason.FORBIDDEN, Reason.MD5_MISMATCH),
}


@pytest.fixture
def parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The options of `oidl run` with `tokens`, where `oidl.toml` has `text`."""
    monkeypatch.chdir(tmp_path)

    def parse(*tokens: str, text: str = "", command: str = "run") -> Any:
        Path("oidl.toml").write_text(text, "utf-8")
        return options([command, *tokens], (Environment(), *config_file(tokens), check_values))

    return parse


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f'"{value}"' for value in values)


@pytest.mark.parametrize("option", _LISTS)
def test_commas_and_repetition_are_the_same_everywhere(
    option: str, parsed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    flag, expected = f"--{option.replace('_', '-')}", _LISTS[option]
    one, other = expected
    for tokens in (
        (f"{flag}={one},{other}",),
        (flag, f" {one} ,  {other},"),
        (flag, one, flag, other),
        (f"{flag}={one}", f"{flag}={other},{one}"),
    ):
        assert getattr(parsed(*tokens), option) == expected
    for text in (f'"{one}, {other}"', f"[{_quoted(expected)}]"):
        assert getattr(parsed(text=f"{option} = {text}"), option) == expected
    monkeypatch.setenv(f"OIDL_{option.upper()}", f"{one},{other}")
    assert getattr(parsed(), option) == expected


@pytest.mark.parametrize("option", [option for option in _LISTS if option != "retry_failed"])
def test_an_empty_list_in_the_file_is_as_good_as_none(option: str, parsed: Callable[..., Any]) -> None:
    assert getattr(parsed(text=f"{option} = []"), option) == ()


@pytest.mark.parametrize(
    ("tokens", "text", "env"),
    [
        (["--retry-failed"], "", ""),
        (["--retry-failed", "--limit=3"], "", ""),
        (["--retry-failed=all"], "", ""),
        (["--retry-failed", "gone,all"], "", ""),
        ([], 'retry-failed = "all"', ""),
        ([], "retry-failed = []", ""),
        ([], "", "all"),
        (["--retry-failed"], 'retry-failed = "gone"', "forbidden"),
    ],
)
def test_all_failures_are_retried_without_a_reason(
    tokens: list[str], text: str, env: str, parsed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDL_RETRY_FAILED", env)
    assert parsed(*tokens, text=text).retry_failed == ()


def test_all_licences_undo_those_that_other_sources_name(parsed: Callable[..., Any]) -> None:
    assert parsed("--license=all", text='license = "same"').license == ()


def test_none_is_retried_unless_it_is_asked_for(parsed: Callable[..., Any]) -> None:
    assert parsed().retry_failed is None


@pytest.mark.parametrize("text", ['"Ducks, geese and swans",Cat', "Cat", '"Say ""cheese""",a', "a,,b", ' "a" , b '])
def test_what_is_joined_is_split_into_the_same(text: str) -> None:
    items = list(split_list(text))
    assert list(split_list(join_list(items))) == items


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("run --subset tst --subset test", "--subset: there is no subset 'tst'\n  did you mean test?"),
        ("run --subset=xyz", "--subset: there is no subset 'xyz'\n  choose from train, validation, test"),
        ("run --source=orginal", "--source: there is no source 'orginal'\n  did you mean original?"),
        ("run --source=web", "--source: there is no source 'web'\n  choose from original, 300k, cvdf"),
        (
            "run --annotations=boxes,segmentation",
            "there is no kind of annotation 'segmentation'\n  did you mean segmentations?",
        ),
        ("run --label-types=boxes,box", "--label-types: there is no label type 'box'\n  did you mean boxes?"),
        ("run --retry-failed=not-found", "--retry-failed: there is no reason 'not-found'\n  did you mean not_found?"),
        ("run --retry-failed=qq", "--retry-failed: there is no reason 'qq'\n  choose from all, unavailable, "),
        ("run --resize-mode=fill", "--resize-mode cannot be 'fill'\n  did you mean FillCrop?"),
        ("run --subset=", "--subset is empty\n  write one or more, like validation,test, or leave it out"),
        ("run --classes , ", "--classes is empty\n  write one or more, like Cat,Dog, or leave it out"),
        ("run --retry-failed=", "--retry-failed is empty"),
        (
            "run --retry-failed forbidden md5_mismatch",
            "--retry-failed: items of a list are separated by commas, not by blanks\n"
            "  write --retry-failed forbidden,md5_mismatch",
        ),
    ],
)
def test_what_is_wrong_with_an_item_is_said_with_what_to_write(oidl: Any, typed: str, said: str) -> None:
    ended = oidl(*typed.split(" "))
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OIDL_SOURCE", "original cvdf", "--source: there is no source 'original cvdf'\n  write original,cvdf"),
        ("OIDL_SUBSET", "validation test", "there is no subset 'validation test'\n  write validation,test"),
        ("OIDL_RETRY_FAILED", "gone tls", "OIDL_RETRY_FAILED: there is no reason 'gone tls'\n  write gone,tls"),
    ],
)
def test_the_environment_separates_items_by_commas_too(oidl: Any, variable: str, value: str, said: str) -> None:
    ended = oidl("run", env={variable: value})
    assert ended.returncode == 2
    assert said in ended.stderr


def test_an_item_of_the_file_is_told_of_with_the_file(oidl: Any) -> None:
    (oidl.cwd / "oidl.toml").write_text('label-types = ["boxes", "boxen"]\n')
    ended = oidl("run")
    assert ended.stderr == "oidl: oidl.toml: label-types: there is no label type 'boxen'\n  did you mean boxes?\n"


def test_a_plan_is_shown_as_lists_that_can_be_typed(parsed: Callable[..., Any]) -> None:
    selected = parsed(
        "--classes", '"Ducks, geese and swans",Cat', "--subset=test", "--subset=train", "--rendition=box=9"
    )
    plan = plan_of(RunOptions.of(vars(selected)))
    assert plan["classes"] == ["Ducks, geese and swans", "Cat"]
    assert plan_line(plan) == ("--subset test,train --classes '\"Ducks, geese and swans\",Cat' --rendition box=9")
