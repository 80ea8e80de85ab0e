"""What a gate asks: the metrics it looks at and how much worse is too much. Reads a gate file.

A gate file is YAML checked like a spec: every mistake with file, line and column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from specc.language.suggest import did_you_mean
from specc.matrix.conditions import meets
from specc.model import Document, Json
from specc.problems import Problem, error, stop_on_errors
from specc.resources import schema
from specc.stages.load import load
from specc.stages.parse import parse
from specc.stages.validate import schema_problems

VALUE = "value"
TOLERATE = 5.0
"""Of the baseline [%]."""
TOLERATE_POINTS = 1.0
"""Of a metric that is a percentage itself [percentage points]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """One metric of a gate."""

    metric: str
    statistic: str = VALUE
    """"value", or a percentile: "p99"."""
    alarm: float = 0.0
    """FAIL when it is proven to be worse by more than this [%, or points]."""
    tolerate: float | None = None
    """PASS when it is proven to be worse by less than this [%, or points]; None: the default."""
    where: Mapping[str, Json] | None = None
    """Cells that are looked at; None for all."""

    def takes(self, axes: Mapping[str, Json]) -> bool:
        """Return whether a cell is looked at; one without an axis of the condition is not."""
        return all(
            axis in axes and meets(wanted, [axes[axis]])
            for axis, wanted in (self.where or {}).items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """All that one comparison decides."""

    metrics: tuple[Gated, ...]
    """The headline's first; never empty."""
    passes: Literal["mean", "every_cell"] = "mean"
    level: float = 0.95


def read_gate(path: Path, summary: Mapping[str, Json]) -> Gate:
    """Read a gate file for studies like `summary`. Raises SpecInvalid with all its mistakes."""
    source = load(path)
    parsed = parse(source)
    document = Document(
        source=source,
        sources={source.shown: source},
        data=parsed.data,
        key_marks=parsed.key_marks,
        value_marks=parsed.value_marks,
        profile=None,
    )
    stop_on_errors(schema_problems("gate", document))
    stop_on_errors(_problems(document, summary))
    data = document.data
    named = data.get("primary", data["metrics"][0]["metric"])
    gated = [Gated(**entry) for entry in data["metrics"]]
    rest = {key: data[key] for key in ("passes", "level") if key in data}
    # stable: entries keep their order behind the headline's
    return Gate(metrics=tuple(sorted(gated, key=lambda one: one.metric != named)), **rest)


def _problems(document: Document, summary: Mapping[str, Json]) -> Iterator[Problem]:
    known = {metric["name"]: metric for metric in summary["metrics"]}
    entries: Sequence[Mapping[str, Json]] = document.data["metrics"]
    default = schema("gate")["properties"]["metrics"]["items"]["properties"]["alarm"]["default"]
    for place, entry in enumerate(entries):
        name = entry["metric"]
        mark = document.mark("metrics", place, "metric")
        path = f"metrics[{place}].metric"
        if name not in known:
            hint = did_you_mean(name, known, noun="metrics")
            yield error("E701", f"there is no metric '{name}'", mark=mark, path=path, hint=hint)
        elif known[name]["better"] == "none":
            message = f"'{name}' is neither better when lower nor when higher, so it can't be gated"
            hint = "take it out; `specc compare` shows it all the same"
            yield error("E702", message, mark=mark, path=path, hint=hint)
        alarm, tolerate = entry.get("alarm", default), entry.get("tolerate")
        if tolerate is not None and tolerate < alarm:
            message = f"tolerate {tolerate:g} is below alarm {alarm:g}: some effects would be both"
            mark = document.mark("metrics", place, "tolerate")
            hint = "raise tolerate, or lower alarm"
            path = f"metrics[{place}].tolerate"
            yield error("E703", message, mark=mark, path=path, hint=hint)
        for axis in entry.get("where") or {}:
            if axis not in summary["axes"]:
                mark = document.key_mark("metrics", place, "where", axis)
                hint = did_you_mean(axis, summary["axes"], noun="axes")
                path = f"metrics[{place}].where.{axis}"
                yield error("E704", f"there is no axis '{axis}'", mark=mark, path=path, hint=hint)
    named = document.data.get("primary")
    if named is not None and named not in {entry["metric"] for entry in entries}:
        mark = document.mark("primary")
        message = f"primary '{named}' is not among the gate's metrics"
        hint = "name one of them, or leave it out"
        yield error("E705", message, mark=mark, path="primary", hint=hint)


def default_gate(summary: Mapping[str, Json]) -> Gate | None:
    """Return the gate of a study without a gate file; None when nothing can be gated.

    The kind's first metric that is better when lower or higher and has a value, and what the
    spec's own gates hold against a baseline.
    """
    directed = {one["name"]: one for one in summary["metrics"] if one["better"] != "none"}
    first = [n for n in directed if any(_has_value(cell, n) for cell in summary["cells"])][:1]
    declared = [
        Gated(metric=one["metric"], statistic=_statistic(one), where=one.get("where"))
        for one in summary.get("gates") or ()
        if one.get("relative_to") == "baseline" and one["metric"] in directed
    ]
    named = {one.metric for one in declared}
    found = [Gated(metric=name) for name in first if name not in named] + declared
    return Gate(metrics=tuple(found)) if found else None


def _has_value(cell: Mapping[str, Json], metric: str) -> bool:
    return metric in cell["metrics"] and cell["metrics"][metric]["value"] is not None


def _statistic(limit: Mapping[str, Json]) -> str:
    told = str(limit.get("statistic") or VALUE)
    return told if told.startswith("p") else VALUE
