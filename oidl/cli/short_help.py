"""`oidl run -h`: the most useful options, and examples, on one screen; `--help` lists all of them."""

from oidl.cli.command_help import summary

OPTIONS = {
    "--root-dir DIR": "the directory for everything; default: the working directory",
    "--subset LIST": "train, validation, test; default: all of them",
    "--classes LIST": "only images that show one of these, like Cat,Dog",
    "--limit N": "have this many images, including those of earlier runs",
    "--annotations LIST": "annotations for the images, like boxes,segmentations",
    "--resize-box-size N": "side of the box that images are fitted to; default: 224",
    "--save-original-images": "also keep the images as they were downloaded",
    "--retry-failed": "try again what failed for good",
    "--dry-run": "show what would be fetched, and change nothing",
    "--web": "show the run on a web page",
}
EXAMPLES = {
    "200 images of cats": "oidl run --root-dir cats --subset validation,test --classes Cat --limit 200",
    "try again what failed there": "oidl run --root-dir cats --retry-failed",
    "what a whole subset would take": "oidl run --root-dir openimages --subset validation --dry-run",
}

_WIDTH = max(map(len, OPTIONS))

SHORT_HELP = "\n".join(
    (
        "Usage: oidl run [OPTIONS]",
        "",
        summary("run"),
        "",
        *(f"  {option:<{_WIDTH}}  {meaning}" for option, meaning in OPTIONS.items()),
        "",
        *(f"  # {title}\n  {command}" for title, command in EXAMPLES.items()),
        "",
        "`oidl run --help` has all options, `oidl help` is the manual.",
    )
)
