"""Compare: two runs in, one verdict out, with everything it rests on. Start reading here.

Pure but for `NotComparable`: sides come from `sides`, files are written by `write`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from specc.analysis.comparing.family import Verdict
from specc.comparing import say
from specc.comparing.differences import TOLD_ONLY, Difference, differences
from specc.comparing.gate import Gate, Gated
from specc.comparing.judge import Found, Line, Metric, judge, tolerated, unjudged
from specc.comparing.pairs import Pairing, pair
from specc.comparing.refusals import NotComparable, SameRun
from specc.comparing.scale import Scale, of_cell
from specc.comparing.sides import Side, same_run
from specc.comparing.studies import refuse_other_metrics, refuse_other_studies
from specc.model import Json
from specc.problems import ExitCode

SCHEMA_VERSION = 1
NOT_GATED = "NOT_GATED"
EXIT_CODES: Mapping[str, ExitCode] = {
    "PASS": ExitCode.OK,
    "FAIL": ExitCode.FINDINGS,
    "INCONCLUSIVE": ExitCode.INCONCLUSIVE,
}


def compare_sides(
    baseline: Side, current: Side, gate: Gate | None, *, across: Collection[str] = ()
) -> dict[str, Json]:
    """Return comparison.json. gate: None when no metric can be gated.

    across: names of differences that are meant. Raises NotComparable with those that are not.
    """
    if same_run(baseline, current):
        raise SameRun((Difference(what="run", baseline=baseline.run_id, current="the same run"),))
    pairing = pair(baseline.summary["cells"], current.summary["cells"], by_axes="spec" in across)
    refuse_other_studies(baseline, current, pairing)
    refuse_other_metrics(baseline, current)
    found = differences(baseline, current, pairing)
    refused = tuple(d for d in found if d.what not in across and d.what not in TOLD_ONLY)
    if refused:
        raise NotComparable(refused, across=across)
    known = (*baseline.summary["metrics"], *current.summary["metrics"])
    metrics = {metric["name"]: metric for metric in known}
    judged = _judged(gate, pairing, metrics) if gate else []
    verdict = _verdict(judged, gate)
    heads = [_headline(one, metrics[one.gated.metric]) for one in judged]
    return {
        "schema_version": SCHEMA_VERSION,
        "baseline": _side(baseline),
        "current": _side(current),
        "comparable": True,
        "why_not": [],
        "differences": [_difference(one) for one in found],
        "across": sorted(set(across)),
        "unpaired": _unpaired(pairing),
        "gate": verdict,
        "text": say.gate(verdict, heads),
        "primary": heads[0] if heads else None,
        "primaries": heads,
        "passes": gate.passes if gate else None,
        "family_level": gate.level if gate else None,
        "comparisons": sum(len(one.lines) + (one.cells > 1) for one in judged),
        "alarm": judged[0].gated.alarm if judged else None,
        "tolerate": tolerated(judged[0].gated, judged[0].scale) if judged else None,
        "rows": [*_gated_rows(judged, metrics), *_other_rows(judged, pairing, metrics)],
    }


def _judged(gate: Gate, pairing: Pairing, metrics: Mapping[str, Json]) -> list[Metric]:
    return [
        judge(one, pairing.pairs, gate, unit=metric["unit"], better=metric["better"])
        for one in gate.metrics
        if (metric := metrics[one.metric])
    ]


def not_comparable(
    baseline: Side, current: Side, reason: NotComparable, across: Collection[str]
) -> dict[str, Json]:
    """Return comparison.json of two runs that must not be compared."""
    return {
        "schema_version": SCHEMA_VERSION,
        "baseline": _side(baseline),
        "current": _side(current),
        "comparable": False,
        "why_not": [_difference(one) for one in reason.found],
        "differences": [_difference(one) for one in reason.found],
        "across": sorted(set(across)),
        "unpaired": {"baseline": [], "current": []},
        "gate": "INCONCLUSIVE",
        "text": reason.told,
        "primary": None,
        "primaries": [],
        "passes": None,
        "family_level": None,
        "comparisons": 0,
        "alarm": None,
        "tolerate": None,
        "rows": [],
    }


def _verdict(judged: list[Metric], gate: Gate | None) -> Verdict:
    """FAIL if anything failed; PASS if the means, or all cells as well, passed."""
    means = [one.mean.decision.verdict if one.mean else "INCONCLUSIVE" for one in judged]
    lines = [
        line.found.decision.verdict if line.found else "INCONCLUSIVE"
        for one in judged
        for line in one.lines
    ]
    if "FAIL" in (*means, *lines):
        return "FAIL"
    asked = [*means, *lines] if gate and gate.passes == "every_cell" else means
    return "PASS" if asked and set(asked) == {"PASS"} else "INCONCLUSIVE"


def _headline(one: Metric, metric: Mapping[str, Json]) -> dict[str, Json]:
    head: dict[str, Json] = {
        "metric": one.gated.metric,
        "label": metric["label"],
        "statistic": one.gated.statistic,
        "better": metric["better"],
        "unit": metric["unit"],
        "scale": one.scale.kind,
        "cells": one.cells,
        "alarm": one.gated.alarm,
        "tolerate": tolerated(one.gated, one.scale),
        "note": one.note or (one.lines[0].note if one.cells <= 1 and one.lines else None),
        **_numbers(one.mean, one.scale),
    }
    head["verdict"] = one.mean.decision.verdict if one.mean else "INCONCLUSIVE"
    failed = [line for line in one.lines if line.found and line.found.decision.verdict == "FAIL"]
    head["failed_cells"] = len(failed)
    head["worst_cell"] = _worst(failed, one.scale) if one.cells > 1 else None
    head["finding"] = say.finding(head)
    return {**head, "text": say.headline(head)}


def _worst(failed: list[Line], scale: Scale) -> dict[str, Json] | None:
    """Return the axes and the change of the cell that became worst."""
    effects = [(found.question.worse.centre, line) for line in failed if (found := line.found)]
    if not effects:
        return None
    worse, line = max(effects, key=lambda one: one[0])
    own = of_cell(scale, line.baseline.values)
    change = {"pct": own.change_pct(worse), "abs": own.change_abs(worse)}
    return {"axes": line.pair.baseline["axes"], **change}


def _numbers(found: Found | None, scale: Scale) -> dict[str, Json]:
    """Return effect, interval and reach in percent, or in the metric's unit; None without any."""
    keys = (
        "effect_pct", "low_pct", "high_pct", "effect_abs", "low_abs", "high_abs",
        "smallest_detectable_pct", "smallest_detectable_abs", "worse_at_least_pct",
        "needs_more_repetitions",
    )  # fmt: skip
    if found is None:
        return dict.fromkeys(keys)
    worse, bounds = found.question.worse.centre, found.reach
    ends = (bounds.low, bounds.high) if scale.sign > 0 else (bounds.high, bounds.low)
    pct = [scale.change_pct(one) for one in (worse, *ends)]
    plain = [scale.change_abs(one) for one in (worse, *ends)]
    smallest: tuple[float | None, ...] = (None, None)
    if bounds.smallest is not None:
        smallest = (scale.change_pct(bounds.smallest), scale.change_abs(bounds.smallest))
    values = (
        *pct,
        *plain,
        *(abs(one) if one is not None else None for one in smallest),
        scale.change_pct(bounds.at_least),
        bounds.more_runs,
    )
    return dict(zip(keys, values, strict=True))


def _gated_rows(judged: list[Metric], metrics: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    for one in judged:
        for line in one.lines:
            verdict = line.found.decision.verdict if line.found else "INCONCLUSIVE"
            yield _row(line, one.gated, metrics[one.gated.metric], one.scale, verdict)


def _other_rows(
    judged: list[Metric], pairing: Pairing, metrics: Mapping[str, Json]
) -> Iterator[dict[str, Json]]:
    looked_at = {one.gated.metric for one in judged}
    for name, metric in metrics.items():
        if name not in looked_at:
            gated = Gated(metric=name)
            for line, scale in unjudged(gated, pairing.pairs, unit=metric["unit"]):
                yield _row(line, gated, metric, scale, NOT_GATED)


def _row(
    line: Line, gated: Gated, metric: Mapping[str, Json], scale: Scale, verdict: str
) -> dict[str, Json]:
    numbers = _numbers(line.found, of_cell(scale, line.baseline.values))
    old, new = line.baseline.centre, line.current.centre
    absolute = None if old is None or new is None else new - old
    row: dict[str, Json] = {
        "cell_baseline": line.pair.baseline["cell"],
        "cell_current": line.pair.current["cell"],
        "axes": line.pair.baseline["axes"],
        "metric": gated.metric,
        "label": metric["label"],
        "statistic": gated.statistic,
        "unit": metric["unit"],
        "better": metric["better"],
        "gated": verdict != NOT_GATED,
        "alarm": gated.alarm if verdict != NOT_GATED else None,
        "tolerate": tolerated(gated, scale) if verdict != NOT_GATED else None,
        "baseline": old,
        "current": new,
        "verdict_baseline": line.baseline.verdict,
        "verdict_current": line.current.verdict,
        "runs": [len(line.baseline.values), len(line.current.values)],
        "delta_abs": absolute,
        "delta_pct": numbers.pop("effect_pct"),
        **{key: value for key, value in numbers.items() if key != "effect_abs"},
        "verdict": verdict,
        "note": line.note or _why_undecided(line, verdict),
    }
    return {**row, "effect_text": say.effect(row, "delta_pct", "delta_abs")}


def _why_undecided(line: Line, verdict: str) -> str | None:
    """Explain an interval above the alarm that is no FAIL."""
    found = line.found
    if verdict == "INCONCLUSIVE" and found and found.reach.low > found.question.alarm:
        if found.question.worse.error == 0:
            return "no run differs from its neighbours, and they are too few to rule out chance"
        return "worse if it stood alone, but not once all comparisons are counted"
    return None


def _side(side: Side) -> dict[str, Json]:
    named = [b for b in side.summary["bundles"] if b["bundle_id"] == side.bundle_id]
    return {
        "path": side.shown,
        "bundle": side.bundle_id,
        "run": side.run_id,
        "name": side.summary.get("name"),
        "specc_version": named[0]["specc_version"] if named else None,
        "hosts": sorted({host for run in side.summary["runs"] for host in run["hosts"]}),
    }


def _difference(one: Difference) -> dict[str, Json]:
    return {"what": one.what, "baseline": one.baseline, "current": one.current}


def _unpaired(pairing: Pairing) -> dict[str, list[Json]]:
    return {
        "baseline": [cell["axes"] for cell in pairing.only_baseline],
        "current": [cell["axes"] for cell in pairing.only_current],
    }
