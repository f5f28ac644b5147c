"""Memory that JPEGs are decoded into, kept together with what libvips has prepared to resize them.

Preparing a resize (its tables and objects) takes as long as resizing a thumbnail.
A dataset has few sizes of small pictures, so the next picture of the same size
is decoded into the same memory, and libvips computes the same resize once more.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import numpy

from oidl.imaging.vips import pyvips

_KEPT_BYTES = 16_000_000  # a thread
_LARGEST_BYTES = 4_000_000  # of one; for a larger picture, the preparation is a small part of the work
_KEPT_SIZES = 4  # of one; a run has few renditions
_MOST_SHRINK = 4  # from here on, libvips averages blocks of pixels before it resizes

Shape = tuple[int, int, int]
"""Height, width and bands."""


class Canvas:
    """`pixels` of one shape (uint8: height, width, bands), and images of them in other sizes.

    Nothing is computed before a part of an image is fetched, so an image shows what is in `pixels` then. Only the
    thread that made a canvas may use it.
    """

    def __init__(self, shape: Shape) -> None:
        self.height, self.width, self.bands = shape
        self.pixels = numpy.empty(shape, numpy.uint8)
        self._image = pyvips.Image.new_from_memory(self.pixels.data, self.width, self.height, self.bands, "uchar")
        self._scaled: OrderedDict[tuple[int, int], tuple[pyvips.Image, pyvips.Region]] = OrderedDict()

    def changed(self) -> None:
        """Must be called after `pixels` have changed: libvips then forgets what it has computed from them."""
        self._image.invalidate()

    def scaled(self, width: int, height: int) -> pyvips.Image:
        """The picture at `width` × `height`."""
        size = width, height
        if size not in self._scaled:
            image = self._resized(width, height)
            self._scaled[size] = image, pyvips.Region.new(image)
            if len(self._scaled) > _KEPT_SIZES:
                self._scaled.popitem(last=False)
        return self._scaled[size][0]

    def region(self, image: pyvips.Image) -> pyvips.Region | None:
        """The region to fetch pixels of `image` from; None if `image` is not one that `scaled` returned.

        It keeps its memory. Regions that come and go fragment the heap: glibc before 2.38 rarely uses aligned memory
        again, and a process then grows by a third of a megabyte a picture.
        """
        return next((region for scaled, region in self._scaled.values() if scaled is image), None)

    def _resized(self, width: int, height: int) -> pyvips.Image:
        if (width, height) == (self.width, self.height):
            return self._image
        shrink, vshrink = self.width / width, self.height / height
        if min(shrink, vshrink) >= 1 and max(shrink, vshrink) < _MOST_SHRINK:
            return self._image.reduce(shrink, vshrink)  # the same pixels as from `resize`, in less time
        return self._image.resize(width / self.width, vscale=height / self.height)


class Canvases(threading.local):
    """The canvases that are kept for the next pictures of their shapes. Each thread has its own."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Shape, Canvas] = OrderedDict()  # the longest unused first
        self._bytes = 0

    @contextmanager
    def borrow(self, shape: Shape) -> Iterator[Canvas]:
        """A canvas for one picture; its pixels may be anything at first."""
        canvas = self._kept.pop(shape, None)
        if canvas:
            self._bytes -= canvas.pixels.nbytes
        else:
            canvas = Canvas(shape)
        yield canvas  # after an exception it is not kept: a traceback may refer to its images
        if canvas.pixels.nbytes > _LARGEST_BYTES:
            return
        self._kept[shape] = canvas
        self._bytes += canvas.pixels.nbytes
        while self._bytes > _KEPT_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.pixels.nbytes
