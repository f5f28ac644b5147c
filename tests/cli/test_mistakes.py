"""A command line that cannot be read gets an answer in our own words, with a correct example."""

from typing import Any

import pytest

from oidl.cli.mistakes import _OFTEN
from oidl.cli.options.run import OPTIONS


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        # options that there are not
        ("run --lmit 3", "there is no option --lmit\n  did you mean --limit?"),
        ("run --xyzzy", "there is no option --xyzzy\n  `oidl run --help` lists the options"),
        ("run --xyzzy=3", "there is no option --xyzzy\n"),
        ("run --Limit=3", "there is no option --Limit\n  write --limit"),
        ("run -limit 3", "there is no option -limit\n  write --limit"),
        ("run --workers 4", "there is no option --workers\n  it is called --processes here"),
        ("run -j 4", "there is no option -j\n  it is called --threads here"),
        ("run --max_samples=3", "there is no option --max_samples\n  it is called --limit here"),
        ("run --quiet", "there is no option --quiet\n  it is called --progress none here"),
        ("run --format coco", "there is no option --format\n  it is an option of `oidl export`"),
        ("status --classes Cat", "it is an option of `oidl run`, `oidl export-csv`, `oidl export`"),
        # words that belong to no option
        ("run surplus", "`oidl run` does not expect 'surplus'\n  options begin with --, like --root-dir"),
        ("run validation", "`oidl run` does not expect 'validation'\n  write --subset validation"),
        ("status validation", "`oidl status` does not expect 'validation'\n  options begin with --"),
        ("renditions rm", "`oidl renditions` does not expect 'rm'\n  there is `oidl renditions remove`"),
        ("run -s", "there is no option -s\n  `oidl run --help` lists the options"),
        ("run --empty-subset", "there is no option --empty-subset\n  did you mean --subset?"),
        ("run --shuffle x", "`oidl run` does not expect 'x'\n"),
        ("run -- x", "`oidl run` does not expect 'x'\n"),
        (
            "run --subset validation test --limit 3",
            "--subset: items of a list are separated by commas, not by blanks\n  write --subset validation,test",
        ),
        ("run --limit 3 --subset test train validation", "\n  write --subset test,train,validation"),
        ("run --source=original cvdf", "\n  write --source original,cvdf"),
        (
            "export --classes Polar bear",
            "\n  write --classes Polar,bear, or quotes around a name with blanks: --classes 'Polar bear'",
        ),
        ("run --root-dir my pictures", "'pictures' belongs to no option\n  write --root-dir 'my pictures' if it is"),
        ("run --where=width > 3", "'>' belongs to no option\n  write --where 'width > 3' if it is part of its value"),
        ("run --limit 3 4", "--limit takes one value, not 3 and 4\n"),
        # values that are missing, or too many
        ("run --limit", "--limit needs a value\n  Stop when this many images are done"),
        ("run --limit --shuffle", "--limit needs a value\n  Stop when this many images are done"),
        ("run --where -x", "--where needs a value\n  write --where=-x if that is the value"),
        ("renditions remove", "`oidl renditions remove` needs NAME, a rendition, or --license\n  run"),
        ("run --resize-box-size=3 --resize-box-size=4", "--resize-box-size is given twice\n  leave one of them out"),
        # values of another kind
        ("run --resize-box-size big", "--resize-box-size must be a whole number, not 'big'\n"),
        ("run --max-wait soon", "--max-wait must be a number, not 'soon'\n"),
        ("run --shuffle=perhaps", "--shuffle must be true or false, not 'perhaps'\n"),
        ("run --min-free lots", "--min-free must be a number of bytes, like 500M, 1.5G or 1GiB, not 'lots'\n"),
        ("run --max-duration long", "--max-duration must be a time, like 90s, 15m or 2h30m, not 'long'\n"),
        ("demo --images many", "--images must be a whole number, not 'many'\n"),
    ],
)
def test_a_mistake_is_said_with_what_to_type(typed: str, said: str, oidl: Any) -> None:
    ended = oidl(*typed.split(" "))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 2
    assert not list(oidl.cwd.iterdir())


@pytest.mark.parametrize("command", ["status", "run", "export"])
def test_a_directory_that_stands_alone_is_taken_for_the_root(command: str, oidl: Any) -> None:
    (oidl.cwd / "my cats").mkdir()
    ended = oidl(command, "my cats")
    assert ended.stderr == f"oidl: `oidl {command}` does not expect 'my cats'\n  write --root-dir 'my cats'\n"


def test_a_value_of_another_kind_is_said_with_where_it_stands(oidl: Any) -> None:
    ended = oidl("run", env={"OIDL_RESIZE_BOX_SIZE": "big"})
    assert ended.stderr.startswith("oidl: OIDL_RESIZE_BOX_SIZE must be a whole number, not 'big'\n")
    (oidl.cwd / "oidl.toml").write_text('max-wait = "soon"\n')
    assert oidl("run").stderr.startswith("oidl: oidl.toml: max-wait must be a number, not 'soon'\n")
    (oidl.cwd / "oidl.toml").write_text("max-wait = [1, 2]\n")
    assert oidl("run").stderr.startswith("oidl: oidl.toml: max-wait must be a number, not '[1, 2]'\n")


def test_what_other_programs_call_an_option_leads_to_one_that_there_is() -> None:
    assert {option.split()[0] for option in _OFTEN.values()} <= OPTIONS
    assert not set(_OFTEN) & OPTIONS
