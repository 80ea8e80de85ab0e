"""Estimate what text fits into a box of a slide, on the safe side. Pure.

Lengths in inches, sizes of type in points. A slide has no layout engine that would wrap and flow:
what does not fit runs out of its box, so it is made smaller first and then cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

_WIDTH = 0.49
"""Of a letter, in parts of the size of type: over English text Arial's is about 0.44."""
_LINE = 1.22
"""Of a line's height, likewise."""
_POINTS = 72.0
_INSET = 0.1
"""Left and right in a text box and in a table's cell."""

Rows = Sequence[Sequence[str]]


def lines(text: str, width: float, size: float) -> int:
    """Return how many lines a text takes, broken at spaces; long words are broken anywhere."""
    room = max(1, math.floor((width - 2 * _INSET) * _POINTS / (_WIDTH * size)))
    count = 0
    for paragraph in text.split("\n"):
        used = 0
        count += 1
        for word in paragraph.split(" "):
            length = letters(word)
            if used and used + 1 + length > room:
                count += 1
                used = 0
            used += length + (1 if used else 0)
            count += (used - 1) // room if used > room else 0
            used = used % room if used > room else used
    return count


def letters(word: str) -> int:
    """Return the letters of usual width that a word takes: capitals are wider."""
    return math.ceil(len(word) + 0.4 * sum(map(str.isupper, word)))


def height(texts: Sequence[str], width: float, size: float, *, gap: float = 0.45) -> float:
    """Return the height of paragraphs, with a gap between them in parts of a line."""
    count = sum(lines(text, width, size) for text in texts) + gap * max(0, len(texts) - 1)
    return count * size * _LINE / _POINTS


def table_height(rows: Rows, widths: Sequence[float], size: float) -> float:
    """Return the height of a table: each row as high as its highest cell."""
    return sum(
        max(lines(text, width, size) for text, width in zip(row, widths, strict=True))
        * size
        * _LINE
        / _POINTS
        + _INSET
        for row in rows
    )


def column_widths(rows: Rows, width: float) -> list[float]:
    """Return the widths of a table's columns: by their texts, none narrower than its words."""
    shares = []
    for cells in zip(*rows, strict=True):
        word = max((letters(word) for cell in cells for word in cell.split()), default=1)
        shares.append(max(1.3 * min(word, 24) + 3, min(max(map(len, cells)), 44)))
    return [width * share / sum(shares) for share in shares]


def largest(needed: Callable[[float], float], room: float, sizes: Sequence[float]) -> float | None:
    """Return the first size of type at which something fits into the room; None where none does.

    sizes: falling.
    """
    return next((size for size in sizes if needed(size) <= room), None)


def kept(
    texts: Sequence[str], width: float, room: float, sizes: Sequence[float]
) -> tuple[list[str], float, int]:
    """Return the paragraphs that fit, their size, and how many were left out.

    A first paragraph too long for the box by itself is cut.
    """
    for count in range(len(texts), 0, -1):
        chosen = list(texts[:count])
        size = largest(partial(height, chosen, width), room, sizes)
        if size is not None:
            return chosen, size, len(texts) - count
    if not texts:
        return [], sizes[0], 0
    text = texts[0]
    while len(text) > 1 and height([text], width, sizes[-1]) > room:
        text = text[: math.floor(len(text) * 0.9)].rstrip(" …") + "…"
    return [text], sizes[-1], len(texts) - 1


def kept_rows(
    rows: Rows, widths: Sequence[float], room: float, sizes: Sequence[float]
) -> tuple[Rows, float]:
    """Return the head and as many rows as fit, and their size of type.

    A smaller size is taken where it keeps words whole that a larger one would break.
    """
    for count in range(len(rows), 1, -1):
        chosen = rows[:count]
        fit = [size for size in sizes if table_height(chosen, widths, size) <= room]
        if fit:
            whole = (size for size in fit if _keeps_words(chosen, widths, size))
            return chosen, next(whole, fit[0])
    return rows[:2], sizes[-1]


def _keeps_words(rows: Rows, widths: Sequence[float], size: float) -> bool:
    return all(
        lines(word, width, size) == 1
        for row in rows
        for text, width in zip(row, widths, strict=True)
        for word in text.split()
    )
