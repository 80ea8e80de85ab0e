"""The two hypotheses of a loss-slope study, and how much seeds and variants matter. Pure.

H1: more than 90 % of runs follow a power law with R² >= 0.98. H2: the early slope and the best
validation cross-entropy go together, rho >= 0.7. Slopes are below 0 where the loss falls, so a
positive rho says: the steeper the early fall, the lower the best loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from specc.analysis.association import pearson, spearman
from specc.analysis.proportions import clustered, wilson
from specc.kinds.training.pairing import Run, by_variant
from specc.model import Json

R_SQUARED, SHARE, RHO = 0.98, 0.9, 0.7
SLOPE, FULL, LOSS = "alpha_early", "alpha_full", "best_val_ce"
FIT, RAW, HELD_OUT = "r_squared", "r_squared_raw", "r_squared_holdout"
BINS, WORTH = "r_squared_bins", "r_squared_effective_n"
METRICS = (SLOPE, FULL, LOSS, FIT, RAW, HELD_OUT, BINS, WORTH)
"""What the hypotheses are judged by."""
NEEDED = (FIT, SLOPE, FULL)
"""What every run of a full sweep has."""
SPREAD = (LOSS, SLOPE, FULL, FIT)
"""Whose variance is shared out."""


def power_law(runs: Sequence[Run], without_result: int = 0) -> dict[str, Json]:
    """Return H1: the share of runs whose fit reaches R_SQUARED, its intervals and verdict.

    A completed run without a fit counts as one that does not reach it. without_result: runs of the
    study that failed, diverged or are missing. MET only if it would be with each of them a miss,
    NOT_MET only if it would be with each of them a hit: those that survive may be the good ones.
    Seeds of a configuration resemble, so that Wilson's interval is too narrow for other
    configurations: the clustered one has to agree with it.
    """
    fitted, raw, held, bins, worth = (
        [value for run in runs if (value := run.values[name]) is not None]
        for name in (FIT, RAW, HELD_OUT, BINS, WORTH)
    )
    hits = sum(value >= R_SQUARED for value in fitted)
    share, every = wilson(hits, len(runs)), len(runs) + without_result
    over = clustered(list(_hits(runs).values()))
    worst, best = wilson(hits, every), wilson(hits + without_result, every)
    verdicts = {_above(share.low, share.high, SHARE), _above(worst.low, best.high, SHARE)}
    # few configurations are no sample of others: the verdict is about themselves
    if over.low is not None:
        verdicts.add(_above(over.low, over.high, SHARE))
    return {
        **asdict(share),
        "clustered": asdict(over),
        "clusters": len(_hits(runs)),
        "without_result": without_result,
        "worst": worst.value,
        "threshold": R_SQUARED,
        "goal": SHARE,
        "without_fit": len(runs) - len(fitted),
        "raw_hits": sum(value >= R_SQUARED for value in raw),
        "raw_runs": len(raw),
        "held_out_hits": sum(value >= R_SQUARED for value in held),
        "held_out_runs": len(held),
        "foretold": sum(value > 0 for value in held),
        "bins": [min(bins), max(bins)] if bins else None,
        "effective_n": [min(worth), max(worth)] if worth else None,
        "verdict": verdicts.pop() if len(verdicts) == 1 else "UNDECIDED",
    }


def early_slope(runs: Sequence[Run]) -> dict[str, Json]:
    """Return H2: Spearman's and Pearson's correlation over all runs and within each variant.

    Judged by Spearman over all runs; intervals are clustered by configuration.
    """
    whole = _both(runs)
    told = whole["spearman"]
    return {
        **whole,
        "goal": RHO,
        "verdict": _above(told["low"], told["high"], RHO),
        "by_variant": {name: _both(group) for name, group in by_variant(runs).items()},
    }


def spread(runs: Sequence[Run], metric: str = LOSS) -> dict[str, Json]:
    """Return which share of a metric's variance is between variants, configurations and seeds.

    Sums of squares: of variants' means, of configurations' means within variants, of the runs of
    one configuration, which differ by their seeds only.
    """
    known = [(run, value) for run in runs if (value := run.values[metric]) is not None]
    if len(known) < 2:
        return {"metric": metric, "reason": "fewer than two runs have a value"}
    mean = sum(value for _, value in known) / len(known)
    variants = _means((run.variant, value) for run, value in known)
    configurations = _means((run.configuration, value) for run, value in known)
    if len(configurations) < 2:
        return {"metric": metric, "reason": "all runs with a value are of one configuration"}
    if len(configurations) == len(known):
        return {"metric": metric, "reason": "no configuration has two runs with a value"}
    total = sum((value - mean) ** 2 for _, value in known)
    if total == 0:
        return {"metric": metric, "reason": "all runs have one value"}
    between = sum((variants[run.variant] - mean) ** 2 for run, _ in known)
    within = sum((configurations[r.configuration] - variants[r.variant]) ** 2 for r, _ in known)
    seeds = sum((value - configurations[run.configuration]) ** 2 for run, value in known)
    return {
        "metric": metric,
        "reason": None,
        "variants_pct": 100 * between / total,
        "configurations_pct": 100 * within / total,
        "seeds_pct": 100 * seeds / total,
        "seed_sd": (seeds / (len(known) - len(configurations))) ** 0.5,
        "variant_means": variants,
        "runs": len(known),
    }


def _hits(runs: Iterable[Run]) -> dict[str, tuple[int, int]]:
    """Return hits and runs of each configuration."""
    found: dict[str, tuple[int, int]] = {}
    for run in runs:
        fit = run.values[FIT]
        hits, count = found.get(run.configuration, (0, 0))
        found[run.configuration] = (hits + (fit is not None and fit >= R_SQUARED), count + 1)
    return found


def _both(runs: Sequence[Run]) -> dict[str, Json]:
    slopes = [_number(run.values[SLOPE]) for run in runs]
    losses = [_number(run.values[LOSS]) for run in runs]
    clusters = [run.configuration for run in runs]
    return {
        name: asdict(method(slopes, losses, clusters=clusters))
        for name, method in (("spearman", spearman), ("pearson", pearson))
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _above(low: float | None, high: float | None, goal: float) -> str:
    """Return whether an interval lies above a goal, below it, or holds it."""
    if low is None or high is None:
        return "UNDECIDED"
    return "MET" if low >= goal else "NOT_MET" if high < goal else "UNDECIDED"


def _means(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in groups.items()}
