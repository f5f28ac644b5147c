"""`oidl run -h`: the options that people use, and examples, on one screen; `--help` has all of them."""

OPTIONS = {
    "--root-dir DIR": "where everything lives; the working directory if not given",
    "--subset LIST": "train, validation, test; all of them if not given",
    "--classes LIST": "only images that show one of these, like Cat,Dog",
    "--limit N": "have so many images, those of earlier runs included",
    "--annotations LIST": "what comes with the images, like boxes,segmentations",
    "--resize-box-size N": "the box in pixels that images are fitted to; 224",
    "--save-original-images": "keep the images as they came, too",
    "--retry-failed": "try again what failed for good",
    "--dry-run": "say what would be fetched, and touch nothing",
    "--web": "show the run on a web page",
}
EXAMPLES = {
    "200 images of cats": "oidl run --root-dir cats --subset validation,test --classes Cat --limit 200",
    "what failed there, once more": "oidl run --root-dir cats --retry-failed",
    "what a whole subset would take": "oidl run --root-dir openimages --subset validation --dry-run",
}

_WIDTH = max(map(len, OPTIONS))

SHORT_HELP = "\n".join(
    (
        "Usage: oidl run [OPTIONS]",
        "",
        "Download, verify and resize; goes on where an earlier run stopped.",
        "",
        *(f"  {option:<{_WIDTH}}  {meaning}" for option, meaning in OPTIONS.items()),
        "",
        *(f"  # {title}\n  {command}" for title, command in EXAMPLES.items()),
        "",
        "`oidl run --help` has all options, `oidl help` is the manual.",
    )
)
