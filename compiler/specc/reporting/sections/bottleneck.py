"""What holds the study back: the most likely bottleneck, its evidence and what to try. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from specc.kinds.sentences import point
from specc.model import Json
from specc.reporting.sections.load_answers import curve_name

_UNDETERMINED = "undetermined"


def sections(summary: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return one entry for each answer: of each load curve, else of each group of cells.

    Each with `title`, `answer`, `evidence` and `next_actions`; equal answers are told once.
    """
    found: dict[str, dict[str, Json]] = {}
    for title, one in _answers(summary):
        entry = {
            "answer": _answer(one),
            "known": one["class"] != _UNDETERMINED,
            "confidence": one.get("confidence"),
            "reason": one.get("reason"),
            "evidence": list(one.get("evidence") or ()),
            "next_actions": list(one.get("next_actions") or ()),
            "missing": list(one.get("missing") or ()),
        }
        known = found.setdefault(repr(entry), {**entry, "titles": []})
        known["titles"].append(title)
    return [{**one, "title": _title(one["titles"])} for one in found.values()]


def _answer(one: Mapping[str, Json]) -> str:
    """Return the class, and what reached its limit at the same time."""
    name = str(one["class"]).replace("_", " ")
    tied = [str(each).replace("_", " ") for each in one.get("tied") or ()]
    return f"{name} (with {', '.join(tied)})" if tied else name


def _answers(summary: Mapping[str, Json]) -> list[tuple[str, Mapping[str, Json]]]:
    curves = [curve for curve in summary.get("load") or () if curve.get("bottleneck")]
    of_curves = [
        (curve_name(curve, summary) or "all points", curve["bottleneck"]) for curve in curves
    ]
    groups = summary.get("bottleneck") or ()
    return of_curves + [(_named(one.get("axes")), one) for one in groups if "class" in one]


def _named(axes: Json) -> str:
    return point(axes) if axes else "all points"


def _title(titles: list[str]) -> str:
    names = list(dict.fromkeys(titles))
    return "; ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
