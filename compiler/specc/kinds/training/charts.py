"""The plots of a training study: curves by variant, slope against loss, curvature, lr x wd.

Pure: draws what `across` and the cells of the summary say, aggregated before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from specc.analysis.intervals import over_runs
from specc.kinds.optional import Chart
from specc.kinds.sentences import number
from specc.kinds.training.hypotheses import FIT, HELD_OUT, LOSS, R_SQUARED, RAW, SLOPE
from specc.kinds.training.pairing import by_variant, runs_of
from specc.model import Json

if TYPE_CHECKING:
    import altair as alt


class _Curves(NamedTuple):
    name: str
    """In `across`, and of the file."""
    subject: str
    y_title: str
    log: bool
    """Both axes logarithmic, as a power law wants to be looked at."""


_CURVES = (
    _Curves("loss_train", "Training loss", "training loss [nats]", True),
    _Curves("loss_val", "Validation loss", "validation loss [nats]", True),
    _Curves("lambda_max", "Largest eigenvalue", "lambda_max", False),
)
_BAND = (
    "Lines: mean over the seeds of each variant's best configuration. "
    "Bands: lowest to highest seed."
)
_LR, _WD = "lr", "weight_decay"
_FITS = {FIT: "smoothed", RAW: "unsmoothed", HELD_OUT: "held-out last fifth"}
_LEAST = 1e-6
"""Of what a law leaves: a logarithm has no place for 0."""
_PARTS = {"variants": "variants", "configurations": "their configurations", "seeds": "seeds"}
_WIDE = (420, 90)
_PANEL = (200, 130)


def charts(summary: Mapping[str, Json]) -> tuple[Chart, ...]:
    """Return the plots in the order shown, both hypotheses first; one without data says why."""
    curves = (summary.get("across") or {}).get("curves") or {}
    return (
        _fits(summary),
        _slope_against_loss(summary),
        *(
            _curve(one, curves.get(one.name) or [], _why(summary, f"no run has {one.subject}"))
            for one in _CURVES
        ),
        _heat_map(summary),
        _spread(summary),
    )


def _curve(what: _Curves, rows: Sequence[Mapping[str, Json]], why: str) -> Chart:
    shown = [row for row in rows if not what.log or row["low"] > 0]
    if not shown:
        return _empty(what.name, what.subject, why)
    return Chart(
        name=what.name,
        subject=what.subject,
        title=_title(shown, what.subject),
        chart=_lines(shown, what.y_title, log=what.log),
        rows=shown,
        caption=_BAND,
    )


def _lines(rows: Sequence[Mapping[str, Json]], y_title: str, *, log: bool) -> alt.LayerChart:
    import altair as alt

    kind = "log" if log else "linear"
    x = alt.X("epoch:Q", title="epoch").scale(type=kind, nice=False).axis(grid=False, format="~g")
    order = sorted({row["variant"] for row in rows})
    base = alt.Chart(alt.NamedData("rows"))
    # both layers have both channels, so that their legends are one
    told = alt.Legend(symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=2.5)
    base = base.encode(
        x=x,
        color=alt.Color("variant:N", title="variant", legend=told).scale(domain=order),
        strokeDash=alt.StrokeDash("variant:N", title="variant", legend=told).scale(domain=order),
    )
    band = base.mark_area(opacity=0.18).encode(
        y=alt.Y("low:Q", title=y_title).scale(type=kind, zero=False, nice=False), y2="high:Q"
    )
    line = base.mark_line().encode(
        y=alt.Y("mean:Q", title=y_title).axis(format="~g"),
        tooltip=["variant:N", "epoch:Q", "mean:Q", "low:Q", "high:Q", "seeds:Q"],
    )
    return alt.layer(band, line)


def _title(rows: Sequence[Mapping[str, Json]], subject: str) -> str:
    last: dict[str, Mapping[str, Json]] = {}
    for row in rows:
        last[row["variant"]] = row
    ends = ", ".join(f"{name} {number(row['mean'])}" for name, row in last.items())
    return f"{subject} at the end: {ends}"


def _fits(summary: Mapping[str, Json]) -> Chart:
    """Return what power laws leave unexplained in each run: R² itself crowds at 1."""
    import altair as alt

    name, subject = "power_law_fits", "Fit of the power law"
    runs = runs_of(summary["cells"], tuple(_FITS))
    rows = [
        {"fit": words, "variant": run.variant, "r_squared": value, "left": max(1 - value, _LEAST)}
        for key, words in _FITS.items()
        for run in runs
        if (value := run.values[key]) is not None
    ]
    if not rows:
        return _empty(name, subject, _why(summary, "no run has a fit"))
    order = sorted(by_variant(runs))
    left = alt.X("left:Q", title="share left unexplained, 1 - R²").scale(type="log", reverse=True)
    variant = alt.Y("variant:N", title=None, sort=order)
    base = alt.Chart(alt.NamedData("rows"))
    points = base.mark_point(filled=True, opacity=0.55, size=40).encode(
        x=left.axis(format="~g", values=[10.0**power for power in range(2, -7, -1)]),
        y=variant,
        color=alt.Color("variant:N", legend=None).scale(domain=order),
        shape=alt.Shape("variant:N", legend=None).scale(domain=order),
        tooltip=["variant:N", "fit:N", "r_squared:Q"],
    )
    goal = base.mark_rule(strokeDash=[4, 3]).encode(x=alt.datum(1 - R_SQUARED))
    found = (summary["across"] or {})["hypotheses"]["power_law"]
    return Chart(
        name=name,
        subject=subject,
        title=f"R² of {R_SQUARED} or more: {found['hits']} of {found['trials']} runs smoothed, "
        f"{found['raw_hits']} unsmoothed, {found['held_out_hits']} on the held-out tail",
        chart=alt.layer(points, goal)
        .properties(width=_WIDE[0], height=_WIDE[1])
        .facet(facet=alt.Facet("fit:N", sort=list(_FITS.values()), title=None), columns=1),
        rows=rows,
        caption=f"Each point is one run; further right is better, and right of the dashed line is "
        f"R² of {R_SQUARED} and more. Left of 1 a mean would foretell better than the law.",
    )


def _spread(summary: Mapping[str, Json]) -> Chart:
    """Return which share of each metric's variance seeds make."""
    import altair as alt

    name, subject = "seeds_against_variants", "Seeds against variants"
    spread = (summary.get("across") or {}).get("spread") or {}
    known = {metric: one for metric, one in spread.items() if one["reason"] is None}
    if not known:
        return _empty(name, subject, _why(summary, "no two configurations, or none with two seeds"))
    rows = [
        {"metric": metric, "part": words, "order": at, "share": one[f"{part}_pct"]}
        for metric, one in known.items()
        for at, (part, words) in enumerate(_PARTS.items())
    ]
    first, one = next(iter(known.items()))
    between = f"{number(one['variants_pct'])} % between variants, "
    chart = (
        alt.Chart(alt.NamedData("rows"))
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title="share of the variance between runs [%]")
            .scale(domain=[0, 100])
            .axis(format="d"),
            y=alt.Y("metric:N", title=None, sort=list(known)),
            color=alt.Color("part:N", title="between").scale(domain=list(_PARTS.values())),
            order=alt.Order("order:Q"),
            tooltip=["metric:N", "part:N", "share:Q"],
        )
    )
    return Chart(
        name=name,
        subject=subject,
        title=f"Variance of {first}: {between * (len(one['variant_means']) > 1)}"
        f"{number(one['seeds_pct'])} % between seeds",
        chart=chart,
        rows=rows,
        caption="Sums of squares: of the variants' means, of configurations' means within their "
        "variant, and of runs that differ by their seed alone.",
    )


def _slope_against_loss(summary: Mapping[str, Json]) -> Chart:
    import altair as alt

    name, subject = "slope_against_loss", "Early slope against best loss"
    runs = runs_of(summary["cells"], (SLOPE, LOSS))
    rows = [
        {"variant": run.variant, SLOPE: run.values[SLOPE], LOSS: run.values[LOSS]}
        for run in runs
        if run.values[SLOPE] is not None and run.values[LOSS] is not None
    ]
    if not rows:
        return _empty(name, subject, _why(summary, "no run has both"))
    order = sorted(by_variant(runs))
    chart = (
        alt.Chart(alt.NamedData("rows"))
        .mark_point(filled=True, opacity=0.65, size=45)
        .encode(
            x=alt.X(f"{SLOPE}:Q", title="alpha_early (slope in log-log)").scale(
                zero=False, padding=12
            ),
            y=alt.Y(f"{LOSS}:Q", title="best validation loss [nats]")
            .scale(type="log", nice=False, padding=12)
            .axis(format="~g"),
            color=alt.Color("variant:N", title="variant").scale(domain=order),
            shape=alt.Shape("variant:N", title="variant").scale(domain=order),
            tooltip=["variant:N", f"{SLOPE}:Q", f"{LOSS}:Q"],
        )
    )
    found = (summary["across"] or {})["hypotheses"]["early_slope"]["spearman"]
    known = f"{len(rows)} run{'s' * (len(rows) != 1)}"
    rho = found["value"]
    title = f"Early slope and best loss of {known}: {found['reason']}"
    if rho is not None:
        title = f"Early slope and best loss: rho = {number(rho)} over {known} (Spearman)"
    return Chart(
        name=name,
        subject=subject,
        title=title,
        chart=chart,
        rows=rows,
        caption="Each point is one run.",
    )


def _heat_map(summary: Mapping[str, Json]) -> Chart:
    import altair as alt

    name, subject = "best_loss_by_lr_and_wd", "Best loss over lr and weight decay"
    axes = summary["axes"]
    if _LR not in axes or _WD not in axes:
        return _empty(name, subject, f"the study does not vary both {_LR} and {_WD}")
    groups: dict[tuple[str, Any, Any], list[float]] = {}
    for run in runs_of(summary["cells"], (LOSS,)):
        value = run.values[LOSS]
        if value is not None:
            groups.setdefault((run.variant, run.axes[_LR], run.axes[_WD]), []).append(value)
    if not groups:
        return _empty(name, subject, _why(summary, "no run has a best validation loss"))
    rows = [
        {"variant": v, _LR: lr, _WD: wd, LOSS: over_runs(ls).centre, "seeds": len(ls)}
        for (v, lr, wd), ls in groups.items()
    ]
    for row in rows:
        row["text"] = number(row[LOSS])
    middle = sorted(row[LOSS] for row in rows)[len(rows) // 2]
    order = list(dict.fromkeys(row["variant"] for row in rows))
    x = alt.X(f"{_LR}:N", title="learning rate", sort=_sorted(axes[_LR])).axis(labelAngle=0)
    y = alt.Y(f"{_WD}:N", title="weight decay", sort=_sorted(axes[_WD]))
    base = alt.Chart(alt.NamedData("rows")).encode(x=x, y=y)
    cells = base.mark_rect().encode(
        color=alt.Color(f"{LOSS}:Q", title="best validation loss [nats]")
        .scale(type="log", scheme="blues")
        .legend(format=".3~g")
    )
    words = base.mark_text(fontSize=11).encode(
        text="text:N",
        color=alt.condition(f"datum.{LOSS} > {middle}", alt.value("white"), alt.value("black")),
    )
    best = min(rows, key=lambda row: float(row[LOSS]))
    return Chart(
        name=name,
        subject=subject,
        title=f"Lowest loss: {best['variant']}, lr {best[_LR]}, weight decay {best[_WD]}: "
        f"{best['text']} nats",
        chart=alt.layer(cells, words)
        .properties(width=_PANEL[0], height=_PANEL[1])
        .facet(facet=alt.Facet("variant:N", sort=order, title=None), columns=2),
        rows=rows,
        caption="Geometric mean over the seeds of the best validation loss of each run.",
    )


def _sorted(values: Sequence[Json]) -> list[Json]:
    """Return values of an axis from small to large; texts that spell numbers count as these."""
    try:
        return sorted(values, key=float)
    except (TypeError, ValueError):
        return list(values)


def _why(summary: Mapping[str, Json], reason: str) -> str:
    return reason if summary["completeness"]["completed"] else "no run was completed"


def _empty(name: str, subject: str, reason: str) -> Chart:
    return Chart(
        name=name, subject=subject, title=subject, chart=None, rows=(), caption="", empty=reason
    )
