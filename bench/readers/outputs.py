"""Makes what readers open: exports and packs of a root, and the shards of runs of their own."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path

_RENDITION = "images-resized"
_SHARD_SAMPLES = "--shard-samples=60"

# The options of each output.
_EXPORTS = {
    "coco": ("--format=coco", "--label-types=boxes,segmentations,relationships,points"),
    "coco, masks alone": ("--format=coco", "--label-types=segmentations"),
    "yolo": ("--format=yolo", "--label-types=boxes"),
    "voc": ("--format=voc", "--label-types=boxes", "--split=80/20"),  # torchvision knows only train and val
    "imagefolder": ("--format=imagefolder", "--label-types=boxes,labels", "--with-empty"),
    "csv": ("--format=csv", "--label-types=boxes,labels"),
}
_PACKS = {
    f"pack {form}": (f"--format={form}", "--label-types=boxes,labels", "--with-empty", _SHARD_SAMPLES)
    for form in ("webdataset", "tfrecord", "parquet")
}
_RUNS = {f"run {form}": (f"--output-format={form}", _SHARD_SAMPLES) for form in ("webdataset", "tfrecord")}
_AS_THE_DEMO = (
    "--annotations=boxes,labels", "--load-annotations", "--max-host-connections=8", "--stall-timeout=5",
    "--max-wait=30", "--confirm-after=2", "--no-log-to-stdout", "--progress=none",
)  # fmt: skip


def is_of_run(output: str) -> bool:
    """Whether an output is what a run of its own wrote; it needs a demo that is served."""
    return output in _RUNS


def database_of(output: str, root: Path, home: Path) -> Path:
    """The state database that has the expected facts of an output of `root`."""
    return (home / _directory(output) if is_of_run(output) else root) / "oidl.sqlite3"


def make_outputs(root: Path, home: Path, outputs: Set[str]) -> Mapping[str, Path]:
    """Makes `outputs` in `home`, and what needs no reader; returns the path of each, by name."""
    places = {"database": root.absolute() / "oidl.sqlite3", "lists": home / "lists"}
    oidl("export-csv", f"--root-dir={root}", f"--dest={places['lists']}")
    runs = {output for output in outputs if is_of_run(output)}
    for output in sorted(outputs - places.keys() - runs):
        name, _, how = output.partition(", --")
        places[output] = home / _directory(output)
        options = (*(_PACKS | _EXPORTS)[name], *([f"--{how}"] if how else []), f"--dest={places[output]}")
        oidl("pack" if name in _PACKS else "export", f"--root-dir={root}", f"--rendition={_RENDITION}", *options)
    if runs:
        with _served(root):
            for output in sorted(runs):
                places[output] = home / _directory(output)
                catalogue = f"--catalogue={root / 'served/catalogue.toml'}"
                oidl("run", f"--root-dir={places[output]}", catalogue, *_RUNS[output], *_AS_THE_DEMO)
    return places


def oidl(*arguments: str) -> None:
    """Does a command of `oidl`; exits if it fails."""
    command = [sys.executable, "-m", "oidl", *arguments]
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        sys.exit(f"oidl {' '.join(arguments)} ended with {ended.returncode}:\n{ended.stderr.strip()}")


def _directory(output: str) -> str:
    return re.sub("[^a-z]+", "-", output)


@contextmanager
def _served(root: Path) -> Iterator[None]:
    """Serves the demo in `root`."""
    command = [sys.executable, "-m", "oidl", "demo", "--serve", f"--root-dir={root}"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        _wait_until_served(server)
        yield
    finally:
        server.terminate()
        server.communicate()


def _wait_until_served(server: subprocess.Popen[str]) -> None:
    """Waits for the address that `oidl demo --serve` prints once it serves."""
    for line in server.stdout or ():
        if "oidl run" in line:
            return
    sys.exit("the demo could not be served")
