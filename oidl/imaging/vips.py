"""libvips, set up for many small pictures in several threads, with only the loaders we allow.

Modules of this room import `pyvips` from here, so that nothing runs before the set-up.
"""

import os

# One thread an image: the parallelism is across images. libvips reads this when it starts.
os.environ.setdefault("VIPS_CONCURRENCY", "1")
# What it would warn of is judged here by its exceptions, and told as a reason.
os.environ.setdefault("VIPS_WARNING", "0")

import pyvips

# pyvips passes every message of libvips to Python's logging: 14 calls back an image, each waiting for the GIL.
pyvips._remove_log_handler()
pyvips.cache_set_max(0)  # no operation is ever repeated here, and the cache would keep bodies alive

# First bytes already decide what may be opened; this holds even if that were wrong.
pyvips.operation_block_set("VipsForeignLoad", True)
for _loader in ("Jpeg", "Png", "Nsgif", "Webp", "Tiff"):
    pyvips.operation_block_set(f"VipsForeignLoad{_loader}", False)

__all__ = ["pyvips"]
