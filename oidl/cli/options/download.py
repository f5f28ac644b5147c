"""Options: what a run downloads beside the annotations that it needs."""

from dataclasses import dataclass

from oidl.cli.options.groups import DOWNLOAD, in_section


@dataclass(frozen=True, kw_only=True)
@in_section(DOWNLOAD)
class DownloadOptions:
    """What to download."""

    download_metadata: bool = True
    """Download the version's annotations and classes."""

    load_annotations: bool = False
    """Load the annotations into the state database; those of chosen images are always loaded."""

    download_images: bool = True
    """Download the image list and the images."""

    save_tar_balls: bool = False
    """Keep the archives after they are unpacked."""
