"""Tell where others kept the CPUs busy, so that these don't show what a launch needs. Pure.

Most numbers about CPUs are of the whole machine. Only what the launch used itself shows whether it
was the launch that used them up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specc.analysis.bottleneck_words import Level, figure

LEAST = 25.0
"""Share of all CPU time [%] from which on others, not the launch, may have filled the CPUs."""
MACHINE_WIDE = frozenset({"cpu_util_pct", "cpu_wait_pct"})
"""Statistics that others raise as much as the launch does."""
TOO_BRIEF = "sampled once a second: a point must be timed for 3 s and more at a time"
"""Why a statistic of a point is missing; without the one below nothing tells of others at all."""
_TELLING = "own_cpu_pct"
ACTION = "Repeat where nothing else runs: other processes kept the CPUs busy."


def others_pct(at: Level, limits: Mapping[str, float]) -> float | None:
    """Return the share of all CPU time [%] that others took, where that is much; else None.

    None as well where the launch did not count its own time, or was at its own limit anyhow.
    """
    busy, own = at.values.get("cpu_util_pct"), at.values.get("own_cpu_pct")
    if busy is None or own is None or own >= limits["own_cpu_pct"] or busy - own < LEAST:
        return None
    return busy - own


def hidden(at: Level, limits: Mapping[str, float]) -> bool:
    """Return whether the CPUs seem to be at their limit, but others took much of them."""
    return others_pct(at, limits) is not None and any(
        at.values.get(name, 0.0) >= limits[name] for name in MACHINE_WIDE
    )


def untold(missing: Sequence[str]) -> bool:
    """Return whether what is missing ("names: reason") includes any sign of others on the CPUs."""
    return any(_TELLING in told and told.endswith(TOO_BRIEF) for told in missing)


def words(members: Sequence[Level], limits: Mapping[str, float]) -> str:
    """Return "others kept 40 to 60 % of the CPUs busy, this launch 20 to 30 %"; "" without any."""
    held = [one for one in members if hidden(one, limits)]
    if not held:
        return ""
    theirs = [share for one in held if (share := others_pct(one, limits)) is not None]
    own = [one.values["own_cpu_pct"] for one in held]
    where = f" at {held[0].name}" if len(members) == 1 else ""
    return f"others kept {_range(theirs)} % of the CPUs busy{where}, this launch {_range(own)} %"


def _range(values: Sequence[float]) -> str:
    low, high = figure(min(values)), figure(max(values))
    return low if low == high else f"{low} to {high}"
