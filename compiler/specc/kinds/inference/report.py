"""Plots and findings of inference: four plots over batch size, one line for each device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specc.kinds import claims, rankings, sentences
from specc.kinds.axes import axes_to_draw, is_geometric
from specc.kinds.base import Figure, Finding
from specc.kinds.inference import energy
from specc.kinds.inference.decisions import decisions
from specc.model import Json

__all__ = ["decisions", "figures", "findings", "methodology"]

_MIB = 2.0**-20
_X = "batch_size"


def figures(summary: Mapping[str, Json]) -> tuple[Figure, ...]:
    """Return exactly four plots: latency, throughput, peak memory, energy per sample."""
    x, colour = axes_to_draw(summary["axes"])
    if _X in summary["axes"]:
        x = _X
        colour = tuple(
            name for name, values in summary["axes"].items() if name != _X and len(values) > 1
        )
    plots = (
        ("latency", "Latency", (("latency_ms_per_batch", ""),), "Latency per batch [ms]", 1.0),
        (
            "throughput",
            "Throughput",
            (("throughput_samples_per_s", ""),),
            "Throughput [samples/s]",
            1.0,
        ),
        (
            "peak_memory",
            "Peak memory",
            (("peak_gpu_allocated_bytes", "GPU allocated"), ("peak_cpu_rss_bytes", "CPU RSS")),
            "Peak memory [MiB]",
            _MIB,
        ),
        (
            "energy_per_sample",
            "Energy per sample",
            _energy_metrics(summary),
            "Energy per sample [J]",
            1.0,
        ),
    )
    return tuple(
        Figure(
            name=name,
            subject=subject,
            title=_title(summary, subject, metrics),
            metrics=metrics,
            x=x,
            colour=colour,
            log_x=x is not None and is_geometric(summary["axes"][x]),
            x_title="batch size [samples]" if x == _X else None,
            y_title=y_title,
            scale=scale,
        )
        for name, subject, metrics, y_title, scale in plots
    )


def findings(summary: Mapping[str, Json]) -> tuple[Finding, ...]:
    """Return what the numbers say of speed, memory, energy and agreement."""
    by_name = {m["name"]: m for m in summary["metrics"]}
    found = [
        *_devices(summary, by_name),
        rankings.best_and_worst(summary, by_name["throughput_samples_per_s"]),
        rankings.best_and_worst(summary, by_name["latency_ms_per_batch"]),
        *_energy(summary, by_name),
        rankings.best_and_worst(summary, by_name["peak_cpu_rss_bytes"]),
        *_agreement(summary),
    ]
    return tuple(one for one in found if one is not None)


def methodology() -> tuple[tuple[str, str], ...]:
    """Return how inference is measured."""
    return (
        (
            "Two passes",
            "Latency and throughput are measured apart. Latency: the device is synchronised after "
            "every batch. Throughput: batches follow each other without waiting, one "
            "synchronisation at the end of each window.",
        ),
        (
            "Warm-up",
            "Before the passes each distinct batch shape runs untimed, as often as `warmup` of the "
            "spec says. Those batches are recorded apart and count in no number.",
        ),
        (
            "Memory",
            "Peaks are reset after the warm-up, so that the steady peak is that of inference and "
            "the load peak stands beside it. The plot shows live GPU tensors for cells on a GPU "
            "and the resident set for cells on the CPU.",
        ),
        (
            "Energy",
            "Counter differences over whole windows, divided by their samples. Scope and source "
            "stand beside every number; only equal ones are compared; an estimate says so. Net is "
            "less the idle power measured in the same run.",
        ),
        (
            "Same work",
            "Predictions are hashed, logits compared with the reference cell: share of equal "
            "argmax and largest absolute difference.",
        ),
    )


def _energy_metrics(summary: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
    """Return the gross energy metrics with scope and source as the note of each line."""
    found = []
    for metric in summary["metrics"]:
        family, _, rest = metric["name"].partition(".")
        if family == "energy_j_per_sample":
            scope, _, source = rest.partition(".")
            found.append((metric["name"], f"{scope}, {source}" if scope else ""))
    return tuple(found)


def _title(summary: Mapping[str, Json], subject: str, metrics: tuple[tuple[str, str], ...]) -> str:
    """Return the headline of the only metric drawn; of several, what is shown."""
    drawn = [name for name, _ in metrics if sentences.with_value(summary, name)]
    declared = {m["name"]: m for m in summary["metrics"]}
    if len(drawn) == 1:
        return rankings.headline(summary, declared[drawn[0]]) or subject
    if not drawn:
        return subject
    notes = dict(metrics)
    lowest = [
        f"{sentences.quantity(found[0]['metrics'][name]['value'], declared[name]['unit'])} "
        f"({notes[name]})"
        for name in drawn
        if (found := rankings.extremes(summary, declared[name])) is not None
    ]
    return f"Lowest {subject.lower()}: {', '.join(lowest)}; not compared" if lowest else subject


def _devices(
    summary: Mapping[str, Json], by_name: Mapping[str, Mapping[str, Json]]
) -> Iterator[Finding]:
    """Yield how much faster the fastest cell of one device is than that of another."""
    metric = by_name["throughput_samples_per_s"]
    best: dict[str, Mapping[str, Json]] = {}
    for cell in sentences.with_value(summary, metric["name"]):
        device = str(cell["details"].get("device"))
        known = best.get(device)
        if known is None or _speed(cell) > _speed(known):
            best[device] = cell
    if len(best) < 2:
        return
    fast, *rest = sorted(best.values(), key=_speed, reverse=True)
    for slow in rest:
        factor = sentences.number(_speed(fast) / _speed(slow))
        sure = (
            "more than chance makes of so many points"
            if claims.apart(summary, fast, slow, metric["name"])
            else "the runs don't show which is better"
        )
        yield Finding(
            title=f"{fast['details']['device']} against {slow['details']['device']}",
            text=f"At its best batch size {fast['details']['device']} reaches {factor} times the "
            f"throughput of {slow['details']['device']}: {sentences.spread(fast, metric)} at "
            f"{sentences.place(summary, fast)} against {sentences.spread(slow, metric)} at "
            f"{sentences.place(summary, slow)}; {sure}.",
            cells=(fast["cell"], slow["cell"]),
        )


def _speed(cell: Mapping[str, Json]) -> float:
    return float(cell["metrics"]["throughput_samples_per_s"]["value"])


def _energy(
    summary: Mapping[str, Json], by_name: Mapping[str, Mapping[str, Json]]
) -> Iterator[Finding | None]:
    """Yield the best and worst cell of each scope and source, or why there is no energy."""
    names = [name for name, _ in _energy_metrics(summary)]
    for name in names:
        yield rankings.best_and_worst(summary, by_name[name])
    if not any(sentences.with_value(summary, name) for name in names):
        cells = [c for c in summary["cells"] if c["details"].get("energy")]
        reasons = dict.fromkeys(energy.why_none(c["details"]["energy"]) for c in cells)
        if reasons:
            yield Finding(
                title="Energy",
                text=f"No energy was measured: {'; '.join(reasons)}.",
                cells=tuple(c["cell"] for c in cells),
            )


def _agreement(summary: Mapping[str, Json]) -> Iterator[Finding]:
    """Yield whether all cells gave the answers of the reference cell."""
    cells = [c for c in summary["cells"] if c["details"].get("predictions_sha256")]
    if len(cells) < 2:
        return
    reference = cells[0]["details"]["reference_cell"]
    equal = [
        c
        for c in cells
        if c["details"]["predictions_sha256"] == _hash_of(cells, reference, cells[0])
    ]
    details = [c["details"] for c in cells if c["details"]["argmax_agreement"] is not None]
    lowest = min((d["argmax_agreement"] for d in details), default=None)
    largest = max((d["max_abs_logit_difference"] for d in details), default=None)
    text = (
        f"{len(equal)} of {len(cells)} points gave exactly the predictions of the reference cell "
        f"{reference}."
    )
    if lowest is not None and largest is not None:
        text += (
            f" The lowest argmax agreement is {lowest * 100:.4g} %, the largest logit difference "
            f"{sentences.number(largest)}."
        )
    yield Finding(title="Same answers", text=text, cells=tuple(c["cell"] for c in cells))


def _hash_of(cells: list[Mapping[str, Json]], cell: str, first: Mapping[str, Json]) -> Json:
    chosen = next((c for c in cells if c["cell"] == cell), first)
    return chosen["details"]["predictions_sha256"]
