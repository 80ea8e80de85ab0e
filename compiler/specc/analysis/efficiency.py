"""Throughput for each GPU, core or joule, with its interval over runs. Pure.

A ratio has the interval of its runs: each run's own rate by what that run had or drew. Energy is
only ever compared within one scope and source; what was not measured has a reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from specc.analysis.intervals import Interval, over_runs
from specc.analysis.load.little import PER


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """Work by what it took, in `unit`."""

    value: float | None
    """Geometric mean over the runs; None when it was not measured."""
    low: float | None
    """Bounds of the 95 % interval; None with fewer than two runs."""
    high: float | None
    unit: str
    """"samples/s per GPU", "samples per J"."""
    runs: int
    scope: str | None
    """Of energy: device, package or node; None for counted resources."""
    source: str | None
    """Of energy: nvml, rapl, …; None for counted resources."""
    reason: str | None
    """Why there is no value, or no interval; None when there are both."""


def per_unit(rates: Sequence[float], count: float | None, *, unit: str, of: str) -> Efficiency:
    """Return the rate for each unit of a resource.

    rates: (runs,), one value of each run in `unit`.   count: how many units each run had, parts of
    one allowed.   of: what is counted, "GPU" or "core".
    """
    name = f"{unit} per {of}"
    if not count or count < 0:
        return _none(name, f"no {of} was asked for")
    return _over([rate / count for rate in rates], name, None, None)


def per_joule(
    rates: Sequence[float],
    watts: Sequence[float | None],
    *,
    unit: str,
    scope: str,
    source: str,
) -> Efficiency:
    """Return what one joule of a scope buys, from each run's rate and mean power.

    rates: (runs,), in `unit`, something by time: "samples/s", "ops/min".   watts: (runs,), mean
    power of the same runs while they were timed [W]; None where it was not measured.
    Raises ValueError when there are not as many powers as rates.
    """
    counted, _, time = unit.partition("/")
    over_s = PER.get(time)
    if over_s is None:
        return _none("", f"'{unit}' is not by time: what a joule buys is not told", scope, source)
    name = f"{counted} per J"
    pairs = [(r / over_s, w) for r, w in zip(rates, watts, strict=True) if w is not None and w > 0]
    if not pairs:
        return _none(name, f"no power of the {scope} was measured", scope, source)
    found = _over([rate / power for rate, power in pairs], name, scope, source)
    if len(pairs) == len(rates):
        return found
    note = f"{len(rates) - len(pairs)} of {len(rates)} runs have no power"
    return replace(found, reason=note if found.reason is None else f"{note}; {found.reason}")


def per_joule_of(joules: Sequence[float], *, item: str, scope: str, source: str) -> Efficiency:
    """Return what one joule of a scope buys, from the energy that one item took in each run.

    joules: (runs,), energy by item [J].   item: what was made, "samples".
    """
    name = f"{item} per J"
    if not joules:
        return _none(name, f"no energy of the {scope} was measured", scope, source)
    if min(joules) <= 0:
        return _none(name, "a run took no energy: the counter stood still", scope, source)
    return _over([1 / one for one in joules], name, scope, source)


def best(found: Mapping[str, Efficiency]) -> str | None:
    """Return the key of the largest value; None when none has one.

    Raises ValueError for units, scopes or sources that differ: they can't be compared.
    """
    known = {key: one for key, one in found.items() if one.value is not None}
    kinds = {(one.unit, one.scope, one.source) for one in known.values()}
    if len(kinds) > 1:
        raise ValueError(f"not comparable: {sorted(map(str, kinds))}")
    return max(known, key=lambda key: known[key].value or 0.0, default=None)


def _over(values: Sequence[float], unit: str, scope: str | None, source: str | None) -> Efficiency:
    interval: Interval = over_runs(values)
    return Efficiency(
        value=interval.centre,
        low=interval.low,
        high=interval.high,
        unit=unit,
        runs=interval.runs,
        scope=scope,
        source=source,
        reason=interval.reason,
    )


def _none(
    unit: str, reason: str, scope: str | None = None, source: str | None = None
) -> Efficiency:
    return Efficiency(
        value=None,
        low=None,
        high=None,
        unit=unit,
        runs=0,
        scope=scope,
        source=source,
        reason=reason,
    )
