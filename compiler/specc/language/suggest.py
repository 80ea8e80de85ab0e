"""Guess what a misspelt name was meant to be. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name nearest to `name`; None when none is near."""
    by_folded = {_fold(candidate): candidate for candidate in known}
    found = get_close_matches(_fold(name), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str], *, noun: str = "known") -> str:
    """Return a hint: the nearest name, or all of them when none is near and they are few."""
    candidates = sorted(set(known))
    if (near := closest(name, candidates)) is not None:
        return f"did you mean '{near}'?"
    if not candidates:
        return "there is nothing to choose from"
    shown = ", ".join(candidates[:12])
    return f"{noun}: {shown}{', …' if len(candidates) > 12 else ''}"


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")
