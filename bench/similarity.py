"""The similarity of our images to those of the older tool (ImageMagick), as SSIM, compared with plain libvips."""

import argparse
import shutil
import statistics
import subprocess
from collections.abc import Callable

import numpy

from oidl.imaging.inspect import Picture, inspect
from oidl.imaging.photo import photo
from oidl.imaging.rendition import render
from oidl.imaging.vips import pyvips
from oidl.model import Rendition, ResizeMode, Scaling

_QUALITY = 90
_SIGMA, _LUMA, _CONTRAST = 1.5, (0.01 * 255) ** 2, (0.03 * 255) ** 2  # as in the paper that `_ssim` names

# For a box of N pixels: the arguments after `-thumbnail`, and the options of plain libvips.
_MODES: dict[ResizeMode, tuple[Callable[[int], list[str]], dict[str, str]]] = {
    ResizeMode.SHRINK_TO_FIT: (lambda box: [f"{box}x{box}>"], {"size": "down"}),
    ResizeMode.FILL_CROP: (
        lambda box: [f"{box}x{box}^", "-gravity", "center", "-extent", f"{box}x{box}"],
        {"crop": "centre"},
    ),
    ResizeMode.FILL_DISTORT: (lambda box: [f"{box}x{box}!"], {"size": "force"}),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--convert", default="convert", help="ImageMagick's program")


def run(arguments: argparse.Namespace) -> None:
    """Prints the mean SSIM of photos, by mode and size."""
    convert = shutil.which(arguments.convert)
    version = convert and subprocess.run([convert, "-version"], capture_output=True, text=True, check=False).stdout
    if not version or not version.startswith("Version: ImageMagick"):
        raise SystemExit(f"{arguments.convert} is not ImageMagick's; choose another with --convert")
    print(version.partition("\n")[0].partition(" https")[0].removeprefix("Version: ") + "\n")
    print("| photos | mode | ours | with fast scaling | plain libvips | difference |")
    print("|---|---|---|---|---|---|")
    for width, height, box in ((640, 480, 224), (2048, 1536, 640)):
        bodies = [photo(seed, width, height, quality=88) for seed in range(arguments.photos)]
        for mode, (geometry, options) in _MODES.items():
            ours, fast, plain = [], [], []
            for body in bodies:
                reference = _by_imagemagick(convert, body, box, geometry(box))
                ours.append(_ssim(reference, _by_us(body, mode, box)))
                fast.append(_ssim(reference, _by_us(body, mode, box, Scaling.FAST)))
                plain.append(_ssim(reference, _by_libvips(body, box, options)))
            one, quick, other = (statistics.mean(each) for each in (ours, fast, plain))
            figures = f"{one:.4f} | {quick:.4f} | {other:.4f} | {one - other:+.4f}"
            print(f"| {width} × {height} to {box} | {mode} | {figures} |", flush=True)


def _by_imagemagick(convert: str | None, body: bytes, box: int, geometry: list[str]) -> bytes:
    """The image as the older downloader made it."""
    command = [
        str(convert), "-define", f"jpeg:size={2 * box}x{2 * box}", "-", "-auto-orient", "-thumbnail", *geometry,
        "-quality", str(_QUALITY), "jpg:-",
    ]  # fmt: skip
    return subprocess.run(command, input=body, capture_output=True, check=True).stdout


def _by_us(body: bytes, mode: ResizeMode, box: int, scaling: Scaling = Scaling.FAITHFUL) -> bytes:
    picture = inspect(body)
    assert isinstance(picture, Picture)
    made = render(picture, [Rendition("r", "r", mode, box, "jpg", _QUALITY, scaling=scaling)])
    assert isinstance(made, list)
    return made[0].body


def _by_libvips(body: bytes, box: int, options: dict[str, str]) -> bytes:
    image = pyvips.Image.thumbnail_buffer(body, box, height=box, **options)
    saved: bytes = image.jpegsave_buffer(Q=_QUALITY, keep="none")
    return saved


def _ssim(one: bytes, other: bytes) -> float:
    """The mean structural similarity of the luma of two images; 1 if they are the same.

    Wang, Bovik, Sheikh, Simoncelli: "Image quality assessment: from error visibility
    to structural similarity", 2004, with its Gaussian window.
    """
    x, y = (_luma(body) for body in (one, other))
    assert (x.width, x.height) == (y.width, y.height)
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x = _blurred(x * x) - mean_x**2
    variance_y = _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    similarity = ((2 * mean_x * mean_y + _LUMA) * (2 * covariance + _CONTRAST)) / (
        (mean_x**2 + mean_y**2 + _LUMA) * (variance_x + variance_y + _CONTRAST)
    )
    return float(similarity.mean())


def _luma(body: bytes) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(body, "").colourspace("b-w").cast("double").copy_memory()


def _blurred(image: pyvips.Image) -> numpy.ndarray:
    pixels: numpy.ndarray = image.gaussblur(_SIGMA, precision="float", min_ampl=0.01).numpy()
    return pixels
