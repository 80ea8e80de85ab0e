"""What a study of trainings says over all cells: both hypotheses, spread, curves by variant.

The curves are those of each variant's best configuration, so that their bands are seeds alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from specc.analysis.intervals import over_runs
from specc.kinds.training import hypotheses
from specc.kinds.training.pairing import Run, by_variant, runs_of
from specc.model import Json

MOST_POINTS = 50
"""Of a curve; each is a mean over so much of an epoch."""
_CURVES = {
    "loss_train": ("batches", "loss_train_nats"),
    "loss_val": ("quarters", "loss_val_nats"),
    "lambda_max": ("curvature", "lambda_max"),
}


def across(
    cells: Sequence[Mapping[str, Json]],
    members: Mapping[str, Sequence[int]],
    frames: Mapping[str, pl.LazyFrame],
) -> dict[str, Json]:
    """Return `hypotheses`, `spread` by metric, `elapsed_s` and `curves` of the study."""
    runs = runs_of(cells, hypotheses.METRICS)
    best = {name: _best_configuration(group) for name, group in by_variant(runs).items()}
    drawn = _tasks(cells, members, best)
    return {
        "hypotheses": {
            "power_law": hypotheses.power_law(runs, sum(map(_without_result, cells))),
            "early_slope": hypotheses.early_slope(runs),
        },
        "spread": {name: hypotheses.spread(runs, name) for name in hypotheses.SPREAD},
        "elapsed_s": _elapsed_s(frames),
        "best_configurations": {name: one for name, one in best.items() if one is not None},
        "curves": {
            name: _curve(frames[table], column, drawn) for name, (table, column) in _CURVES.items()
        },
    }


def _without_result(cell: Mapping[str, Json]) -> int:
    """Return how many runs of a point were to give a result and did not."""
    counts = cell["repetitions"]
    return int(counts["expected"] - counts.get("not_run", 0) - counts["completed"])


def _elapsed_s(frames: Mapping[str, pl.LazyFrame]) -> float | None:
    """Return the time from the start of the first completed run to the end of the last [s]."""
    keys = ("task", "attempt")
    ends = frames["epochs"].group_by(*keys).agg(pl.col("t_ns").max().alias("end_ns"))
    last = pl.col("epoch_ns") + pl.col("end_ns") - pl.col("t_ns")
    both = (
        frames["starts"]
        .join(ends, on=keys)
        .select((last.max() - pl.col("epoch_ns").min()).alias("ns"))
    )
    found = both.collect().item()
    return None if found is None else float(found) / 1e9


def _best_configuration(runs: Sequence[Run]) -> str | None:
    """Return the configuration whose best validation losses have the lowest centre."""
    losses: dict[str, list[float]] = {}
    for run in runs:
        value = run.values[hypotheses.LOSS]
        if value is not None:
            losses.setdefault(run.configuration, []).append(value)
    centres = {name: over_runs(values).centre or 0.0 for name, values in losses.items()}
    return min(centres, key=lambda name: centres[name]) if centres else None


def _tasks(
    cells: Sequence[Mapping[str, Json]],
    members: Mapping[str, Sequence[int]],
    best: Mapping[str, str | None],
) -> dict[int, str]:
    """Return the tasks to draw with their variant."""
    found = {}
    for cell in cells:
        run = Run(cell["cell"], cell["axes"], {})
        if best.get(run.variant) == run.configuration:
            found.update(dict.fromkeys(members[cell["cell"]], run.variant))
    return found


def _curve(rows: pl.LazyFrame, column: str, drawn: Mapping[int, str]) -> list[dict[str, Json]]:
    """Return mean, lowest and highest of the seeds over the epochs, by variant."""
    own = rows.filter(pl.col("task").is_in(list(drawn)) & pl.col(column).is_finite())
    values = own.select("task", "epoch", pl.col(column).alias("value"))
    last = values.select(pl.col("epoch").max()).collect(engine="streaming").item()
    if last is None:
        return []
    width = max(last / MOST_POINTS, 1e-9)
    # the end of each stretch, so that a run of one epoch has points within it
    stretch = (pl.col("epoch") / width - 1e-9).ceil() * width
    by_run = values.group_by("task", stretch.alias("epoch")).agg(pl.col("value").mean())
    found = by_run.collect(engine="streaming").with_columns(
        pl.col("task").replace_strict(dict(drawn), return_dtype=pl.String).alias("variant")
    )
    table = (
        found.group_by("variant", "epoch")
        .agg(
            mean=pl.col("value").mean(),
            low=pl.col("value").min(),
            high=pl.col("value").max(),
            seeds=pl.len(),
        )
        .sort("variant", "epoch")
    )
    return table.to_dicts()
