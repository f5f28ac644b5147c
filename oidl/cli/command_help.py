"""What each command does, for `--help`: a line for the list of commands, and more where a line is not enough.

The text is here and not in docstrings, because the list of commands must not import them. A paragraph is one line,
which the terminal wraps.
"""

HELP = {
    "run": """\
Download, verify and resize images; resume an earlier run.

The state database records what is done, so a run can be stopped at any moment and started again. Ctrl-C finishes the \
transfers in progress; a second one stops at once.

`oidl run -h` shows only the most useful options, with examples.""",
    "plan": """\
Show the plan of a root directory: the options that its next run uses.

It is printed as the command that makes it. `oidl run --root-dir DIR` continues with it, and other commands take it as \
their default.""",
    "status": """\
Show how many images are done, failed and left, and why they failed.

It reads only the state database, changes nothing, and works during a run.""",
    "export-csv": """\
Write the published rows of the downloaded images, and of those that failed.

They go to `images-success.csv` and `images-failure.csv` in the directory of each subset. Images are chosen as \
`oidl run` chooses them; rows are always in the published order.""",
    "export": """\
Write downloaded images and their labels in the format of another tool, like COCO or YOLO.

Widths and heights are those of the files, and boxes fit the files: turned, scaled and cut as the images were. Images \
are chosen as `oidl run` chooses them, and so are their annotations.""",
    "pack": """\
Write downloaded images and their labels into shards: WebDataset, TFRecord or Parquet.

Shards are made for training: few large files with everything about an image in one place. A pack that was stopped \
continues with the same options. Images are chosen as `oidl run` chooses them, and so are their annotations.""",
    "report": """\
Write a report about the database as one HTML file with plots.

The file needs no network, no scripts and no other files.""",
    "web": """\
Show the database and its images on a web page, until Ctrl-C.

`oidl run --web` serves the page of a run, with the transfers in progress; this page shows what the database has.""",
    "verify": """\
Compare the files on disk with the state database; changes nothing without --repair.

Every recorded file is read: originals must have their published MD5, other images must decode to their end. It works \
during a run, except with --repair.""",
    "check-licenses": """\
Ask Flickr what the licence of each photo is now, and record the answers.

It asks one question a second unless told otherwise, 86,400 a day; --sample checks a random part. It can be stopped at \
any moment and started again. Nothing is deleted; `oidl help licenses` says what follows from an answer.""",
    "catalogue": """\
List the files of each version of the dataset, and check if they are still there.

The columns are version, kind, subset, size, checksum and URL. Only --check uses the network.""",
    "demo": """\
Try everything on a small Open Images that is generated and served on this machine.

Its 300 photos have boxes, labels and masks of twenty classes. Some are gone, changed, cut short, slow or \
rate-limited, as in real life.""",
    "annotations": "Load annotations, like boxes and labels, into the state database.",
    "annotations load": """\
Load the annotations of the chosen images, or of all images in the list.

Files that are not on disk yet are downloaded and verified, unless you give FILES of your own. What is loaded already \
is not loaded again, except a file of your own that has changed.""",
    "renditions": "List the renditions (sizes and formats) of the images, or remove one.",
    "renditions remove": """\
Delete the files of a rendition, and make no more of them; or, with --license, those of some images.

The images of a removed rendition stay done, so they are not downloaded again. Images that are removed because of \
their licence have failed then (`license`), and are fetched again only with --retry-failed license.""",
    "help": "Show a page of the manual, or the options of a command.",
    "--install-completion": "Let the shell complete commands, options and values.",
}


def summary(command: str) -> str:
    """The first line of a command's help, as the list of commands shows it."""
    return HELP[command].partition("\n")[0]
