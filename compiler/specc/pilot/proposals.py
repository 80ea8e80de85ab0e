"""Say what a shape should ask for, from what its attempts used. Pure; the arithmetic is shown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from specc.language.units import duration_s, format_size, size_bytes
from specc.model import Json

MIB, GIB = 2**20, 2**30
MOST_SHARING = 8
"""Tasks on one GPU; more than that is not proposed from two points."""
FULL_PCT = 95.0
"""Of a GPU's memory and time that tasks sharing it may fill: the driver takes some of both."""
SPARE_CORES = 0.1
"""What a process does beside its work, such as collecting output, asks for no core of its own."""
TOO_MUCH = 0.75
"""What is proposed must be less than this share of what is asked, to be worth a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A better value of one resource, or the reason why there is none."""

    field: str
    """"task.memory"."""
    asked: Json
    """In the unit of the summary: seconds, bytes, GPUs; None when the spec leaves it open."""
    value: Json
    """Seconds, bytes or GPUs; None when nothing can be proposed."""
    text: str | None
    """The value as the spec spells it: "4GiB"."""
    why: str
    """The arithmetic, or the reason why there is no value."""

    @property
    def differs(self) -> bool:
        """Say whether the spec should change: too little, far too much, or not said at all."""
        if self.value is None:
            return False
        return self.asked is None or not TOO_MUCH * self.asked <= self.value <= self.asked


def propose(
    row: Mapping[str, Json], margins: Mapping[str, float], *, alone: bool
) -> tuple[Proposal, ...]:
    """Return a proposal for each resource of a shape that the spec can state.

    row: of `shapes_used`.   alone: the kind measures, so that nothing may run beside a task.
    """
    found = [_estimate(row, margins["time"]), _memory(row, margins["memory"])]
    if row["asked"]["gpus"]:
        found += [_gpu_memory(row, margins["memory"]), _gpus(row, margins["memory"], alone=alone)]
    return tuple(found)


def advice(row: Mapping[str, Json], proposals: tuple[Proposal, ...]) -> Iterator[str]:
    """Yield what to change, in a few words: "ask 4GiB of memory, not 32GiB"."""
    names = {
        "task.memory": "of memory",
        "task.gpu_memory": "of GPU memory",
        "task.gpus": "GPU for each task",
        "task.estimate": "as the estimate",
    }
    for one in proposals:
        if one.differs:
            instead = "" if one.asked is None else f", not {_spelled(one)}"
            yield f"ask {one.text} {names[one.field]}{instead}"
    busy, asked = row["used"]["cores_max"], row["asked"]["cpus"]
    cores = None if busy is None else max(1, math.ceil(busy - SPARE_CORES))
    if cores is not None and cores < asked:
        yield f"ask {cores} of {asked} cores: at most {busy:.1f} were busy"


def duration_text(seconds: float) -> str:
    """Spell a duration, rounded up to a round number: "45s", "12min", "1.5h"."""
    step = _step(seconds, ((10, 1), (120, 5), (600, 30), (3600, 60), (36000, 900)), 3600)
    whole = max(1, math.ceil(seconds / step - 1e-9)) * step
    for unit, size in (("h", 3600), ("min", 60)):
        if whole >= size and (whole * 4) % size == 0:
            return f"{whole / size:g}{unit}"
    return f"{whole}s"


def size_text(size: float) -> str:
    """Spell a size, rounded up to a round number: "192MiB", "1.5GiB", "13GiB"."""
    step = _step(size, ((GIB, 64 * MIB), (8 * GIB, GIB // 2)), GIB)
    whole = max(1, math.ceil(size / step)) * step
    return f"{whole / GIB:g}GiB" if whole >= GIB else f"{whole // MIB}MiB"


def _step(value: float, steps: tuple[tuple[float, int], ...], last: int) -> int:
    """Return the step of the first bound that the value keeps, else the last one."""
    return next((step for bound, step in steps if value <= bound), last)


def _estimate(row: Mapping[str, Json], margin: float) -> Proposal:
    longest, asked = row["used"]["duration_max_s"], row["asked"]["estimate_s"]
    if longest is None:
        return _none("task.estimate", asked, row["reasons"]["duration_max_s"])
    text = duration_text(longest * margin)
    return Proposal(
        field="task.estimate",
        asked=asked,
        value=duration_s(text),
        text=text,
        why=f"longest of {_count(row)} {longest:.3g} s x {margin:g}",
    )


def _memory(row: Mapping[str, Json], margin: float) -> Proposal:
    peak, asked = row["used"]["memory_bytes"], row["asked"]["memory_bytes"]
    if row["oom"]:
        return _none("task.memory", asked, "attempts ran out of memory: the need is above the peak")
    if peak is None:
        return _none("task.memory", asked, row["reasons"]["memory_bytes"])
    return _sized("task.memory", asked, peak, margin, f"peak of {_count(row)}")


def _gpu_memory(row: Mapping[str, Json], margin: float) -> Proposal:
    peak, asked = row["used"]["gpu_task_memory_bytes"], row["asked"]["gpu_memory_bytes"]
    if row["oom"]:
        why = "attempts ran out of memory: the need is above the peak"
        return _none("task.gpu_memory", asked, why)
    if peak is None:
        return _none("task.gpu_memory", asked, row["reasons"]["gpu_task_memory_bytes"])
    return _sized("task.gpu_memory", asked, peak, margin, f"peak of {_count(row)}")


def _gpus(row: Mapping[str, Json], margin: float, *, alone: bool) -> Proposal:
    """Propose a share where memory and time of a GPU have room for several tasks."""
    used, asked = row["used"], row["asked"]["gpus"]
    peak, total, busy = (
        used[name] for name in ("gpu_task_memory_bytes", "gpu_total_bytes", "gpu_util_pct")
    )
    if alone:
        return _none("task.gpus", asked, "this kind measures: tasks share only with `sharing`")
    if asked > 1:
        return _none("task.gpus", asked, "a task of several GPUs shares none of them")
    if not peak or not total or busy is None:
        return _none("task.gpus", asked, "memory or utilisation of the GPU was not measured")
    # asked 0.5: two tasks made the utilisation that was seen
    now = max(1, math.floor(1 / asked + 1e-9))
    by_memory = math.floor(total * FULL_PCT / 100 / (peak * margin))
    by_time = math.floor(FULL_PCT / (busy / now)) if busy else MOST_SHARING
    fit = max(1, min(by_memory, by_time, MOST_SHARING))
    why = (
        f"{by_memory} fit by memory ({_short_size(total)} / {_short_size(peak * margin)}),"
        f" {by_time} by time ({busy / now:.0f} % busy with one task)"
    )
    if fit == now:
        return Proposal(field="task.gpus", asked=asked, value=asked, text=f"{asked:g}", why=why)
    # rounded down, so that as many shares make one GPU
    share = 1 if fit == 1 else math.floor(100 / fit) / 100
    return Proposal(field="task.gpus", asked=asked, value=share, text=f"{share:g}", why=why)


def _sized(field: str, asked: Json, peak: int, margin: float, what: str) -> Proposal:
    text = size_text(peak * margin)
    why = f"{what} {_short_size(peak)} x {margin:g}"
    return Proposal(field=field, asked=asked, value=size_bytes(text), text=text, why=why)


def _none(field: str, asked: Json, why: str) -> Proposal:
    return Proposal(field=field, asked=asked, value=None, text=None, why=why)


def _count(row: Mapping[str, Json]) -> str:
    return f"{row['attempts']} attempt{'' if row['attempts'] == 1 else 's'}"


def _spelled(one: Proposal) -> str:
    if one.field.endswith("memory"):
        return format_size(one.asked)
    return duration_text(one.asked) if one.field == "task.estimate" else f"{one.asked:g}"


def _short_size(size: float) -> str:
    return f"{size / GIB:.3g} GiB" if size >= GIB else f"{size / MIB:.3g} MiB"
