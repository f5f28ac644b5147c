"""The messages of `oidl demo`: what it continues with, how to use its server, and what to try afterwards."""

import shlex
from pathlib import Path

from oidl.cli.options.paths import STATE_DB
from oidl.demo.published import DIRECTORY, VERSION
from oidl.demo.recipe import Recipe
from oidl.hints import command_line

DEFAULT_ROOT = "oidl-demo"


def kept_text(root_dir: Path, kept: Recipe, images: int | None, port: int | None, hosts: int) -> str:
    """What a demo continues with, and how to get one with other `images` or another `port`, if these were given."""
    text = f"continuing with the demo in {root_dir}: {kept.images} photos, ports {_ports(kept.port, hosts)}"
    wanted = [f"--images {images}"] if images not in (None, kept.images) else []
    wanted += [f"--port {port}"] if port not in (None, kept.port) else []
    if not wanted:
        return text
    return (
        f"{text}, as it was made\n"
        f"  for {' '.join(wanted)} run `rm -r {_quoted(root_dir)}` first, or choose another --root-dir"
    )


def how_to_use(root_dir: Path, catalogue: Path, recipe: Recipe, hosts: int) -> str:
    """The message of `oidl demo --serve`; its paths are absolute, because it is for another terminal."""
    retry = command_line("run", "--retry-failed", root_dir=root_dir)
    retry = f"  {retry}\n" if (root_dir / STATE_DB).exists() else ""
    check = command_line("check-licenses", "--requests-per-second 50", root_dir=root_dir)
    retry += f"  {check}\n" if retry else ""
    cats = f"--catalogue {_quoted(catalogue)} --classes Cat --limit 20"
    return f"""
serving Open Images V{VERSION}, {recipe.images} generated photos, on ports {_ports(recipe.port, hosts)} of 127.0.0.1
until Ctrl-C; try it from another terminal:

  {command_line("run", cats, root_dir=Path("cats"))}
{retry}  oidl demo{_elsewhere(root_dir)}
"""


def closing(root_dir: Path, recipe: Recipe) -> str:
    """Where everything is when a demo has ended, and commands that work without its server."""
    place = f"{root_dir}/{DIRECTORY}"
    database = _quoted(root_dir / STATE_DB)
    asked = (
        ("status", ""),
        ("plan", ""),
        ("export", "--format coco"),
        ("export", "--format yolo --classes Cat,Dog --split 80/20"),
        ("run", "--resize-box-size 128"),
    )
    commands = "\n".join(f"  {command_line(*words, root_dir=root_dir)}" for words in asked)
    return f"""
Open Images V{VERSION}, {recipe.images} generated photos with boxes, labels and masks:

resized images   {place}/<subset>/images-resized
originals        {place}/<subset>/images-original
annotations      {place}/<subset>, and in the state database
CSVs             {place}/<subset>/images-success.csv, images-failure.csv
state database   {root_dir / STATE_DB}

Look through the images, with their boxes, masks and labels, in a browser:
  {command_line("web", "--open", root_dir=root_dir)}

Try these commands:
{commands}
  sqlite3 {database} "SELECT reason, count(*) FROM failure GROUP BY reason ORDER BY 2 DESC"
  sqlite3 {database} "SELECT display_name, count(*) FROM box JOIN class USING (label_name) GROUP BY 1 ORDER BY 2 DESC"

The server has ended. Run `oidl demo --serve{_elsewhere(root_dir)}` to keep one for
commands that fetch or check licences, or `oidl demo{_elsewhere(root_dir)}` again;
it fetches nothing that is done. `oidl help` shows the manual."""


def _elsewhere(root_dir: Path) -> str:
    """The option for the place of the demo; empty if it is the default one."""
    return "" if root_dir in (Path(DEFAULT_ROOT), Path.cwd() / DEFAULT_ROOT) else f" --root-dir {_quoted(root_dir)}"


def _ports(first: int, count: int) -> str:
    return f"{first} to {first + count - 1}"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
