"""libvips, set up for many small pictures in several threads, with only the allowed loaders.

Modules of this room import `pyvips` from here, so that nothing runs before the set-up.
"""

import atexit
import logging
import os
from typing import Any

from oidl.text import printable

# One thread per image: the parallelism is across images. libvips reads this when it starts.
os.environ.setdefault("VIPS_CONCURRENCY", "1")
# Its exceptions are translated to failure reasons; its warnings are not needed.
os.environ.setdefault("VIPS_WARNING", "0")

import pyvips

log = logging.getLogger("oidl")

VIPS_ERRORS = (pyvips.Error, UnicodeDecodeError)
"""What pyvips raises for a bad picture: it decodes messages and field names, which quote the file, as UTF-8."""

# pyvips passes every libvips message to Python's logging: 14 callbacks per image, each waiting for the GIL.
pyvips._remove_log_handler()
pyvips.cache_set_max(0)  # no operation is ever repeated here, and the cache would keep bodies alive

# The first bytes already decide what may be opened; this holds even if that check is wrong.
pyvips.operation_block_set("VipsForeignLoad", True)
for _loader in ("Jpeg", "Png", "Nsgif", "Webp", "Tiff"):
    pyvips.operation_block_set(f"VipsForeignLoad{_loader}", False)

# GLib's own handler writes to standard error, over the screen and between the lines of `--progress json`.
_DOMAINS = (b"VIPS", b"GLib-GObject", b"GLib", b"GLib-GIO", b"GModule", b"GThread", pyvips.ffi.NULL)
_ERROR, _CRITICAL, _WARNING, _MESSAGE = 1 << 2, 1 << 3, 1 << 4, 1 << 5  # GLogLevelFlags
_RECURSIVE, _FATAL = 1 << 0, 1 << 1


def _log_message(domain: Any, level: int, message: Any, user_data: Any) -> None:
    texts = (pyvips.ffi.string(text).decode(errors="replace") if text else "GLib" for text in (domain, message))
    log.debug("%s", printable(": ".join(texts)))


if pyvips.API_mode:
    pyvips.ffi.def_extern(name="_log_handler_callback")(_log_message)
    _handler = pyvips.glib_lib._log_handler_callback
else:
    _handler = pyvips.ffi.callback("GLogFunc", _log_message)
for _domain in _DOMAINS:
    _levels = _RECURSIVE | _FATAL | _ERROR | _CRITICAL | _WARNING | _MESSAGE
    _number = pyvips.glib_lib.g_log_set_handler(_domain, _levels, _handler, pyvips.ffi.NULL)
    # libvips may still log when the interpreter is gone.
    atexit.register(pyvips.glib_lib.g_log_remove_handler, _domain, _number)

__all__ = ["VIPS_ERRORS", "pyvips"]
