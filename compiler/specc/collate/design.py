"""Say how a study was planned: repetitions, order, what its spec asks the report. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from specc.model import Json

_ASKED = ("slo", "gates", "load", "reference", "report")


def design_facts(manifest: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a report says of the plan of the study that a manifest seals.

    `repetitions` as the spec resolves them; `analysis` the blocks it asks for, null where absent.
    """
    spec = manifest["spec"]
    asked = spec.get("analysis") or {}
    tasks = manifest.get("tasks") or {}
    return {
        "points": tasks.get("points"),
        "repetitions": spec.get("repetitions") or {},
        "analysis": {name: asked.get(name) or None for name in _ASKED},
    }
