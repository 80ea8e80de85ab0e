"""Decide GO or NO-GO from what a pilot measured and the limits of `pilot.accept`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from specc.kinds.sentences import number, quantity
from specc.model import Json

Answer = Literal["GO", "NO-GO", "INCONCLUSIVE"]
_SIGNS = {"le": "<=", "lt": "<", "ge": ">=", "gt": ">"}
_OF_GPUS = ("gpu_util_pct", "gpu_memory_bytes", "gpu_memory_pct")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One limit held against one shape."""

    shape: str
    limit: str
    """"gpu_util_pct > 80"."""
    value: float | None
    """What was measured; None when it was not."""
    passed: bool | None
    """None when nothing was measured."""
    reason: str | None

    @property
    def line(self) -> str:
        """One line for a terminal."""
        word = {True: "pass", False: "FAIL", None: "unknown"}[self.passed]
        found = self.reason if self.value is None else shown(self.limit.split()[0], self.value)
        return f"{word}: {self.shape}: {self.limit}: {found}"


def judge(
    rows: Sequence[Mapping[str, Json]], accept: Sequence[Mapping[str, Json]], *, complete: bool
) -> tuple[Answer, tuple[Check, ...]]:
    """Return the answer and every check behind it.

    rows: of `shapes_used`.   complete: every task of the pilot has ended.
    GO needs every limit kept by every shape; a limit broken is a NO-GO whatever is still open.
    """
    checks = tuple(check for row in rows for check in _checks(row, accept))
    if any(check.passed is False for check in checks):
        return "NO-GO", checks
    if not complete or any(check.passed is None for check in checks):
        return "INCONCLUSIVE", checks
    return "GO", checks


def _checks(row: Mapping[str, Json], accept: Sequence[Mapping[str, Json]]) -> Iterator[Check]:
    for limit in accept:
        name = limit["metric"]
        if name in _OF_GPUS and not row["asked"]["gpus"]:
            continue
        word = next(word for word in _SIGNS if word in limit)
        value, reason = value_of(row, name)
        yield Check(
            shape=row["shape"],
            limit=f"{name} {_SIGNS[word]} {limit[word]:g}",
            value=value,
            passed=None if value is None else _holds(word, value, limit[word]),
            reason=reason,
        )


def value_of(row: Mapping[str, Json], name: str) -> tuple[float | None, str | None]:
    """Return a metric of `pilot.accept`, or the reason why there is none."""
    used, asked, reasons = row["used"], row["asked"], row["reasons"]
    if name in ("failed", "oom"):
        nothing = not row["attempts"]
        return (None, "no attempt has ended yet") if nothing else (float(row[name]), None)
    direct = {
        "duration_s": "duration_max_s",
        "memory_bytes": "memory_bytes",
        "gpu_util_pct": "gpu_util_pct",
        "gpu_memory_bytes": "gpu_task_memory_bytes",
    }
    if name in direct:
        return used[direct[name]], reasons.get(direct[name])
    parts = {
        "memory_pct": ("memory_bytes", asked["memory_bytes"], "task.memory is not stated"),
        "cores_pct": ("cores_max", asked["cpus"], ""),
        "gpu_memory_pct": (
            "gpu_memory_bytes",
            used["gpu_total_bytes"],
            "the GPU's memory is not known",
        ),
    }
    top, whole, without = parts[name]
    if used[top] is None:
        return None, reasons.get(top)
    return (100 * used[top] / whole, None) if whole else (None, without)


def _holds(word: str, value: float, limit: float) -> bool:
    return {
        "le": value <= limit,
        "lt": value < limit,
        "ge": value >= limit,
        "gt": value > limit,
    }[word]


def shown(metric: str, value: float) -> str:
    """Return a metric of `pilot.accept` with its unit."""
    if metric.endswith("_bytes"):
        return quantity(value, "B")
    if metric.endswith("_pct"):
        return f"{number(value)} %"
    return f"{number(value)} s" if metric.endswith("_s") else number(value)
