"""Spell out a list of nodes as Slurm writes it: "n[1-3,07],login" names five. Pure."""

from __future__ import annotations

import re
from typing import Iterator, List, Tuple

_BRACKET = re.compile(r"^([^\[\]]*)\[([0-9,-]+)\](.*)$")
_MOST = 100_000
"""More nodes than any list names; a typing error must not fill the memory."""


def expand(text: str) -> Tuple[str, ...]:
    """Return the names of a list, in its order. Raises ValueError for what is no such list."""
    names: List[str] = []
    for part in _split(text):
        for name in _expand_one(part):
            names.append(name)
            if len(names) > _MOST:
                raise ValueError(f"{text!r} names more than {_MOST} nodes")
    return tuple(names)


def _split(text: str) -> Iterator[str]:
    """Yield the parts between the commas that stand outside brackets."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    if text:
        yield text[start:]


def _expand_one(part: str) -> Iterator[str]:
    match = _BRACKET.match(part)
    if match is None:
        if not part or "[" in part or "]" in part:
            raise ValueError(f"{part!r} is no name of nodes")
        yield part
        return
    head, numbers, rest = match.groups()
    for number in _numbers(numbers):
        for tail in _expand_one(rest) if rest else ("",):
            yield f"{head}{number}{tail}"


def _numbers(text: str) -> Iterator[str]:
    for item in text.split(","):
        first, dash, last = item.partition("-")
        if not first or (dash and not last):
            raise ValueError(f"[{text}] is no list of numbers")
        # zeros in front count: n[08-10] is n08, n09, n10
        for number in range(int(first), int(last or first) + 1):
            yield str(number).zfill(len(first))
