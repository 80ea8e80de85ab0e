"""Word the evidence of a bottleneck: measured values, their limits, and what is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log2

from specc.analysis.bottleneck_table import CORE, RESOURCES, STATISTICS, Statistic
from specc.analysis.signs import change

_SHOWN_BY = {one.name: one.resource for one in STATISTICS if not one.rare}
"""Statistic -> the resource that it shows to be below its limit, or at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What was measured at one level of the load, or at one point of a study without load."""

    name: str
    """How a sentence calls it: "concurrency 16"."""
    level: float | None = None
    """The load; None for a point of a study without load."""
    values: Mapping[str, float]
    """Statistic -> value in its unit."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Statistic -> why it was not measured."""
    absent: frozenset[str] = frozenset()
    """Resources that these tasks don't use: the GPU's, without a GPU."""
    throughput: float | None = None
    tail: float | None = None
    units: tuple[str, str] = ("", "")
    """Of throughput and tail."""
    by_slurm: frozenset[str] = frozenset()
    """Statistics that Slurm counted, over the whole job, where nothing was sampled."""
    client_limited: str | None = None
    """Why the point is known to be limited by its client; None when it is not."""
    disturbed: str | None = None
    """What else was going on while it was timed; None when nothing was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The most likely bottleneck."""

    kind: str
    """A key of CLASSES."""
    resource: str | None
    tied: tuple[str, ...] = ()
    """Further resources that crossed their limits at the same level."""
    evidence: tuple[str, ...] = ()
    """Sentences with measured values, limits and units."""
    next_actions: tuple[str, ...] = ()
    confidence: str | None = None
    """high, medium or low; None when nothing is named."""
    missing: tuple[str, ...] = ()
    """What was not measured and why."""
    reason: str | None = None
    """Why nothing is named; None when something is."""


def _per_doubling(now: float | None, before: float | None, at: Level, below: Level) -> float | None:
    if not (now and before and at.level and below.level) or at.level <= below.level:
        return None
    return float((now / before) ** (1 / log2(at.level / below.level)))


def gain(at: Level, below: Level) -> float | None:
    """Return the gain of throughput when the load doubles [%]."""
    factor = _per_doubling(at.throughput, below.throughput, at, below)
    return None if factor is None else 100 * (factor - 1)


def growth(at: Level, below: Level) -> float | None:
    """Return the factor by which the tail grows when the load doubles."""
    return _per_doubling(at.tail, below.tail, at, below)


def others(
    winners: Mapping[str, object],
    members: Sequence[Level],
    limits: Mapping[str, float],
    below: Level | None,
) -> Iterator[str]:
    """Yield one sentence for each other resource that was measured: what speaks against it."""
    told = set(winners)
    known = _known(members)
    for one in STATISTICS:
        if one.resource in told or one.rare or one.name not in known:
            continue
        told.add(one.resource)
        if below is not None:
            yield compared(one, members[0], below, limits)
        else:
            yield ranged(one, members, limits)


def disturbances(members: Sequence[Level]) -> Iterator[str]:
    """Yield what else went on while points were timed: one of them in full, then how many more."""
    found = [f"{one.name}: {one.disturbed}" for one in members if one.disturbed is not None]
    if found:
        more = f" (and {len(found) - 1} more points disturbed)" if len(found) > 1 else ""
        yield f"Disturbed at {found[0]}{more}"


def compared(one: Statistic, at: Level, below: Level, limits: Mapping[str, float]) -> str:
    """Word a statistic at a level and at a lower one."""
    before = below.values.get(one.name)
    told = "not measured" if before is None else f"against {figure(before)} {one.unit}"
    return (
        f"{one.label} {figure(at.values[one.name])} {one.unit} at {at.name}, {told} at {below.name}"
        f" ({_limit(one, [at, below], limits)})"
    )


def ranged(one: Statistic, members: Sequence[Level], limits: Mapping[str, float]) -> str:
    """Word a statistic over several points: its least and its largest value."""
    values = [member.values[one.name] for member in members if one.name in member.values]
    low, high = figure(min(values)), figure(max(values))
    told = low if low == high else f"{low} to {high}"
    where = f"at {members[0].name}" if len(members) == 1 else f"in {len(values)} points"
    return f"{one.label} {told} {one.unit} {where} ({_limit(one, members, limits)})"


def _limit(one: Statistic, members: Sequence[Level], limits: Mapping[str, float]) -> str:
    text = f"limit {figure(limits[one.name])} {one.unit}"
    slurm = any(one.name in member.by_slurm for member in members)
    return f"{text}; counted by Slurm over the whole job" if slurm else text


def symptoms(at: Level, below: Level, limits: Mapping[str, float]) -> Iterator[str]:
    """Word how throughput and tail answer to the load, where they were measured."""
    of_throughput, of_tail = (f" {unit}" if unit else "" for unit in at.units)
    more, longer = gain(at, below), growth(at, below)
    if more is not None and at.throughput is not None and below.throughput is not None:
        limit = figure(limits["throughput_gain_pct"])
        yield (
            f"Throughput {figure(at.throughput)}{of_throughput} at {at.name} against"
            f" {figure(below.throughput)}{of_throughput} at {below.name}: {change(more / 100)}"
            f" for each doubling of the load (flat up to {limit} %)"
        )
    if longer is not None and at.tail is not None and below.tail is not None:
        limit = figure(limits["tail_growth"])
        yield (
            f"Tail latency {figure(at.tail)}{of_tail} at {at.name} against"
            f" {figure(below.tail)}{of_tail} at {below.name}: x{longer:.2f} for each doubling of"
            f" the load (growing from x{limit} on)"
        )


def unmeasured(at: Level) -> list[str]:
    """Return the core resources of which no statistic was measured."""
    seen = {_SHOWN_BY[name] for name in at.values if name in _SHOWN_BY}
    return [resource for resource in CORE if resource not in seen | at.absent]


def not_known(resources: Sequence[str]) -> str:
    """Word which resources were not measured, as the end of a sentence."""
    names = ", ".join(RESOURCES[name][1] for name in resources)
    return f"; not measured: {names}" if names else ""


def common_gaps(members: Sequence[Level]) -> dict[str, str]:
    """Return what none of the points has measured."""
    gaps: dict[str, str] = {}
    last: Mapping[str, str] = {}
    for member in members:
        # ten thousand points mostly share what nothing told of them
        if member.missing is not last:
            gaps.update(member.missing)
            last = member.missing
    known = _known(members)
    return {name: text for name, text in gaps.items() if name not in known}


def _known(members: Sequence[Level]) -> set[str]:
    """Return the statistics that were measured at any of the points."""
    return set[str]().union(*(member.values for member in members))


def gaps(missing: Mapping[str, str]) -> tuple[str, ...]:
    """Word what is missing, those with one reason together."""
    by_reason: dict[str, list[str]] = {}
    for one in STATISTICS:
        if one.name in missing:
            by_reason.setdefault(missing[one.name], []).append(one.name)
    return tuple(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())


def figure(value: float) -> str:
    """Write a number with three digits; whole thousands in full."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def closing(missing: Sequence[str], otherwise: str) -> str:
    """Word the next action where nothing was shown: to measure what `gaps` told of first."""
    if not missing:
        return otherwise
    names, _, reason = missing[0].partition(": ")
    count = len(names.split(", "))
    return f"Close the gap in the evidence ({count} statistic{'s' * (count > 1)}): {reason}."
