"""Have polars keep the memory that it is done with, for the next table of the same size.

Only for the process that collates: nothing that it starts sees the setting.
"""

from __future__ import annotations

import importlib
import os
import sys

_SETTING = "_RJEM_MALLOC_CONF"
"""Read by the allocator of polars while that is loaded, and never again."""


def keep_memory() -> None:
    """Load polars so that it gives no memory back to the system before the process ends.

    Tables of a piece of a file are as large as those of the next, and each page that was given
    back costs a fault. Does nothing where polars is loaded already or the user has a setting.
    """
    if "polars" in sys.modules or _SETTING in os.environ:
        return
    os.environ[_SETTING] = "dirty_decay_ms:-1,muzzy_decay_ms:-1"
    importlib.import_module("polars")
    del os.environ[_SETTING]
