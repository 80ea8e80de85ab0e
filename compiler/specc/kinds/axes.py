"""What plots and reports need to know of a matrix's axes: which to draw, how, under which title.

Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from specc.kinds.sentences import is_number
from specc.model import Json

_AXIS_UNITS = {
    **{unit.lower(): unit for unit in ("s", "ms", "ns", "min", "h", "Hz", "MHz", "GHz", "W", "J")},
    **{unit.lower(): unit for unit in ("B", "KiB", "MiB", "GiB", "kB", "MB", "GB", "GBps")},
    **{"us": "µs", "bytes": "bytes", "pct": "%", "percent": "%", "rps": "requests/s"},
    **{"qps": "queries/s", "samples": "samples", "tokens": "tokens", "watts": "W"},
}
"""What the last word of an axis's name says of its unit."""


def axes_to_draw(
    axes: Mapping[str, Sequence[Json]], *, x: str | None = None, series: str | None = None
) -> tuple[str | None, tuple[str, ...]]:
    """Return the axis for the x side (the first numeric one with two values) and the others.

    x, series: what a spec asks for as the x side and as the first of the others.
    """
    varied = [name for name, values in axes.items() if len(values) > 1]
    numeric = [name for name in varied if all(is_number(v) for v in axes[name])]
    chosen = x if x in axes else next(iter(numeric or varied or list(axes)), None)
    others = [name for name in varied if name != chosen]
    return chosen, tuple(sorted(others, key=lambda name: name != series))


def is_geometric(values: Sequence[Json]) -> bool:
    """Tell whether values grow by factors (1, 2, 4, 8) rather than by steps."""
    numbers = sorted(v for v in values if is_number(v))
    if len(numbers) < 3 or numbers[0] <= 0:
        return False
    ratios = [b / a for a, b in itertools.pairwise(numbers)]
    return bool(min(ratios) >= 1.5)


def axis_title(name: str) -> str:
    """Return an axis's name in words, with the unit that it ends in: "timeout_s", "timeout [s]"."""
    words, _, last = name.rpartition("_")
    unit = _AXIS_UNITS.get(last.lower())
    return f"{words} [{unit}]".replace("_", " ") if words and unit else name.replace("_", " ")
