"""`oidl demo`: the real `oidl run`, on a small generated Open Images on loopback.

This process is the server; the run is another process, started as a user would start it. The photos stay, and so do
the ports in their URLs: a second demo in the same place continues the first.
"""

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import trio

from oidl.cli.demo_text import DEFAULT_ROOT, closing, how_to_use, kept_text
from oidl.cli.options.groups import flattened
from oidl.cli.options.output import ProgressOptions
from oidl.cli.options.paths import STATE_DB
from oidl.cli.options.types import absolute, between
from oidl.cli.signals import cancel_on_signal
from oidl.demo.listing import make_demo
from oidl.demo.recipe import CATALOGUE, NAME, Recipe, identity, is_same, is_served, read_recipe, write_recipe
from oidl.demo.server import serve
from oidl.demo.site import CannedResponse, Site
from oidl.errors import ExitCode, UsageError
from oidl.model import FileKind
from oidl.node.threads import run_abandonable
from oidl.text import counted

_IMAGES = 300
_PORT = 8610
_HOSTS = 3
_ANNOTATIONS = (
    FileKind.BOXES,
    FileKind.LABELS,
    FileKind.SEGMENTATIONS,
    FileKind.MASKS,
    FileKind.RELATIONSHIPS,
    FileKind.POINTS,
)
_SERVED = "served"


@flattened
@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """The options of `oidl demo`."""

    root_dir: Path = Path(DEFAULT_ROOT)
    """The directory for everything that the demo makes."""

    images: Annotated[int | None, between(1, 100_000)] = None
    """Number of images in the dataset. Default: 300."""

    port: Annotated[int | None, between(1, 65_535 - _HOSTS)] = None
    """The first of three ports on 127.0.0.1 at which the dataset is served. Default: 8610."""

    serve: bool = False
    """Start no run; serve the dataset until Ctrl-C, to try any command on it from another terminal."""


def demo(options: DemoOptions = DemoOptions(), progress: ProgressOptions = ProgressOptions()) -> int:
    """Makes and serves the demo, and runs `oidl run` on it unless it only serves; returns the exit code."""
    if options.serve and (progress.web is not None or progress.open):
        raise UsageError("--serve starts no run, so it has no page", hint="use --web with the run that you start")
    page = [f"--web={value}" for value in progress.web] or ["--web"] if progress.web is not None else []
    more = [f"--progress={progress.progress}", *page, *(["--open"] if progress.open else [])]
    root_dir = absolute(options.root_dir)
    recipe = _recipe(options, root_dir)
    if options.serve:
        return trio.run(_serve, root_dir, recipe)
    return trio.run(_demo, options.root_dir, recipe, more)


def _recipe(options: DemoOptions, root_dir: Path) -> Recipe:
    """What the demo is made with; an existing demo stays as it is, whatever `options` say."""
    kept = read_recipe(root_dir / _SERVED)
    if kept is None and (root_dir / STATE_DB).exists():
        raise UsageError(
            f"{root_dir} has a state database, but not one of a demo",
            hint="use another --root-dir for the demo",
        )
    if kept is not None:
        print(kept_text(options.root_dir, kept, options.images, options.port, _HOSTS), flush=True)
    return kept or Recipe(options.images or _IMAGES, options.port or _PORT)


async def _serve(root_dir: Path, recipe: Recipe) -> int:
    """Serves until Ctrl-C. Raises `KeyboardInterrupt` if that comes before there is anything to serve."""
    is_served = False
    async with trio.open_nursery() as nursery:
        await nursery.start(cancel_on_signal, nursery.cancel_scope)
        if not await _offer(nursery, root_dir, recipe):
            raise UsageError(
                f"the demo in {root_dir} is served already, at http://127.0.0.1:{recipe.port}",
                hint="use it from there, or stop that `oidl demo` with Ctrl-C first",
            )
        print(how_to_use(root_dir, root_dir / _SERVED / CATALOGUE, recipe, _HOSTS), flush=True)
        is_served = True
        await trio.sleep_forever()
    if not is_served:
        raise KeyboardInterrupt
    return ExitCode.SETTLED


async def _demo(typed: Path, recipe: Recipe, more: Sequence[str]) -> int:
    """Serves while a run takes place; `typed` is the root directory as the user typed it."""
    root_dir = absolute(typed)
    async with trio.open_nursery() as nursery:
        await _offer(nursery, root_dir, recipe)
        arguments = [
            "run",
            f"--config={os.devnull}",
            f"--root-dir={root_dir}",
            f"--catalogue={root_dir / _SERVED / CATALOGUE}",
            "--save-original-images",
            *(f"--annotations={kind}" for kind in _ANNOTATIONS),
            "--load-annotations",
            "--max-host-connections=8",
            "--stall-timeout=5",
            "--max-wait=30",
            "--confirm-after=2",
            "--no-log-to-stdout",
            *more,
        ]
        print(f"oidl {shlex.join(arguments)}\n", flush=True)
        code = await _run(arguments)
        nursery.cancel_scope.cancel()
    if code == ExitCode.SETTLED:
        print(closing(typed, recipe))
    return code


async def _offer(nursery: trio.Nursery, root_dir: Path, recipe: Recipe) -> bool:
    """Makes the demo if it does not exist, and serves it in `nursery`; False if another process serves it already."""
    served = root_dir / _SERVED
    site = Site({f"/{NAME}": CannedResponse(identity(served, recipe), content_type="application/json")})
    base_urls = []
    for number in range(_HOSTS):
        try:
            base_urls.append(str(await nursery.start(partial(serve, site, port=recipe.port + number))))
        except OSError as error:
            if number == 0 and await is_served(served, recipe):
                return False
            raise _taken(root_dir, recipe.port + number, error) from error
    is_kept = read_recipe(served) is not None
    print(f"{'loading' if is_kept else 'making'} {counted(recipe.images, 'photo')} …", flush=True)
    make = partial(make_demo, served, base_urls=base_urls, images=recipe.images, site=site, reuse=is_kept)
    made = await run_abandonable(make, limiter=trio.CapacityLimiter(1))
    if is_kept and not is_same(served, made.catalogue_toml):
        raise UsageError(
            f"the demo in {root_dir} was changed, or made by another version of oidl",
            hint=f"run `rm -r {shlex.quote(str(root_dir))}`, then `oidl demo` again",
        )
    write_recipe(served, recipe, made.catalogue_toml)
    return True


def _taken(root_dir: Path, port: int, error: OSError) -> UsageError:
    if read_recipe(root_dir / _SERVED):  # every URL in its list has the port
        hint = f"stop what listens there, or start again elsewhere: `oidl demo --root-dir other --port {port + 100}`"
    else:
        hint = "choose another with --port"
    return UsageError(f"port {port} on 127.0.0.1 cannot be used: {error.strerror}", hint=hint)


async def _run(arguments: list[str]) -> int:
    """The exit code of `oidl` with only `arguments`; this process leaves Ctrl-C to it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OIDL_")}
    environment["no_proxy"] = "*"  # no proxy leads to the loopback of this machine
    with trio.open_signal_receiver(signal.SIGINT):
        process = await trio.run_process([sys.executable, "-m", "oidl", *arguments], check=False, env=environment)
    return process.returncode
