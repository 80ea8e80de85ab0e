"""What a reader of an inference report decides by: fastest point, quickest answer, least energy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specc.kinds import sentences
from specc.kinds.base import Decision
from specc.kinds.deciding import best_point, missing
from specc.kinds.inference import energy
from specc.model import Json

_ENERGY = "energy_j_per_sample"


def decisions(summary: Mapping[str, Json]) -> tuple[Decision, ...]:
    """Return the points of most throughput, least latency and, for each scope, least energy."""
    by_name = {metric["name"]: metric for metric in summary["metrics"]}
    throughput = [by_name[n] for n in ("throughput_samples_per_s",) if n in by_name]
    latency = [by_name[n] for n in ("latency_ms_per_batch",) if n in by_name]
    return (
        best_point(summary, throughput),
        best_point(summary, latency, key="lowest_latency", label="Lowest latency per batch"),
        *_least_energy(summary, by_name),
    )


def _least_energy(
    summary: Mapping[str, Json], by_name: Mapping[str, Mapping[str, Json]]
) -> Iterator[Decision]:
    """Yield the best point of each scope and source of energy: only equal ones are compared."""
    names = [name for name in by_name if name.partition(".")[0] == _ENERGY]
    known = [name for name in names if sentences.with_value(summary, name)]
    for number, name in enumerate(known):
        scope, _, source = name.partition(".")[2].partition(".")
        yield best_point(
            summary,
            [by_name[name]],
            key="energy_efficiency" if number == 0 else f"energy_efficiency.{scope}.{source}",
            label=f"Least energy per sample ({scope}, {source})" if scope else "Least energy",
        )
    if not known:
        found = [cell["details"].get("energy") for cell in summary["cells"]]
        reasons = dict.fromkeys(energy.why_none(one) for one in found if one)
        why = "; ".join(reasons) or "no energy was measured"
        yield missing("energy_efficiency", "Least energy per sample", why)
