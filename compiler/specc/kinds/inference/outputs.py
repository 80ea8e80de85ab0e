"""Proof that cells did the same work: equal predictions, and how far logits differ.

Every cell is compared with one reference cell, first completed run against first completed run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from specc.model import Json

_EMPTY: dict[str, Json] = {
    "accuracy": None,
    "accuracy_reason": "no run was completed",
    "predictions_sha256": None,
    "predictions_equal_in_all_runs": None,
    "reference_cell": None,
    "argmax_agreement": None,
    "max_abs_logit_difference": None,
}


def compare(
    cells: Sequence[Mapping[str, Json]],
    members: Mapping[str, Sequence[int]],
    outputs: pl.LazyFrame,
    reference: Mapping[str, Json] | None,
) -> dict[str, dict[str, Json]]:
    """Return for each cell its predictions, accuracy and agreement with the reference cell.

    reference: axis values that name the reference (`analysis.reference`); None = the first cell.
    """
    rows = {row["task"]: row for row in outputs.collect().iter_rows(named=True)}
    runs = {c["cell"]: [rows[t] for t in members[c["cell"]] if t in rows] for c in cells}
    chosen = _reference(cells, runs, reference)
    base = runs[chosen][0] if chosen is not None else None
    return {
        c["cell"]: _one_cell(runs[c["cell"]], chosen, base) if runs[c["cell"]] else dict(_EMPTY)
        for c in cells
    }


def _reference(
    cells: Sequence[Mapping[str, Json]],
    runs: Mapping[str, Sequence[Any]],
    wanted: Mapping[str, Json] | None,
) -> str | None:
    """Return the first cell with outputs that fits; None when none of them has outputs."""
    for cell in cells:
        fits = all(cell["axes"].get(k) == v for k, v in (wanted or {}).items())
        if fits and runs[cell["cell"]]:
            return str(cell["cell"])
    return None


def _one_cell(
    runs: Sequence[Mapping[str, Any]], chosen: str | None, base: Mapping[str, Any] | None
) -> dict[str, Json]:
    first = runs[0]
    hashes = {run["predictions_sha256"] for run in runs}
    agreement, difference = _agreement(first["logits"], base["logits"] if base else None)
    return {
        "accuracy": first["accuracy"],
        "accuracy_reason": first["accuracy_reason"],
        "predictions_sha256": first["predictions_sha256"],
        "predictions_equal_in_all_runs": len(hashes) == 1,
        "reference_cell": chosen,
        "argmax_agreement": agreement,
        "max_abs_logit_difference": difference,
    }


def _agreement(
    logits: Sequence[Sequence[float]] | None, base: Sequence[Sequence[float]] | None
) -> tuple[float | None, float | None]:
    """Return (share of equal argmax, largest absolute difference) of two (n, classes) arrays."""
    if not logits or not base or len(logits) != len(base):
        return None, None
    pairs = list(zip(logits, base, strict=True))
    if any(len(a) != len(b) or not a for a, b in pairs):
        return None, None
    equal = sum(a.index(max(a)) == b.index(max(b)) for a, b in map(_lists, pairs))
    largest = max(abs(x - y) for a, b in pairs for x, y in zip(a, b, strict=True))
    return equal / len(pairs), largest


def _lists(pair: tuple[Sequence[float], Sequence[float]]) -> tuple[list[float], list[float]]:
    return list(pair[0]), list(pair[1])
