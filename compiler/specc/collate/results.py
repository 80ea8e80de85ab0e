"""Build results-<run_id>.json: the cells of one run, in the shape its kind promises.

Pure.
"""

from __future__ import annotations

from specc.kinds.base import TablesRoom
from specc.model import Json


def results_documents(summary: Json, room: TablesRoom) -> dict[str, Json]:
    """Return file name -> document, one for each run that has happened."""
    runs = [run for run in summary["runs"] if run["run_id"] is not None]
    ids = [run["run_id"] for run in runs]
    documents = {}
    for run in runs:
        alone = ids.count(run["run_id"]) == 1
        middle = run["run_id"] if alone else f"{run['bundle_id']}-{run['run_id']}"
        documents[f"results-{middle}.json"] = _document(summary, run, room)
    return documents


def _document(summary: Json, run: Json, room: TablesRoom) -> Json:
    mine = [
        cell
        for cell in summary["cells"]
        if cell["run_id"] == run["run_id"] and run["bundle_id"] in cell["bundles"]
    ]
    states = [t for rows in summary["completeness"]["tasks"].values() for t in rows]
    return {
        "schema_version": summary["schema_version"],
        "kind": summary["kind"],
        "name": summary["name"],
        **run,
        "percentile_method": summary["percentile_method"],
        "machines": [m for m in summary["machines"] if _ran_on(m, run)],
        "cells": [_cell(cell, room) for cell in mine],
        "not_measured": [
            t for t in states if (t["bundle_id"], t["run_id"]) == (run["bundle_id"], run["run_id"])
        ],
    }


def _cell(cell: Json, room: TablesRoom) -> Json:
    trace = {key: cell[key] for key in ("cell", "condition_id", "tasks")}
    return {**room.result_cell(cell), **trace}


def _ran_on(machine: Json, run: Json) -> bool:
    return {"bundle_id": run["bundle_id"], "run_id": run["run_id"]} in machine["runs"]
