"""The commands, the sources of their options, and how they end.

Flags override `OIDL_*` environment variables, those override `oidl.toml`, that overrides the plan of the root, and
that the defaults. Only here does an error become a line on stderr and an exit code.
"""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from pathlib import Path

from cyclopts import App, CycloptsError, Parameter

from oidl import __version__
from oidl.cli.command_help import HELP
from oidl.cli.config import Environment, check_variables, config_file
from oidl.cli.legacy import without_legacy
from oidl.cli.options.paths import PathOptions, note_paths
from oidl.cli.options.types import check_text, check_values, default_text
from oidl.cli.planning import PlannedOptions
from oidl.cli.short_help import SHORT_HELP
from oidl.cli.streams import print_error, safe_streams
from oidl.errors import ExitCode, OidlError, disk_error
from oidl.text import printable

_EPILOGUE = """\
Options can also be set in the environment, where --root-dir is OIDL_ROOT_DIR, and in oidl.toml, where it is root-dir.
Exit code 0 means that everything is settled, 3 that there is more to do; `oidl help exit-codes` lists all of them.
"""

app = App(
    name="oidl",
    help="Download, verify and resize the images of the Open Images dataset.",
    version=__version__,
    version_flags=("--version", "-V"),
    help_format="plaintext",  # markdown would cost 50 ms
    help_epilogue=_EPILOGUE,
    default_parameter=Parameter(negative_iterable=(), show_env_var=False, show_default=default_text),
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # otherwise the program would end without a message
)
_RUN_ALONE = (
    "run", "plan", "status", "export-csv", "export", "pack", "report", "web", "verify", "check-licenses", "catalogue",
    "demo",
)  # fmt: skip
for _name in _RUN_ALONE:
    _module = _name.replace("-", "_")
    # The epilogue is about options that are set elsewhere, and the demo takes none of these.
    _more = {"help_epilogue": ""} if _name == "demo" else {}
    app.command(f"oidl.cli.commands.{_module}:{_module}", name=_name, help=HELP[_name], **_more)


annotations = App(name="annotations", help=HELP["annotations"])
annotations.command("oidl.cli.commands.annotations:load", name="load", help=HELP["annotations load"])
app.command(annotations)

renditions = App(name="renditions", help=HELP["renditions"])


@renditions.default
def _list(paths: PathOptions = PathOptions()) -> None:
    from oidl.cli.commands.renditions import print_renditions  # slow

    print_renditions(paths)


renditions.command("oidl.cli.commands.renditions:remove", name="remove", help=HELP["renditions remove"])
app.command(renditions)

for _name, _target in {"help": "commands.help:help_", "--install-completion": "completion:install"}.items():
    app.command(f"oidl.cli.{_target}", name=_name, help=HELP[_name])

_COMMANDS = (*((name,) for name in _RUN_ALONE), ("annotations", "load"), ("renditions",), ("renditions", "remove"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line `arguments` (default: the process's) and returns the exit code."""
    with safe_streams():
        # In a context of its own, because what is noted for messages is about this command line alone.
        return copy_context().run(_run, sys.argv[1:] if arguments is None else arguments)


def _run(arguments: Sequence[str]) -> int:
    try:
        tokens = list(without_legacy(arguments))
        check_text(tokens)
        is_demo = tokens[:1] == ["demo"]  # it is the same everywhere, and never uses a real root directory
        if tokens[:1] == ["run"] and "-h" in tokens and "--help" not in tokens:
            print(SHORT_HELP)
            return ExitCode.SETTLED
        is_question = tokens[:1] in ([], ["help"]) or not {"--help", "-h", "--version", "-V"}.isdisjoint(tokens)
        if is_question or is_demo:
            app.config = (Environment(), check_values) if is_question else (check_values,)
        else:
            check_variables(app, _COMMANDS)
            app.config = (Environment(), *config_file(tokens), check_values, note_paths, PlannedOptions())
        code = app(tokens, exit_on_error=False, print_error=False)
        return ExitCode.SETTLED if code is None else int(code)
    except CycloptsError as error:
        from oidl.cli.mistakes import mistake

        return print_error(mistake(error, app, tokens))
    except KeyboardInterrupt:
        return _interrupted()
    except (BaseExceptionGroup, Exception) as error:
        leaves = [_in_words(leaf) for leaf in _leaves(error)]
        if all(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
            return _interrupted()
        stops = [leaf for leaf in leaves if isinstance(leaf, OidlError)]
        return print_error(stops[0]) if len(stops) == len(leaves) else _bug()


def _interrupted() -> int:
    from oidl.cli.process import end_soon

    end_soon()  # the streams may be stuck
    print("oidl: interrupted", file=sys.stderr)
    return ExitCode.INTERRUPTED


def _in_words(error: BaseException) -> BaseException:
    """An error of the system about a named file as a `DiskError`, because it is no bug of ours; others as they are."""
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes | Path):
        path = Path(os.fsdecode(error.filename)).absolute()
        return disk_error(path, error, "used")
    return error


def _bug() -> int:
    print(printable(traceback.format_exc()), file=sys.stderr, end="")
    print("oidl: this is a bug in oidl, please report it with the lines above", file=sys.stderr)
    return ExitCode.BUG


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
