"""Whether two runs are of one study at all, and mean the same by their metrics.

Pure. What is refused here is not a difference that `--across` could name.
"""

from __future__ import annotations

from specc.comparing.differences import Difference
from specc.comparing.pairs import Pairing, pair
from specc.comparing.refusals import NotComparable, OtherStudy
from specc.comparing.sides import Side


def refuse_other_studies(baseline: Side, current: Side, pairing: Pairing) -> None:
    """Raise OtherStudy when no point is paired, unless names and points are those of one study.

    A study whose settings changed keeps its name and its axes: that is a difference of its spec.
    """
    if pairing.pairs:
        return
    by_axes = pair(baseline.summary["cells"], current.summary["cells"], by_axes=True)
    one_name = baseline.summary.get("name") == current.summary.get("name")
    told_apart = bool(pairing.only_baseline or pairing.only_current)
    alike = bool(by_axes.pairs) and not _other_metrics(baseline, current)
    if not (by_axes.pairs and one_name and told_apart):
        raise OtherStudy(_study(baseline), _study(current), alike=alike)


def refuse_other_metrics(baseline: Side, current: Side) -> None:
    """Raise NotComparable when kinds differ, or equal names of metrics mean something else.

    Nothing makes such numbers comparable, so no --across covers them.
    """
    if found := _other_metrics(baseline, current):
        raise NotComparable(found)


def _other_metrics(baseline: Side, current: Side) -> tuple[Difference, ...]:
    old, new = baseline.summary, current.summary
    found = []
    if old["kind"] != new["kind"]:
        found.append(Difference(what="kind", baseline=old["kind"], current=new["kind"]))
    theirs = {metric["name"]: metric for metric in new["metrics"]}
    for metric in old["metrics"]:
        other = theirs.get(metric["name"], metric)
        for key in ("unit", "better", "definition"):
            if metric[key] != other[key]:
                what = f"{key} of {metric['name']}"
                found.append(Difference(what=what, baseline=metric[key], current=other[key]))
    return tuple(found)


def _study(side: Side) -> str:
    """Return what a side measured: "mini-sweep (command over size; bundle …)"."""
    summary = side.summary
    axes = " and ".join(summary["axes"])
    what = f"{summary['kind']} over {axes}" if axes else str(summary["kind"])
    return f"{summary.get('name') or 'without a name'} ({what}; bundle {side.bundle_id})"
