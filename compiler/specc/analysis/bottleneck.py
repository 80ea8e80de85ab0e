"""Name the resource that holds a system back, with the numbers that say so. Pure.

Rules over an evidence table, no classifier: the resource whose statistic crosses its limit at the
knee, but not one level below, wins. What is high at every level explains no knee. Ties are listed,
the client comes first, and without evidence nothing is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

from specc.analysis import strangers
from specc.analysis.bottleneck_table import (
    NOTHING_MISSING,
    NOTHING_MISSING_AT_POINTS,
    RESOURCES,
    STATISTICS,
    Statistic,
    actions,
)
from specc.analysis.bottleneck_words import (
    Attribution,
    Level,
    closing,
    common_gaps,
    compared,
    disturbances,
    gain,
    gaps,
    growth,
    not_known,
    others,
    ranged,
    symptoms,
    unmeasured,
)

UNDETERMINED = "undetermined"
OWN = next(one for one in STATISTICS if one.name == "own_cpu_pct")
NEAR = 0.9
"""A resource with a limit of 90 % crosses it at 0.9 of the load that saturates it."""


def attribute_curve(
    levels: Sequence[Level],
    knee: tuple[float, float] | None,
    limits: Mapping[str, float],
    *,
    why_no_knee: str = "",
) -> Attribution:
    """Attribute a load curve.

    levels: by rising load.   knee: its interval, in units of the load; None when none was found,
    the last level is then looked at and confidence is low.   limits: every statistic's and
    symptom's limit, in its unit.   why_no_knee: sentences that the answer opens with.
    """
    if len(levels) < 2:
        reason = "a load curve needs two levels to compare"
        return _undetermined(levels[-1:], reason, levels[0].missing if levels else {}, limits)
    places = _places(levels, knee)
    steps = [(levels[place], levels[place - 1]) for place in places]
    for at, below in steps:
        if at.client_limited is not None or _crossing(at, limits).get("client"):
            return _of_client(at, below, limits, knee is not None)
    for at, below in steps:
        if winners := _new_at(at, below, limits):
            return _named(winners, at, below, limits, knee is not None)
    # waiting shows beyond the knee, best of all over the whole way from there to the highest load
    after = levels[places[-1] : places[-1] + 2]
    beyond = [(levels[-1], levels[places[0]])] if places[0] < len(levels) - 1 else []
    for at, below in [*beyond, *zip(after[1:], after, strict=False), *steps]:
        if _queues(at, below, limits):
            return _named({"service": []}, at, below, limits, knee is not None)
    at, below = steps[-1]
    reason = _nothing_new(at, below, limits)
    if knee is None and why_no_knee:
        reason = f"{why_no_knee} {reason[0].upper()}{reason[1:]}."
    found = _undetermined([at], reason, at.missing, limits, below)
    symptom = symptoms(*(beyond or [(at, below)])[0], limits)
    return replace(found, evidence=(*symptom, *found.evidence))


def attribute_points(
    points: Sequence[Level], limits: Mapping[str, float]
) -> list[tuple[Attribution, list[int]]]:
    """Attribute points of a study without load, those with one answer together.

    Returns (attribution, places of its points). Nothing shows here whether a resource that is at
    its limit is what a lower one would leave room for, so confidence is medium at most.
    """
    groups: dict[tuple[tuple[str, ...], bool], list[int]] = {}
    for place, point in enumerate(points):
        crossed = _strongest(_crossing(point, limits))
        if point.client_limited is not None:
            crossed = {"client": [], **crossed}
        named = [resource for resource in crossed if resource != "service"]
        answer = tuple(named or crossed)
        hidden = not answer and strangers.hidden(point, limits)
        groups.setdefault((answer, hidden), []).append(place)
    found = []
    for (resources, hidden), places in groups.items():
        members = [points[place] for place in places]
        if not resources:
            unseen = sorted({name for one in members for name in unmeasured(one)})
            reason = f"no measured resource was at its limit{not_known(unseen)}"
            rare = {one.name for one in STATISTICS if one.rare}
            if not any(member.values.keys() - rare for member in members):
                reason = "nothing was measured that could show a limit"
            if hidden:
                reason = f"{strangers.words(members, limits)}: what holds it back by itself is open"
            one = _undetermined(members, reason, common_gaps(members), limits)
        else:
            one = _point_group(resources, members, limits)
        found.append((one, places))
    return found


def _places(levels: Sequence[Level], knee: tuple[float, float] | None) -> range:
    """Return where a resource must cross its limit to explain the knee."""
    last = len(levels) - 1
    if knee is None:
        return range(last, last + 1)
    loads = [one.level or 0.0 for one in levels]
    first, final = (
        next((n for n, load in enumerate(loads) if load >= NEAR * end), last) for end in knee
    )
    # the lowest level has none below it that could be compared
    return range(max(1, first), max(1, final) + 1)


def _crossing(at: Level, limits: Mapping[str, float]) -> dict[str, list[Statistic]]:
    """Return the statistics past their limits, by resource, in the order of attribution.

    Without those of the whole machine's CPUs where others took much of them.
    """
    found: dict[str, list[Statistic]] = {}
    past = {name for name, value in at.values.items() if value >= limits.get(name, inf)}
    if not past:
        return found
    unfit = strangers.MACHINE_WIDE if strangers.hidden(at, limits) else frozenset[str]()
    for one in STATISTICS:
        if one.name in past and one.name not in unfit:
            found.setdefault(one.resource, []).append(one)
    return found


def _new_at(at: Level, below: Level, limits: Mapping[str, float]) -> dict[str, list[Statistic]]:
    """Return what crosses its limit at a level and was measured below it at the one before."""
    found: dict[str, list[Statistic]] = {}
    for resource, statistics in _crossing(at, limits).items():
        new = [
            one
            for one in statistics
            if one.name in below.values and below.values[one.name] < limits[one.name]
        ]
        # a resource that some number showed at its limit before is not new there
        if new and not any(
            below.values.get(one.name, 0.0) >= limits[one.name] and not one.weak
            for one in statistics
        ):
            found[resource] = new
    found = _strongest(found)
    return {k: v for k, v in found.items() if k != "service"} or found


def _strongest(found: dict[str, list[Statistic]]) -> dict[str, list[Statistic]]:
    strong = {
        resource: kept
        for resource, statistics in found.items()
        if (kept := [one for one in statistics if not one.weak])
    }
    decisive = [resource for resource in strong if resource != "service"]
    weak = {k: v for k, v in found.items() if k not in strong}
    return strong if decisive or not weak else {**weak, **strong}


def _queues(at: Level, below: Level, limits: Mapping[str, float]) -> bool:
    """Tell whether only waiting grew while every machine resource was seen below its limit."""
    more, longer = gain(at, below), growth(at, below)
    known = all(
        resource in at.absent
        or any(one.name in at.values for one in STATISTICS if one.resource == resource)
        for resource in ("gpu_compute", "cpu")
    )
    return (
        known
        and not strangers.hidden(at, limits)
        and not any(resource != "service" for resource in _strongest(_crossing(at, limits)))
        and more is not None
        and longer is not None
        and more <= limits["throughput_gain_pct"]
        and longer >= limits["tail_growth"]
    )


def _of_client(at: Level, below: Level, limits: Mapping[str, float], knee: bool) -> Attribution:
    crossed = {"client": _crossing(at, limits).get("client", [])}
    found = _named(crossed, at, below, limits, knee)
    if at.client_limited is None:
        return found
    return replace(found, evidence=(f"At {at.name}: {at.client_limited}", *found.evidence))


def _named(
    winners: Mapping[str, list[Statistic]],
    at: Level,
    below: Level,
    limits: Mapping[str, float],
    knee: bool,
) -> Attribution:
    first, *tied = winners
    evidence = [compared(one, at, below, limits) for found in winners.values() for one in found]
    if "cpu" in winners and OWN.name in at.values and OWN not in winners["cpu"]:
        # busy CPUs may be busy with the work of others
        evidence.append(compared(OWN, at, below, limits))
    evidence += symptoms(at, below, limits)
    evidence += [*others(winners, [at], limits, below), *disturbances([at])]
    weak = all(one.weak for one in winners[first]) and bool(winners[first])
    sure = knee and not tied and not weak and at.disturbed is None
    # that only waiting is left is concluded from what was seen to have room
    complete = not unmeasured(at) and (first != "service" or bool(winners[first]))
    return Attribution(
        kind=RESOURCES[first][0],
        resource=first,
        tied=tuple(tied),
        evidence=tuple(evidence),
        next_actions=actions(winners, of_curve=True),
        confidence="high" if sure and complete else "medium" if sure else "low",
        missing=gaps(at.missing),
    )


def _point_group(
    resources: tuple[str, ...], members: Sequence[Level], limits: Mapping[str, float]
) -> Attribution:
    evidence = [
        f"At {one.name}: {one.client_limited}" for one in members if one.client_limited is not None
    ]
    crossed: dict[str, dict[str, Statistic]] = {resource: {} for resource in resources}
    for member in members:
        for resource, statistics in _crossing(member, limits).items():
            if resource in crossed:
                crossed[resource].update((one.name, one) for one in statistics)
    for of_one in crossed.values():
        strong = [one for one in of_one.values() if not one.weak]
        evidence += [ranged(one, members, limits) for one in strong or of_one.values()]
    known = any(OWN.name in member.values for member in members)
    if known and "cpu" in crossed and OWN.name not in crossed["cpu"]:
        evidence.append(ranged(OWN, members, limits))
    evidence += [*others(crossed, members, limits, None), *disturbances(members)]
    of_first = crossed[resources[0]].values()
    weak = bool(of_first) and all(one.weak for one in of_first)
    complete = not any(unmeasured(member) for member in members)
    disturbed = any(member.disturbed for member in members)
    sure = len(resources) == 1 and complete and not weak and not disturbed
    return Attribution(
        kind=RESOURCES[resources[0]][0],
        resource=resources[0],
        tied=resources[1:],
        evidence=tuple(evidence),
        next_actions=actions(resources, of_curve=False),
        confidence="medium" if sure else "low",
        missing=gaps(common_gaps(members)),
    )


def _nothing_new(at: Level, below: Level, limits: Mapping[str, float]) -> str:
    """Say that no limit was reached newly, which ones were before, and what was not measured."""
    text = f"no measured resource reached its limit at {at.name} that was below it at {below.name}"
    high = [RESOURCES[name][1] for name in _strongest(_crossing(at, limits)) if name != "service"]
    text += f"; at its limit at both: {', '.join(high)}" if high else ""
    theirs = strangers.words([at], limits)
    return text + (f"; {theirs}" if theirs else "") + not_known(unmeasured(at))


def _undetermined(
    members: Sequence[Level],
    reason: str,
    unseen: Mapping[str, str],
    limits: Mapping[str, float],
    below: Level | None = None,
) -> Attribution:
    missing = gaps(unseen)
    evidence = list(others({}, members, limits, below))
    of_curve = any(one.level is not None for one in members)
    next_actions = [closing(missing, NOTHING_MISSING if of_curve else NOTHING_MISSING_AT_POINTS)]
    if held := [one for one in members if strangers.hidden(one, limits)]:
        evidence.append(ranged(OWN, held, limits))
        next_actions.insert(0, strangers.ACTION)
    return Attribution(
        kind=UNDETERMINED,
        resource=None,
        evidence=tuple(evidence),
        next_actions=tuple(next_actions),
        missing=missing,
        reason=reason,
    )
