"""The commands, where their settings come from, and how they end.

Flags come before `OIDL_*` environment variables, those before `oidl.toml`, that before
the plan of the root, that before the defaults. Here, and only here, an error becomes a line on stderr and
an exit code.
"""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from pathlib import Path

from cyclopts import App, CycloptsError, Parameter

from oidl import __version__
from oidl.cli.config import Environment, check_variables, config_file
from oidl.cli.legacy import without_legacy
from oidl.cli.options.paths import PathOptions, note_paths
from oidl.cli.options.types import check_text, check_values
from oidl.cli.planning import PlannedOptions
from oidl.cli.short_help import SHORT_HELP
from oidl.cli.streams import print_error, safe_streams
from oidl.errors import ExitCode, OidlError, disk_error
from oidl.text import printable

_EPILOGUE = """\
Options can be set in the environment too, where --root-dir is OIDL_ROOT_DIR, and in oidl.toml, where it is root-dir.
Exit code 0 is that all is settled, 3 that it should be run again; `oidl help exit-codes` has all of them.
"""

app = App(
    name="oidl",
    help="Download, verify and resize the images of the Open Images dataset.",
    version=__version__,
    version_flags=("--version", "-V"),
    help_format="plaintext",  # markdown would cost 50 ms
    help_epilogue=_EPILOGUE,
    default_parameter=Parameter(negative_iterable=(), show_env_var=False),
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # it would be an exit without a word
)
_HELP = {
    "run": "Download, verify and resize; goes on where an earlier run stopped.",
    "plan": "Show what the root is for, as the command that makes it so.",
    "status": "Show how many images are done, failed and left, and why they failed.",
    "export-csv": "Write the published rows of the images that were had, and of those that were not.",
    "export": "Write downloaded images and their labels in the format of another tool, like COCO or YOLO.",
    "report": "Write what the database tells as one HTML file with plots.",
    "web": "Show the database and its pictures on a web page.",
    "verify": "Compare the files on disk with the state database; changes nothing unless told to repair.",
    "catalogue": "List the files of each version of the dataset, and check whether they are still there.",
    "demo": "Try it all on a small Open Images that is made on the spot and served on loopback.",
}
for _name, _help in _HELP.items():
    _module = _name.replace("-", "_")
    # The epilogue is about options from elsewhere, and the demo takes none.
    _more = {"help_epilogue": ""} if _name == "demo" else {}
    app.command(f"oidl.cli.commands.{_module}:{_module}", name=_name, help=_help, **_more)


annotations = App(name="annotations", help="Bring annotations into the state database.")
annotations.command("oidl.cli.commands.annotations:load", name="load", help="Load annotation files; each once.")
app.command(annotations)

renditions = App(name="renditions", help="List what images are kept as, or remove one of these.")


@renditions.default
def _list(paths: PathOptions = PathOptions()) -> None:
    from oidl.cli.commands.renditions import print_renditions  # slow

    print_renditions(paths)


renditions.command(
    "oidl.cli.commands.renditions:remove", name="remove", help="Delete a rendition's files, make no more."
)
app.command(renditions)


app.command("oidl.cli.commands.help:help_", name="help", help="Show a page of the manual, or the options of a command.")
app.command("oidl.cli.completion:install", name="--install-completion", help="Let the shell complete what you type.")

_COMMANDS = (*((name,) for name in _HELP), ("annotations", "load"), ("renditions",), ("renditions", "remove"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line `arguments` (default: the process's) and returns the exit code."""
    with safe_streams():
        # In a context of its own: what is noted for messages is about this command line alone.
        return copy_context().run(_run, sys.argv[1:] if arguments is None else arguments)


def _run(arguments: Sequence[str]) -> int:
    try:
        tokens = list(without_legacy(arguments))
        check_text(tokens)
        is_demo = tokens[:1] == ["demo"]  # it is the same everywhere, and never goes into a real root directory
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

    end_soon()  # the streams may take nothing
    print("oidl: interrupted", file=sys.stderr)
    return ExitCode.INTERRUPTED


def _in_words(error: BaseException) -> BaseException:
    """What the system says about a file that it names, as a `DiskError`: about the disk, and no bug of ours."""
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
