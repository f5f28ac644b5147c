"""Options: what a run downloads beside the annotations that it needs."""

from dataclasses import dataclass

from oidl.cli.options.groups import DOWNLOAD, in_section


@dataclass(frozen=True, kw_only=True)
@in_section(DOWNLOAD)
class DownloadOptions:
    """What to download."""

    download_metadata: bool = True
    """Download annotations and class names."""

    load_annotations: bool = False
    """Load annotations of whole subsets into the state database, too; those of chosen images always are."""

    download_images: bool = True
    """Download the image list and the images; `--no-download-images` downloads annotations only."""

    save_tar_balls: bool = False
    """Keep the archives after they are unpacked."""
