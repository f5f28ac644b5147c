"""The Open Images dataset, downloaded, verified and resized.

`oidl` is a program first: `oidl run` brings the images and their metadata to
disk, `oidl status` and `oidl export-csv` read what it knows of them. What it
knows is one SQLite file, and that file is a public interface (see the README).

The folders are the things the program is about: `dataset` is what Open Images
publishes, `state` what became of each image, `net` one transfer, `imaging` one
picture, `storage` one file, `pipeline` all of them at once, `progress` and
`report` what people see, `cli` what they type, `demo` a small Open Images on
loopback to try it all on.
"""

__version__ = "0.1.0"
