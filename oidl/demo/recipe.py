"""What the demo in a directory was made with, so that it can be served again, and told from another's server.

A `demo.json` beside the photos says it once they are all there. A server answers
with the same values under `/demo.json`.
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
    """How many photos, and the first of the ports that their URLs have."""

    images: int
    port: int


def read_recipe(directory: Path) -> Recipe | None:
    """What the demo in `directory` was made with; None if there is none, or not all of one."""
    try:
        found = json.loads((directory / NAME).read_text("utf-8"))
        return Recipe(int(found["images"]), int(found["port"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write_recipe(directory: Path, recipe: Recipe, catalogue_toml: str) -> None:
    """Notes `recipe`, after the catalogue that leads to its files."""
    (directory / CATALOGUE).write_text(catalogue_toml, "utf-8")
    (directory / NAME).write_text(json.dumps(asdict(recipe)), "utf-8")


def is_same(directory: Path, catalogue_toml: str) -> bool:
    """Whether the catalogue in `directory` is `catalogue_toml`, whose MD5s are of all that a run reads."""
    try:
        return (directory / CATALOGUE).read_text("utf-8") == catalogue_toml
    except OSError:
        return False


def identity(directory: Path, recipe: Recipe) -> bytes:
    """What a server of the demo in `directory` answers under `/demo.json`."""
    place = hashlib.sha256(bytes(directory.resolve())).hexdigest()
    return json.dumps({**asdict(recipe), "directory": place}).encode()


async def is_served(directory: Path, recipe: Recipe) -> bool:
    """Whether a server of this very demo listens on its first port."""
    expected = identity(directory, recipe)
    answer = b""
    try:
        with trio.fail_after(_PATIENCE_S):
            async with await trio.open_tcp_stream("127.0.0.1", recipe.port) as stream:
                await stream.send_all(f"GET /{NAME} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n".encode())
                async for piece in stream:
                    answer += piece
                    if len(answer) > 10_000:  # another server's, and perhaps without an end
                        return False
    except (OSError, trio.TooSlowError, trio.BrokenResourceError):
        return False
    return answer.endswith(expected)
