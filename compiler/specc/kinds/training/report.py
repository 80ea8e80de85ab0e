"""Findings of a training study: hypotheses, best points, spread between seeds, use of GPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from specc.kinds import rankings
from specc.kinds.base import Decision, Figure, Finding
from specc.kinds.sentences import number
from specc.kinds.training import acceptance
from specc.kinds.training.charts import charts
from specc.kinds.training.decisions import all_cells, decisions, early_slope, power_law
from specc.kinds.training.hypotheses import LOSS, NEEDED
from specc.model import Json

__all__ = ["charts", "decisions", "figures", "findings", "methodology"]

_RANKED = ("best_val_ce", "final_val_accuracy", "duration_min", "callback_share_pct")


def figures(summary: Mapping[str, Json]) -> tuple[Figure, ...]:
    """Return nothing: the plots are `charts`, which draw curves and not metrics."""
    del summary
    return ()


def findings(summary: Mapping[str, Json]) -> tuple[Finding, ...]:
    """Return what the runs say, hypotheses first."""
    by_name = {metric["name"]: metric for metric in summary["metrics"]}
    ranked = (rankings.best_and_worst(summary, by_name[name]) for name in _RANKED)
    return (
        *(_told(one) for one in (power_law(summary), early_slope(summary)) if one.text),
        *_gaps(summary),
        *_spread(summary),
        *(one for one in ranked if one is not None),
        *_resources(summary),
        *_warnings(summary),
    )


def methodology() -> tuple[tuple[str, str], ...]:
    """Return how training is measured."""
    return (
        (
            "Warm-up",
            "None is left out of the curves: each starts at the first batch. What comes before the "
            "burn-in, warm-up of the learning rate included, counts in alpha_early where its "
            "window says so, and in no alpha_full and no knee.",
        ),
        (
            "Slopes",
            "alpha is the slope of log(loss) over log(step) by least squares over every batch, "
            "unsmoothed. Its error allows for dependence between batches; effective n says how "
            "many independent points they are worth.",
        ),
        (
            "Power law",
            "loss = offset + amplitude * step^-a from the burn-in on, fitted to the losses of "
            "batches smoothed: means over log-spaced bins, one for 16 batches and 8 to 200 of "
            "them. R² of a smoothed curve is nearly 1 by itself. Beside it stand how many bins "
            "those were, how many independent points the batches are worth, R² of the same law "
            "against unsmoothed losses, and R² on the last fifth of the steps, which a second fit "
            "did not see.",
        ),
        (
            "Burn-in and knee",
            "The burn-in ends where the training loss, as an exponentially weighted mean over "
            "windows.smoothing_steps, comes to stay at or below windows.burn_in_ce. alpha_full and "
            "the knee (two lines that meet in log-log) are of the curve from there on; without a "
            "burn-in there is neither.",
        ),
        (
            "Seeds",
            "Runs that differ by their seed alone are the repetitions of one configuration: its "
            "value is over its seeds, its interval what seeds make of it.",
        ),
        (
            "Hypotheses",
            "H1: more than 90 % of runs with R² of 0.98 or more; Wilson's interval, and beside it "
            "one that allows for seeds of a configuration being alike. Runs that diverged, failed "
            "or are missing could be hits or misses: both are tried. H2: Spearman's rho of "
            "alpha_early and best_val_ce of 0.7 or more; interval by leaving out one "
            "configuration (all of its seeds) after the other, so it is about other "
            "configurations of these variants, not about other variants. alpha_early is below 0 "
            "where the loss falls: a positive rho says that a steeper early fall ends lower. MET "
            "and NOT_MET where the whole of every interval lies on one side of the goal.",
        ),
        (
            "Curvature",
            "On a fixed subsample of the training images, batch norm in eval mode: lambda_max by "
            "power iteration, the best on the plane of its last two vectors, with its residual; "
            "the trace by Hutchinson's estimate with its standard error.",
        ),
        (
            "Curves",
            "Of each variant the configuration with the lowest mean best validation loss; bands "
            "reach from its lowest to its highest seed. Points are means over a fiftieth of the "
            "run.",
        ),
    )


def _told(decision: Decision) -> Finding:
    interval = f" ({decision.interval})" if decision.interval else ""
    return Finding(
        title=f"{decision.label}: {decision.verdict}",
        text=f"{decision.text}{interval}. {decision.why}",
        cells=decision.cells,
    )


def _gaps(summary: Mapping[str, Json]) -> Iterator[Finding]:
    """Yield which completed runs lack R² or a slope, and why: they are no part of a full sweep."""
    lacking: dict[str, Counter[str]] = {}
    cells = []
    for cell in summary["cells"]:
        done = cell["repetitions"]["completed"]
        for name in NEEDED:
            value = cell["metrics"].get(name)
            count = done - (value["n"] if value else 0)
            if count and value is not None:
                lacking.setdefault(name, Counter())[str(value["reason"])] += count
                cells.append(cell["cell"])
    if lacking:
        told = "; ".join(
            f"{name} {found.total()} ({', '.join(reason for reason, _ in found.most_common(2))})"
            for name, found in lacking.items()
        )
        yield Finding(
            title="Completed runs without R² or a slope",
            text=f"{told}. Correlations leave them out, and the power law counts them as misses.",
            cells=tuple(dict.fromkeys(cells)),
        )


def _spread(summary: Mapping[str, Json]) -> Iterator[Finding]:
    """Yield how much of the best loss's variance seeds, variants and configurations make."""
    every = (summary.get("across") or {}).get("spread") or {}
    found = every.get(LOSS) or {"reason": "nothing"}
    if found["reason"] is not None:
        return
    means = ", ".join(f"{name} {number(mean)}" for name, mean in found["variant_means"].items())
    several = len(found["variant_means"]) > 1
    whose = "their " * several
    variants = f"{number(found['variants_pct'])} % lies between variants, " * several
    yield Finding(
        title="Seeds against variants",
        text=f"Of the variance of {found['metric']} over {found['runs']} runs, "
        f"{variants}{number(found['configurations_pct'])} % between {whose}configurations and "
        f"{number(found['seeds_pct'])} % between seeds (sd {number(found['seed_sd'])} nats). "
        f"Means [nats]: {means}.",
        cells=all_cells(summary),
    )


def _resources(summary: Mapping[str, Json]) -> Iterator[Finding]:
    for one in acceptance.by_variant(summary):
        text = "; ".join(map(_checked, one.checks))
        yield Finding(
            title=f"Resources of {one.variant}: {one.verdict}", text=f"{text}.", cells=one.cells
        )


def _checked(check: acceptance.Check) -> str:
    verdict = "" if check.verdict is None else f" ({check.verdict})"
    return f"{check.name}: {check.text}{verdict}"


def _warnings(summary: Mapping[str, Json]) -> Iterator[Finding]:
    """Yield what callbacks complained of, and how many runs went on from a checkpoint."""
    for key, words in (
        ("warnings", "at least callbacks failed and the run went on"),
        ("resumes", "runs went on from a checkpoint"),
    ):
        cells = [cell for cell in summary["cells"] if cell["details"].get(key)]
        count = sum(cell["details"][key] for cell in cells)
        if count:
            yield Finding(
                title=key.capitalize(),
                text=f"{count} times {words}, at {len(cells)} points.",
                cells=tuple(cell["cell"] for cell in cells),
            )
