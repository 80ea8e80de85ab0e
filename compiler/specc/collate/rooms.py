"""Find the rooms of a kind that collate needs, when it needs them (they load polars)."""

from __future__ import annotations

import importlib
from typing import cast

from specc.collate.values import ResultsInvalid
from specc.kinds import KINDS
from specc.kinds.base import ReportRoom, TablesRoom


def tables_room(kind: str) -> TablesRoom:
    """Return `kinds/<kind>/tables.py`. Raises ResultsInvalid for a kind this specc lacks."""
    return cast(TablesRoom, _room(kind, "tables"))


def report_room(kind: str) -> ReportRoom:
    """Return `kinds/<kind>/report.py`. Raises ResultsInvalid for a kind this specc lacks."""
    return cast(ReportRoom, _room(kind, "report"))


def _room(kind: str, name: str) -> object:
    if kind not in KINDS:
        raise ResultsInvalid(
            f"this specc cannot collate bundles of kind {kind!r}",
            hint="collate with the version of specc that compiled them, or a newer one",
        )
    return importlib.import_module(f"{KINDS[kind]}.{name}")
