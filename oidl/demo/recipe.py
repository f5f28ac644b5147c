"""The parameters of the demo in a directory, to serve it again and to recognise its server.

`demo.json` has them; it is written when all photos are there. A server answers
`/demo.json` with the same values.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import trio

NAME = "demo.json"
CATALOGUE = "catalogue.toml"

_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """The number of photos, and the first port in their URLs."""

    images: int
    port: int


def read_recipe(directory: Path) -> Recipe | None:
    """The recipe of the demo in `directory`; None if there is none, or only a part of one."""
    try:
        recipe = json.loads((directory / NAME).read_text("utf-8"))
        return Recipe(int(recipe["images"]), int(recipe["port"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write_recipe(directory: Path, recipe: Recipe, catalogue_toml: str) -> None:
    """Writes the catalogue of the demo, then `recipe`."""
    (directory / CATALOGUE).write_text(catalogue_toml, "utf-8")
    (directory / NAME).write_text(json.dumps(asdict(recipe)), "utf-8")


def is_same(directory: Path, catalogue_toml: str) -> bool:
    """Whether the catalogue in `directory` is `catalogue_toml`; its MD5s cover everything that a run reads."""
    try:
        return (directory / CATALOGUE).read_text("utf-8") == catalogue_toml
    except OSError:
        return False


def identity(directory: Path, recipe: Recipe) -> bytes:
    """The body of `/demo.json` from a server of the demo in `directory`."""
    place = hashlib.sha256(bytes(directory.resolve())).hexdigest()
    return json.dumps({**asdict(recipe), "directory": place}).encode()


async def is_served(directory: Path, recipe: Recipe) -> bool:
    """Whether a server of exactly this demo listens on its first port."""
    expected = identity(directory, recipe)
    answer = b""
    try:
        with trio.fail_after(_PATIENCE_S):
            async with await trio.open_tcp_stream("127.0.0.1", recipe.port) as stream:
                await stream.send_all(f"GET /{NAME} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n".encode())
                async for piece in stream:
                    answer += piece
                    if len(answer) > 10_000:  # from another server, and perhaps endless
                        return False
    except (OSError, trio.TooSlowError, trio.BrokenResourceError):
        return False
    return answer.endswith(expected)
