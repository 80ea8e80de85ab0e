"""One field of a cluster profile, with the command it came from. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from specc.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One field of a profile."""

    field: str
    value: Json
    """None: not known, or nothing to say."""
    note: str
    """Where the value came from; without one, why there is none."""


def known(figures: tuple[Figure, ...]) -> dict[str, Json]:
    """Return the fields that have a value."""
    return {each.field: each.value for each in figures if each.value is not None}
