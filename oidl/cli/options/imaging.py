"""Options: which images pass as complete, and what becomes of saved originals that are CMYK or PNG."""

from dataclasses import dataclass
from typing import Annotated

from oidl.cli.options.groups import IMAGING, filled, in_section
from oidl.cli.options.types import AT_LEAST_ONE, PROCESSES, between, one_of
from oidl.model import Validation
from oidl.settings import MAX_PROCESSES, Imaging

_IMAGING = Imaging()


@dataclass(frozen=True, kw_only=True)
@in_section(IMAGING)
class ImagingOptions:
    """Imaging."""

    validate: Annotated[Validation, one_of(Validation)] = _IMAGING.validation
    """`decode` refuses damaged images, `strict` also those with warnings; `off` decodes only what is resized."""

    max_pixels: Annotated[int, AT_LEAST_ONE] = _IMAGING.max_pixels
    """Largest image to decode, in pixels (width times height)."""

    convert_cmyk: bool = _IMAGING.convert_cmyk
    """Save CMYK originals as sRGB JPEGs."""

    convert_png: bool = _IMAGING.convert_png
    """Save PNG originals as JPEGs."""

    discard_png: bool = _IMAGING.discard_png
    """Treat originals that are PNGs as failures."""

    threads: Annotated[int | None, AT_LEAST_ONE] = None
    """Threads that check and resize images. Default: one for each core that this process may use."""

    processes: Annotated[int | None, PROCESSES, between(1, MAX_PROCESSES)] = None
    """Processes that share the work and the threads. `auto` (default): one a core, at most 8, fewer for few images."""

    def settings(self, background: str) -> Imaging:
        """Which images pass; `background` goes under what is transparent."""
        return filled(Imaging, self, validation=self.validate, background=background)
