"""Keep sorted values for the percentiles of cells: in memory while they are few, else on disk."""

from __future__ import annotations

import mmap
import tempfile
from contextlib import ExitStack
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
IN_MEMORY = 10_000_000
"""Values of 8 bytes; further ones go to a file in the folder for temporary files ($TMPDIR)."""


class Kept(ExitStack):
    """Takes arrays and gives back the same values, which outlive this context."""

    def __init__(self) -> None:
        super().__init__()
        self._left = IN_MEMORY
        self._file: IO[bytes] | None = None

    @staticmethod
    def let_go(values: Values) -> None:
        """Take what was read of values on disk out of this process's memory."""
        base: Any = values.base
        if isinstance(base, mmap.mmap):
            base.madvise(mmap.MADV_DONTNEED)

    def keep(self, values: Values) -> Values:
        """Return the values, in memory or as a read-only map of a file without a name."""
        if len(values) <= self._left:
            self._left -= len(values)
            return values
        self._left = 0
        if self._file is None:
            temporary = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with this context
            self._file = self.enter_context(temporary)
        offset = self._file.seek(0, 2)
        self._file.write(values.tobytes())
        self._file.flush()
        return np.memmap(self._file, dtype=np.float64, mode="r", offset=offset, shape=values.shape)
