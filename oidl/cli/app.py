"""The commands, where their settings come from, and how they end.

Flags come before `OIDL_*` environment variables, those before `oidl.toml`, that
before the defaults. Here, and only here, an error becomes a line on stderr and
an exit code.
"""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from cyclopts import App, ArgumentCollection, CycloptsError, Parameter
from cyclopts.config import Dict, Env

from oidl import __version__
from oidl.cli.typed import check_whole_numbers
from oidl.errors import ExitCode, OidlError, UsageError

app = App(
    name="oidl",
    help="Download, verify and resize the images of the Open Images dataset.",
    version=__version__,
    help_format="plaintext",  # markdown would cost 50 ms
    default_parameter=Parameter(negative_iterable=()),
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # it would be an exit without a word
)
for _name, _help in {
    "run": "Download, verify and resize; goes on where an earlier run stopped.",
    "status": "Show how many images are done, failed and left, and why they failed.",
    "export-csv": "Write the published rows of the images that were had, and of those that were not.",
    "export": "Write the labels of downloaded images as COCO, YOLO, Pascal VOC or CSV, with real sizes.",
    "report": "Write what the database tells as one HTML file with plots.",
    "web": "Show the database and its pictures on a web page.",
    "verify": "Compare the files on disk with the state database; changes nothing unless told to repair.",
    "catalogue": "List the files of each version of the dataset, and check whether they are still there.",
    "demo": "Try it all on a small Open Images that is made on the spot and served on loopback.",
}.items():
    _module = _name.replace("-", "_")
    app.command(f"oidl.cli.{_module}:{_module}", name=_name, help=_help)


annotations = App(name="annotations", help="Bring annotations into the state database.")
annotations.command("oidl.cli.annotations:load", name="load", help="Load annotation files; each once.")
app.command(annotations)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line `arguments` (default: the process's) and returns the exit code."""
    try:
        tokens = [_spelled_out(token) for token in (sys.argv[1:] if arguments is None else arguments)]
        _check_text([*tokens, *(value for name, value in os.environ.items() if name.startswith("OIDL_"))])
        is_demo = tokens[:1] == ["demo"]  # it is the same everywhere, and never goes into a real root directory
        settings = () if is_demo else (Env("OIDL_", command=False), *_config_file(tokens))
        app.config = (*settings, check_whole_numbers)
        code = app(tokens, exit_on_error=False, print_error=False)
        sys.stdout.flush()
        return ExitCode.SETTLED if code is None else int(code)
    except CycloptsError as error:
        return _end(UsageError(_sentence(error), hint=f"`{_named(error)} --help` lists what there is"))
    except OidlError as error:
        return _end(error)
    except KeyboardInterrupt:
        print("oidl: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit):  # the latter is how rich, which prints `--help`, says the former
        return _closed_pipe()
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        stops = [leaf for leaf in leaves if isinstance(leaf, OidlError)]
        if len(stops) == len(leaves):
            return _end(stops[0])
        return _closed_pipe() if all(isinstance(leaf, BrokenPipeError) for leaf in leaves) else _bug()
    except Exception:
        return _bug()


def _end(error: OidlError) -> int:
    print(f"oidl: {error}", file=sys.stderr)
    return error.exit_code


def _closed_pipe() -> int:
    """Nobody reads any more, as after `oidl status | head`; what Python still has to flush goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.SETTLED


def _bug() -> int:
    traceback.print_exc()
    print("oidl: this is a bug in oidl, please report it with the lines above", file=sys.stderr)
    return ExitCode.BUG


def _leaves(group: BaseExceptionGroup) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _named(error: CycloptsError) -> str:
    """The command that was typed wrongly, as one types it."""
    return " ".join(("oidl", *(error.command_chain or ())))


def _sentence(error: CycloptsError) -> str:
    return " ".join(str(error).split())


def _spelled_out(token: str) -> str:
    """`--nodownload-metadata`, as the older Scala downloader spelled it, is `--no-download-metadata`."""
    name, equals, value = token.partition("=")
    if name.startswith("--no"):
        from oidl.cli.options import SWITCHES

        if name[4:] in SWITCHES:
            return f"--no-{name[4:]}{equals}{value}"
    return token


def _check_text(given: Sequence[str]) -> None:
    """Raises `UsageError` for what is not UTF-8: neither SQLite nor JSON has a place for it."""
    for text in given:
        if any("\udc80" <= character <= "\udcff" for character in text):  # how Python has such bytes
            shown = os.fsencode(text).decode("utf-8", "backslashreplace")
            raise UsageError(f"{shown} is not UTF-8", hint="names, paths and all else that is typed must be")


def _typed(rendition: object) -> str:
    """A `[[rendition]]` table as `--rendition` would have it."""
    if not isinstance(rendition, dict):
        return str(rendition)
    return ",".join(f"{key}={value}" for key, value in rendition.items())


_LIKE = 'as in limit = 9 or attributes = ["IsGroupOf=0", "IsOccluded=0"]'


class _File(Dict):
    """One table for every command. As cyclopts has it, keys that are commands' names too would get lost."""

    def __call__(self, command: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        super().__call__(command, (), arguments)


def _config_file(tokens: Sequence[str]) -> Iterator[Dict]:
    """The settings in the file that `--config` or `OIDL_CONFIG` names, or in `./oidl.toml` where there is one."""
    named = os.environ.get("OIDL_CONFIG")
    for token, following in zip(tokens, (*tokens[1:], ""), strict=True):
        if token == "--config":
            named = following
        elif token.startswith("--config="):
            named = token.partition("=")[2]
    path = Path(named) if named else Path("oidl.toml")
    if named is None and not path.exists():
        return
    import tomllib

    from oidl.cli.choice import as_one
    from oidl.cli.options import OPTIONS

    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    unknown = [key for key in values if key.replace("_", "-") not in OPTIONS]
    if unknown:
        raise UsageError(
            f"{path}: there is no option {unknown[0]!r}", hint="keys are options without the dashes, e.g. root-dir"
        )
    if tables := values.get("rendition"):
        values["rendition"] = [_typed(table) for table in (tables if isinstance(tables, list) else [tables])]
    for key, value in values.items():
        if any(isinstance(part, dict | list) for part in (value if isinstance(value, list) else [value])):
            raise UsageError(f"{path}: {key} is a value, or a list of values, and no table", hint=_LIKE)
    if isinstance(classes := values.get("classes"), list):
        values["classes"] = [as_one(name) if isinstance(name, str) else name for name in classes]
    # Commands take what they know of it: one file serves `run`, `status` and `export-csv`.
    yield _File(values, source=str(path), allow_unknown=True)
