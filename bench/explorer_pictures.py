"""The screenshots of the explorer: a demo's images in light and dark, and in a narrow window."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

_IMAGES = 200
_PORT = 8630  # of the demo's first server
# An upright photo with three whole objects of three classes, each with a mask, that is large.
_FINE = """
    SELECT b.image_id FROM box AS b JOIN download AS d USING (image_id)
    WHERE d.status = 'done' AND coalesce(d.orientation, 1) = 1 AND d.bands = 3 AND d.width >= 400
    GROUP BY b.image_id
    HAVING count(*) = 3 AND count(DISTINCT b.label_name) = 3
       AND sum(b.is_occluded + b.is_truncated + b.is_group_of + b.is_depiction + b.is_inside) = 0
       AND (SELECT count(*) FROM segmentation AS s WHERE s.image_id = b.image_id) = 3
    ORDER BY b.image_id
"""
_VIEWS = (  # name, width, height, colours, and what is shown
    ("explorer", 1200, 860, "light", "#images?class=Cat"),
    ("explorer-dark", 1200, 860, "dark", "#images?image={}&file=original"),
    ("explorer-phone", 360, 740, "light", "#images?image={}&file=original"),
)


def shots(browser: Any, directory: Path) -> Iterator[tuple[str, bytes]]:
    """The name and PNG of each screenshot, of a demo that is made in `directory`."""
    root = directory / "openimages"
    demo = [sys.executable, "-m", "oidl", "demo", f"--root-dir={root}", f"--images={_IMAGES}", f"--port={_PORT}"]
    environment = {**os.environ, "no_proxy": "*"}
    subprocess.run([*demo, "--progress=none"], check=True, stdout=subprocess.DEVNULL, env=environment)
    with closing(sqlite3.connect(root / "oidl.sqlite3")) as db:
        ((image_id,), *_) = db.execute(_FINE).fetchall()
    with _served(root) as url:
        for name, width, height, scheme, view in _VIEWS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(url + view.format(image_id))
            page.wait_for_selector("#gallery li img")
            page.wait_for_timeout(1_500)  # until all pictures are drawn
            yield name, page.screenshot()
            page.close()


@contextmanager
def _served(root: Path) -> Iterator[str]:
    """The address of the page of `root`."""
    command = [sys.executable, "-m", "oidl", "web", f"--root-dir={root}", "--address=127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found
    try:
        yield found[0]
    finally:
        process.terminate()
        process.wait()
