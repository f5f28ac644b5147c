"""Bad values of options, in flags, environment and file. Each gets one clear line, and nothing else changes."""

from pathlib import Path

import pytest
from refusals import assert_one_clear_line


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--no-such-option"], "--no-such-option"),
        (["surplus"], "surplus"),
        (["--resize-mode", "bogus"], "choose from ShrinkToFit, FillCrop, FillDistort"),
        (["--name-files-by", "colour"], "choose from image-id, flickr"),
        (["--resize-box-size", "0"], "--resize-box-size must be 1 to 65500, not 0"),
        (["--resize-box-size", "1000000"], "--resize-box-size must be 1 to 65500, not 1000000"),
        (["--resize-box-size", "huge"], "--resize-box-size"),
        (["--limit=-1"], "--limit must be at least 0, not -1"),
        (["--original-images-subdirectory", "../x"], "--original-images-subdirectory must be a relative name"),
        (["--original-images-subdirectory", "/abs"], "--original-images-subdirectory must be a relative name"),
        (["--resized-images-subdirectory", "a/../../x"], "--resized-images-subdirectory must be a relative name"),
        (["--resized-images-subdirectory", ""], "--resized-images-subdirectory must be a relative name"),
        (["--resize-compression-quality", "0"], "--resize-compression-quality must be 1 to 100, not 0"),
        (["--resize-compression-quality", "101"], "--resize-compression-quality must be 1 to 100, not 101"),
        (["--resize-output-format", "xyz"], "xyz"),
        (["--resize-output-format", "../x"], "--resize-output-format"),
        (["--subset", "practice"], "--subset: there is no subset 'practice'\n  choose from train, validation, test"),
        (["--dataset-version", "99"], "there is no dataset version '99'"),
        (["--max-total-connections", "0"], "--max-total-connections must be at least 1"),
        (["--max-host-connections", "0"], "--max-host-connections must be at least 1"),
        (["--threads", "0"], "--threads must be at least 1, not 0"),
        (["--max-retries", "0"], "--max-retries must be at least 1"),
        (["--max-wait=-1"], "--max-wait must be at least 0"),
        (["--max-wait=nan"], "--max-wait must be at least 0"),
        (["--confirm-after=inf"], "--confirm-after must be 0 to 1000000000, not inf"),
        (["--max-retry-after=1e20"], "--max-retry-after must be 0 to 1000000000"),
        (["--connect-timeout", "0"], "--connect-timeout must be more than 0"),
        (["--stall-timeout", "inf"], "--stall-timeout must be more than 0"),
        (["--min-speed", "0"], "--min-speed must be more than 0"),
        (["--image-ids", "none.txt"], "none.txt cannot be read"),
        (["--config", "none.toml"], "none.toml cannot be read"),
        (["--limit"], "--limit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_option_values_that_make_no_sense(arguments: list[str], names: str, oidl, fine, root: Path, tree) -> None:
    ended = oidl("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}", *arguments)
    assert ended.returncode == 2
    assert_one_clear_line(ended.stderr)
    assert names in ended.stderr
    assert not fine.site.requests
    assert not [path for path in tree(root) if not path.startswith("oidl.sqlite3")]


@pytest.mark.parametrize("arguments", [["no-such-command"], ["status", "--no-such-option"], ["export-csv", "--dest"]])
def test_commands_that_make_no_sense(arguments: list[str], oidl) -> None:
    ended = oidl(*arguments)
    assert ended.returncode == 2
    assert_one_clear_line(ended.stderr)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("limit = ", "oidl.toml is not valid TOML"),
        ("no-such-option = 3", "there is no option 'no-such-option'"),
        ("limit = 'three'", "limit"),
        ("limit = -2", "oidl.toml: limit must be at least 0, not -2"),
        ("resize-mode = 'bogus'", "choose from ShrinkToFit, FillCrop, FillDistort"),
        ("[run]\nlimit = 2", "there is no option 'run'"),
        ("attributes = {IsGroupOf = 0}", "oidl.toml: attributes must be a value or a list of values, not a table"),
        ("attributes = [{IsGroupOf = 0}]", "oidl.toml: attributes must be a value"),
        ("attributes = {}", "oidl.toml: attributes must be a value"),
        ("[limit]\nmost = 2", "oidl.toml: limit must be a value"),
        ("classes = [['Cat']]", "oidl.toml: classes must be a value"),
    ],
)
def test_an_oidl_toml_that_makes_no_sense(text: str, names: str, oidl, fine, root: Path) -> None:
    (oidl.cwd / "oidl.toml").write_text(text)
    ended = oidl("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}")
    assert ended.returncode == 2
    assert_one_clear_line(ended.stderr)
    assert names in ended.stderr
    assert not fine.site.requests


_LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("run --limit=1.5", "--limit must be a whole number, not 1.5"),
        ("run --limit-per-class 0.5", "--limit-per-class must be a whole number, not 0.5"),
        ("run --max-retries=2.000001", "--max-retries must be a whole number"),
        ("run --max-pixels=inf", "--max-pixels must be a whole number, not inf"),
        ("export --limit=1.5", "--limit must be a whole number, not 1.5"),
        ("status --failures --first=1.5", "--first must be a whole number, not 1.5"),
        ("demo --images=10.5", "--images must be a whole number, not 10.5"),
        ("annotations load --seed=.5", "--seed must be a whole number, not .5"),
        (f"run --limit={_LARGEST + 1}", f"--limit must be at most {_LARGEST}, not {_LARGEST + 1}"),
        ("run --limit-per-class=99999999999999999999", f"--limit-per-class must be at most {_LARGEST}"),
        ("export --limit-per-class=99999999999999999999", f"--limit-per-class must be at most {_LARGEST}"),
        ("export --seed=-99999999999999999999", f"--seed must be at least -{_LARGEST}"),
        ("status --failures --first=0xffffffffffffffffffff", f"--first must be at most {_LARGEST}"),
        (f"run --max-bytes={'9' * 400}", f"a number of bytes up to {_LARGEST}"),
        ("run --max-bytes=9999999999G", f"a number of bytes up to {_LARGEST}"),
    ],
)
def test_whole_numbers_are_whole_and_have_a_place_in_the_database(typed: str, says: str, oidl, root: Path) -> None:
    command, _, options = typed.partition(" -")
    ended = oidl(*command.split(), f"--root-dir={root}", *f"-{options}".split())
    assert ended.returncode == 2
    assert_one_clear_line(ended.stderr)
    assert says in ended.stderr
    assert not root.exists()


@pytest.mark.parametrize(("key", "value"), [("limit", "1.5"), ("resize-box-size", "200.6")])
def test_whole_numbers_are_whole_in_the_file_and_in_the_environment_too(
    key: str, value: str, oidl, fine, root: Path
) -> None:
    run = ("run", f"--root-dir={root}", f"--catalogue={fine.catalogue}")
    variable = f"OIDL_{key.upper().replace('-', '_')}"
    ended = oidl(*run, env={variable: value})
    assert (ended.returncode, ended.stderr) == (2, f"oidl: {variable} must be a whole number, not {value}\n")
    (oidl.cwd / "oidl.toml").write_text(f"{key} = {value}\n")
    ended = oidl(*run)
    assert (ended.returncode, ended.stderr) == (2, f"oidl: oidl.toml: {key} must be a whole number, not {value}\n")
    assert not fine.site.requests


@pytest.mark.parametrize("value", ["3", "3.0", "0x3", "003"])
def test_a_whole_number_may_be_spelled_in_other_ways(value: str, run, fine, ask) -> None:
    assert run(fine, f"--limit={value}").returncode == 0
    assert ask("SELECT count(*) FROM download WHERE status = 'done'") == [(3,)]


@pytest.mark.parametrize("option", ["--connect-timeout=-1", "--stall-timeout=nan", "--stall-timeout=inf"])
def test_no_server_is_asked_in_a_time_that_makes_no_sense(oidl, fine, option: str) -> None:
    ended = oidl("catalogue", f"--catalogue={fine.catalogue}", "--check", option)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"oidl: {option.partition('=')[0]} must be more than 0")
