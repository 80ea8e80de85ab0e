"""What the analysis takes as a sample: an array of numpy or any sequence of numbers.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
Values: TypeAlias = Sequence[float] | Array
"""One number for each measured thing, finite, without shape: (n,)."""


def as_array(values: Values) -> Array:
    """Return the values as a (n,) array of float64, without a copy where they are one already."""
    found: Array = np.asarray(values, dtype=np.float64)
    return found


def dot(first: Array, second: Array) -> float:
    """Return the inner product of two (n,) arrays.

    Not `@`: for long arrays its library starts threads, which on a busy machine wait for one
    another.
    """
    return float(np.einsum("i,i->", first, second))
