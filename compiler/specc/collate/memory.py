"""Have polars keep the memory that it is done with, for the next table of the same size.

Only for the process that collates: nothing that it starts sees the setting.
"""

from __future__ import annotations

import importlib
import os
import sys

_SETTING = "_RJEM_MALLOC_CONF"
"""Read by the allocator of polars while that is loaded, and never again; polars puts its own
settings before it, and would leave both to all that this process starts."""


def keep_memory() -> None:
    """Load polars so that it gives no memory back to the system before the process ends.

    Tables of a piece of a file are as large as those of the next, and each page that was given
    back costs a fault. Does nothing where polars is loaded already; what the user has set counts.
    """
    if "polars" in sys.modules:
        return
    given = os.environ.get(_SETTING)
    os.environ[_SETTING] = ",".join(["dirty_decay_ms:-1,muzzy_decay_ms:-1", *filter(None, [given])])
    try:
        importlib.import_module("polars")
    finally:
        del os.environ[_SETTING]
        if given is not None:
            os.environ[_SETTING] = given
