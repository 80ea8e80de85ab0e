"""Whether a sweep used its GPUs as it should, variant by variant. Pure: reads the summary.

Four limits: no attempt out of memory, a run under 30 minutes, GPUs busy for more than 80 %, and
all tasks on one GPU within its memory. The last two don't apply to tasks that ask for no GPU.
Beside them stands how many tasks ran at the same time, which is no limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from specc.kinds.sentences import number, quantity
from specc.kinds.training.pairing import ONLY, VARIANT
from specc.model import Json

LEAST_UTIL_PCT, MOST_MINUTES = 80, 30
OUT_OF_MEMORY = ("oom_gpu", "oom_host")
UNKNOWN = "UNDECIDED"


@dataclass(frozen=True, slots=True)
class Check:
    """One limit, held against what was measured."""

    name: str
    text: str
    """Measured value and limit, in words; why there is none, where it could not be measured."""
    verdict: str | None
    """MET, NOT_MET or UNDECIDED; None for what is no limit, or does not apply."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a variant used."""

    variant: str
    checks: tuple[Check, ...]
    cells: tuple[str, ...]

    @property
    def verdict(self) -> str:
        found = [check.verdict for check in self.checks]
        return "NOT_MET" if "NOT_MET" in found else UNKNOWN if UNKNOWN in found else "MET"


def by_variant(summary: Mapping[str, Json]) -> list[Acceptance]:
    """Return the checks of each variant, in matrix order."""
    groups: dict[str, list[Mapping[str, Json]]] = {}
    for cell in summary["cells"]:
        counts = cell["repetitions"]
        # what the study left out used nothing
        if counts.get("not_run", 0) < counts["expected"]:
            groups.setdefault(_variant(cell["axes"]), []).append(cell)
    return [
        Acceptance(name, tuple(_checks(summary, name, cells)), _ended(cells))
        for name, cells in groups.items()
    ]


def _checks(
    summary: Mapping[str, Json], variant: str, cells: Sequence[Mapping[str, Json]]
) -> Iterator[Check]:
    shapes = _shapes(summary, cells)
    out_of_memory = [
        one
        for one in summary["failures"]
        if one["category"] in OUT_OF_MEMORY and _variant(one["axes"]) == variant
    ]
    ran = sum(cell["repetitions"]["completed"] + cell["repetitions"]["failed"] for cell in cells)
    count = len(out_of_memory)
    yield Check(
        "out of memory",
        f"{count} of {ran} runs, limit 0" if ran else "no run has ended",
        _below(count if ran else None, 1),
    )
    longest = _largest(cells, "duration_min")
    yield Check(
        "longest run",
        f"{number(longest)} min, limit below {MOST_MINUTES} min"
        if longest is not None
        else "no run has a duration",
        _below(longest, MOST_MINUTES),
    )
    if shapes and not any(row["asked"]["gpus"] for row in shapes):
        yield Check("GPU utilisation and memory", "not measured: its tasks ask for no GPU", None)
    else:
        yield _utilisation(shapes)
        yield _memory(cells, shapes)
    yield _neighbours(cells)


def _neighbours(cells: Sequence[Mapping[str, Json]]) -> Check:
    counts = [cell["details"].get("neighbours") for cell in cells]
    most = _most(counts)
    if most is None:
        return Check("other tasks", "not known: no run was completed", None)
    text = (
        f"up to {most} beside a run, one after the other or at once"
        if most
        else "none beside a run"
    )
    return Check("other tasks", text, None)


def _utilisation(shapes: Sequence[Mapping[str, Json]]) -> Check:
    busy = [row["used"]["gpu_util_pct"] for row in shapes]
    known = [value for value in busy if value is not None]
    util = min(known, default=None)
    why = next((row["reasons"].get("gpu_util_pct") for row in shapes), None)
    name, limit = "GPU utilisation", f"limit above {LEAST_UTIL_PCT} %"
    if util is None:
        return Check(name, f"not measured: {why or 'no job of it has ended'}", UNKNOWN)
    verdict = "MET" if util > LEAST_UTIL_PCT else "NOT_MET"
    return Check(name, f"{number(util)} %, {limit}", verdict)


def _memory(cells: Sequence[Mapping[str, Json]], shapes: Sequence[Mapping[str, Json]]) -> Check:
    """Hold the larger view of a GPU's peak against its memory.

    One is torch's peak of a run times the runs on one GPU, the other what was sampled of a GPU as
    a whole, contexts of CUDA and all other programs included.
    """
    own = _largest(cells, "gpu_memory_bytes")
    seen = _most(row["used"].get("gpu_memory_bytes") for row in shapes)
    sizes = [row["used"]["gpu_total_bytes"] for row in shapes]
    whole = min((size for size in sizes if size is not None), default=None)
    asked = max((row["asked"]["gpus"] or 0 for row in shapes), default=0)
    beside = max(1, math.floor(1 / asked + 1e-9)) if 0 < asked < 1 else 1
    told = [] if own is None else [f"{quantity(own, 'B')} a run, {beside} on one GPU"]
    if seen is not None:
        told.append(f"{quantity(seen, 'B')} sampled on one GPU")
    peak = _most([None if own is None else own * beside, seen])
    if peak is None:
        return Check("GPU memory", "not measured: no run has a peak of GPU memory", UNKNOWN)
    text = ", ".join(told)
    if whole is None:
        return Check("GPU memory", f"{text}; the GPU's memory is not known", UNKNOWN)
    fits = "MET" if peak <= whole else "NOT_MET"
    return Check("GPU memory", f"{text} of {quantity(whole, 'B')}", fits)


def _shapes(
    summary: Mapping[str, Json], cells: Sequence[Mapping[str, Json]]
) -> list[Mapping[str, Json]]:
    """Return what was used by the job shapes that cells ran in."""
    conditions = {cell["condition_id"] for cell in cells}
    names = {
        (bundle["bundle_id"], shape["name"])
        for bundle in summary["bundles"]
        for shape in bundle["shapes"]
        if shape["condition_id"] in conditions
    }
    rows = summary.get("right_sizing") or ()
    return [row for row in rows if (row["bundle_id"], row["shape"]) in names]


def _ended(cells: Sequence[Mapping[str, Json]]) -> tuple[str, ...]:
    return tuple(
        c["cell"] for c in cells if c["repetitions"]["completed"] or c["repetitions"]["failed"]
    )


def _largest(cells: Sequence[Mapping[str, Json]], metric: str) -> float | None:
    return _most(v for c in cells for v in (c["metrics"].get(metric) or {}).get("run_values") or ())


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _variant(axes: Mapping[str, Json]) -> str:
    return str(axes.get(VARIANT, ONLY))


def _below(value: float | None, limit: float) -> str:
    return UNKNOWN if value is None else "MET" if value < limit else "NOT_MET"
