"""Write shares and negative numbers in sentences: one style for all that a person reads.

Pure. "80 %" and a real minus sign; what programs read (numbers of JSON, CSV, Parquet) has neither.
"""

from __future__ import annotations

MINUS = "\u2212"


def percent(share: float, digits: int = 0) -> str:
    """Return a share of 1 as "80 %"."""
    return f"{fixed(100 * share, digits)} %"


def change(share: float) -> str:
    """Return a change by a share of 1 with its sign: "+6.1 %", "−0.3 %"."""
    return f"{fixed(100 * share, 1, signed=True)} %"


def fixed(value: float, digits: int, *, signed: bool = False) -> str:
    """Return a number with that many digits behind the point, and the minus sign of print."""
    # a zero has no sign, whatever side it was rounded from
    rounded = round(value, digits) + 0.0
    return f"{rounded:{'+' if signed else ''}.{digits}f}".replace("-", MINUS)
