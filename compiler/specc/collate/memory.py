"""Have the process that collates spend no time on memory that it will need again, or never has.

Only for that process: nothing that it starts sees the settings.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys

_SETTING = "_RJEM_MALLOC_CONF"
"""Read by the allocator of polars while that is loaded, and never again; polars puts its own
settings before it, and would leave both to all that this process starts."""

_KEPT = "dirty_decay_ms:2000,muzzy_decay_ms:2000"
"""Longer than from one piece to the next. What is kept to the end, as by -1, costs no less time,
and lies beside what the longest run needs."""


def keep_memory() -> None:
    """Load polars so that it gives memory back to the system only after seconds without use.

    Tables of a piece of a file are as large as those of the next, and each page that was given
    back costs a fault. Does nothing where polars is loaded already; what the user has set counts.
    The cyclic garbage collector, which `collate` does without, is left off for good: there are no
    cycles to find in libraries while they are loaded, nor in a study when the process ends.
    """
    if "polars" in sys.modules:
        return
    gc.disable()
    # the interpreter looks once more at the end, whatever is disabled, through all that is left
    atexit.register(gc.freeze)
    given = os.environ.get(_SETTING)
    os.environ[_SETTING] = ",".join([_KEPT, *filter(None, [given])])
    try:
        importlib.import_module("polars")
    finally:
        del os.environ[_SETTING]
        if given is not None:
            os.environ[_SETTING] = given
