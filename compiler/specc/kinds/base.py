"""What the compiler asks of a kind of experiment. A module satisfies it; there are no classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from specc.model import Fixture, Json, Spec
from specc.problems import Problem


class PlanRoom(Protocol):
    """`kinds/<kind>/plan.py`."""

    IDENTITY_VERSION: int
    """Raised when the same settings come to mean another measurement; part of every task_id."""
    MEASURES: bool
    """True: one task at a time on a node, unless the spec declares `sharing`."""
    RUNTIME_ROOMS: tuple[str, ...]
    """Folders of specc_runtime that a bundle of this kind needs beside the core: ("kinds/x", "ml")."""

    def derive(self, settings: dict[str, Json], axes: Mapping[str, Json]) -> dict[str, Json]:
        """Return the point's settings with the defaults that depend on other values written out."""

    def check(self, spec: Spec) -> Iterator[Problem]:
        """Yield what only this kind can know to be wrong, before any task exists."""

    def fixtures(self, settings: Mapping[str, Json]) -> tuple[Fixture, ...]:
        """Return what a shard starts before its tasks."""
