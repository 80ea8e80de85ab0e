"""Say once what was said of many: texts that differ in their numbers only become one with ranges.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from specc.analysis.signs import MINUS

# not a digit of a name: p90, c0001, node-12, torch 2.13.0
_NUMBER = re.compile(rf"(?<![\w.-])[+{MINUS}-]?\d+(?:,\d{{3}})*(?:\.\d+)?(?![\w.])")


@lru_cache(maxsize=4096)
def shape(text: str) -> str:
    """Return a text with its numbers replaced, to tell which texts say the same."""
    return _NUMBER.sub("#", text)


def grouped(texts: Iterable[str]) -> dict[str, list[str]]:
    """Return the texts by their shape, in the order of the first of each."""
    found: dict[str, list[str]] = {}
    for text in texts:
        found.setdefault(shape(text), []).append(text)
    return found


def merged(texts: Sequence[str]) -> str:
    """Return texts of one shape as one: where a number differs, "least to largest".

    ["drift of +6.1 %", "drift of +11.0 %"] becomes "drift of +6.1 % to +11.0 %".
    """
    numbers = [_NUMBER.findall(text) for text in dict.fromkeys(texts)]
    parts = _NUMBER.split(texts[0])
    told = []
    for place in range(len(numbers[0])):
        seen = sorted({each[place] for each in numbers}, key=_value)
        unit = " %" if parts[place + 1].startswith(" %") and len(seen) > 1 else ""
        told.append(seen[0] if len(seen) == 1 else f"{seen[0]}{unit} to {seen[-1]}")
    pieces = [part + number for part, number in zip(parts, told, strict=False)]
    return "".join(pieces) + parts[-1]


def _value(number: str) -> float:
    return float(number.replace(",", "").replace(MINUS, "-"))
