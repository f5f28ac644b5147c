"""Images with a part missing are refused, odd but whole ones are not: by kind of damage, over many photos."""

import base64
import random

import pytest

from oidl.demo.damage import (
    ODDITIES,
    Damage,
    chunk_cut_out,
    cut_short_by_two,
    flipped,
    kept,
    scan,
    without_frame,
    without_quantization,
    without_two_bytes,
    zeroed,
)
from oidl.imaging.inspect import Picture, decode_check, inspect
from oidl.imaging.photo import photo
from oidl.imaging.rendition import render
from oidl.imaging.vips import pyvips
from oidl.model import Failure, Reason, Rendition, ResizeMode, Validation

THUMB = Rendition("thumb", "thumb", ResizeMode.FILL_CROP, 64, "jpg")
COUNT = 24


def looks(*, is_progressive: bool = False) -> list[bytes]:
    return [photo(seed, 640, 480, quality=90, progressive=is_progressive, grey=seed % 6 == 5) for seed in range(COUNT)]


BASELINE, PROGRESSIVE = looks(), looks(is_progressive=True)


def verdict(body: bytes, validation: Validation = Validation.DECODE) -> Reason | None:
    """What a rendition of `body`, and the check without one, agree on."""
    picture = inspect(body)
    if isinstance(picture, Failure):
        return picture.reason
    rendered = render(picture, [THUMB], validation=validation)
    missing = decode_check(picture, validation)
    assert isinstance(rendered, Failure) == (missing is not None)
    return missing and missing.reason


@pytest.mark.parametrize("bodies", [BASELINE, PROGRESSIVE], ids=["baseline", "progressive"])
@pytest.mark.parametrize(
    "damage",
    [kept(0.1), kept(0.5), kept(0.9), kept(0.99), cut_short_by_two],
    ids=["10 %", "50 %", "90 %", "99 %", "2 bytes"],
)
def test_a_truncated_picture_is_refused(damage: Damage, bodies: list[bytes]) -> None:
    rng = random.Random(1)
    assert [verdict(damage(body, rng)) for body in bodies] == [Reason.CORRUPT] * COUNT


@pytest.mark.parametrize("damage", [without_two_bytes, chunk_cut_out, without_quantization, without_frame])
def test_a_picture_with_a_piece_missing_is_refused(damage: Damage) -> None:
    rng = random.Random(2)
    assert {verdict(damage(body, rng)) for body in BASELINE} == {Reason.CORRUPT}


@pytest.mark.parametrize(("damage", "share"), [(zeroed, 0.98), (flipped, 0.95)])
def test_damage_in_the_middle_is_nearly_always_seen(damage: Damage, share: float) -> None:
    rng = random.Random(3)
    bodies = BASELINE + [photo(seed, 1024, 768, quality=90) for seed in range(COUNT)]
    damaged = [damage(body, rng) for body in bodies for _ in range(2)]
    assert sum(verdict(body) is Reason.CORRUPT for body in damaged) >= share * len(damaged)


def with_restarts(body: bytes) -> bytes:
    """As `body`, with a restart marker after every row of blocks."""
    pixels = pyvips.Image.jpegload_buffer(body)
    return bytes(pixels.jpegsave_buffer(Q=85, restart_interval=40))


@pytest.mark.parametrize("count", [1, 2, 8])
def test_missing_restart_intervals_are_seen(count: int) -> None:
    for body in BASELINE[:5]:  # in colour: 40 blocks of 16 pixels are a row
        marked = with_restarts(body)
        marks = [at for at in range(scan(marked), len(marked)) if marked[at] == 0xFF and 0xD0 <= marked[at + 1] <= 0xD7]
        assert len(marks) == 29
        assert verdict(marked) is None
        assert verdict(marked[: marks[9]] + marked[marks[9 + count] :]) is Reason.CORRUPT


# 64 × 48 pixels, arithmetic-coded, which few programs write.
ARITHMETIC = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCN"
    "l4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/yQAR"
    "CAAwAEADASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwCu83rOexcCBf2LUk659NdQ7MK9tqJ0CKdDlIG2/dyUWDt/uAvk7ijf"
    "SIoJ4okHuDel/dsZG7U67Nes0qK08puYYkcbgIANmf8A/j5TRKlY9lIYPsAV+iA4u+WUxtSfRjpiIv5NHdSL0/ZIugukHwiEcXLk8xUwlqoP"
    "vbQzWy9fRa6zXBKfX2vPH0YKpx/W35vAL+eCm1Uaw0AU3G6gxrWrKo3OUh6TmkQPM2sgPYErmi0aakSQ+46dSgHAwsdFPnXuUYPAzqYFe/o0"
    "N/gAt/i1ZelzSzqPJdc+apomTDXTXurlDhD+cZt0XK9uo+1PytYtgduHz02+6rvYCI60jrC4e1CNsF2slQDCADAcfthOlkKUk+iEUHMPHZlS"
    "ZmKNSaGGudy/Mw5TwPEr6vTxo/k4SxHHoND/2Q=="
)


def test_arithmetic_coding_is_read_and_checked_too() -> None:
    assert verdict(ARITHMETIC) is None
    assert verdict(ARITHMETIC[: len(ARITHMETIC) * 3 // 4]) is Reason.CORRUPT


@pytest.mark.parametrize("oddity", list(ODDITIES))
def test_an_odd_picture_that_is_whole_passes(oddity: str) -> None:
    assert {verdict(ODDITIES[oddity](body)) for body in BASELINE} == {None}


def test_strictness_is_the_users_to_choose() -> None:
    odd, damaged = ODDITIES["bytes between segments"](BASELINE[0]), kept(0.5)(BASELINE[0], random.Random(5))
    assert (verdict(odd), verdict(damaged)) == (None, Reason.CORRUPT)
    assert verdict(odd, Validation.STRICT) is Reason.CORRUPT
    picture = inspect(damaged)
    assert isinstance(picture, Picture)
    assert isinstance(render(picture, [THUMB], validation=Validation.OFF), list)


@pytest.mark.parametrize("look", [{"grey": True}, {"cmyk": True}, {"progressive": True}, {"orientation": 6}])
def test_every_look_passes_whole_and_fails_in_half(look: dict[str, object]) -> None:
    body = photo(1, 300, 200, **look)  # type: ignore[arg-type]
    assert verdict(body) is None
    assert verdict(kept(0.5)(body, random.Random(6))) is Reason.CORRUPT
