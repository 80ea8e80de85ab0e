"""Tell the effect of the machine, and of the place in the job, from the effect of the point.

Pure. A point's runs were made in jobs, and jobs ran on nodes. What two jobs on one node differ by
is no effect of the node, so jobs are the replicates of a node, however many points each measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from specc.analysis.arrays import Array
from specc.analysis.student import f_tail, t_cdf, t_quantile

LEVEL = 0.95
_ROUNDS = 1000
_CLOSE = 1e-13
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEffect:
    """By how much runs on one node differ from those on the mean of all nodes, on their scale."""

    node: str
    effect: float | None
    low: float | None
    high: float | None
    jobs: int
    reason: str | None
    """Why there is no estimate; None when there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """What nodes have to do with the values."""

    effects: tuple[NodeEffect, ...]
    p: float | None
    """Of "no node differs from another"; None where that can't be tested."""
    share: float | None
    """Share of the variance between jobs that the nodes explain, 0..1, adjusted for their number;
    0 when they explain no more than chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Change of the values from the beginning of a job to its end, on their scale."""

    change: float | None
    low: float | None
    high: float | None
    p: float | None
    reason: str | None


def node_effects(
    values: Array, points: Sequence[str], jobs: Sequence[str], node_of: Mapping[str, str]
) -> Nodes:
    """Estimate what each node adds, by points and jobs as factors.

    values: (n,) one per run, logs where effects multiply.   points, jobs: (n,) where each belongs.
    node_of: the node of each job.
    First least squares of point + job, then a one-way analysis of variance of the job effects over
    nodes; F test and t intervals with the jobs as replicates.
    Source: two-stage analysis of a nested design (Searle, Casella and McCulloch, Variance
    Components, 1992); checked against a least-squares fit and by simulation in the tests.
    """
    job_names, job = _coded(jobs)
    nodes = list(dict.fromkeys(node_of[name] for name in job_names))
    if len(nodes) < 2:
        return _none(nodes, jobs, node_of, "one node: nothing to compare it with")
    point = _coded(points)[1]
    if not _connected(point, job):
        return _none(nodes, jobs, node_of, "points were measured on different nodes: their effects "
                     "can't be told apart")  # fmt: skip
    freedom = len(job_names) - len(nodes)
    if freedom < 1:
        return _none(nodes, jobs, node_of, "one job on each node: what the node adds can't be told "
                     "from what the job adds")  # fmt: skip
    each = _job_effects(values, point, job)
    groups = [
        np.array([e for e, name in zip(each, job_names, strict=True) if node_of[name] == node])
        for node in nodes
    ]
    return _analysed(nodes, groups, freedom)


def _analysed(nodes: Sequence[str], groups: Sequence[Array], freedom: int) -> Nodes:
    """Compare groups of job effects; freedom: jobs less nodes."""
    means = np.array([float(group.mean()) for group in groups])
    sizes = np.array([len(group) for group in groups])
    within = float(sum(((group - group.mean()) ** 2).sum() for group in groups))
    together = float((means * sizes).sum() / sizes.sum())
    between = float((sizes * (means - together) ** 2).sum())
    above = len(nodes) - 1
    variance = within / freedom
    if variance <= _CLOSE:
        p = 0.0 if between > _CLOSE else 1.0
    else:
        p = f_tail(between / above / variance, above, freedom)
    total = (within + between) / (freedom + above)
    share = max(0.0, 1 - variance / total) if total > _CLOSE else 0.0
    reach = t_quantile((1 + LEVEL) / 2, freedom)
    effects = []
    for place, node in enumerate(nodes):
        # of the deviation from the mean of all nodes, each node counting the same
        weights = np.where(np.arange(len(nodes)) == place, 1.0, 0.0) - 1 / len(nodes)
        effect = float(weights @ means)
        half = reach * math.sqrt(variance * float((weights**2 / sizes).sum()))
        effects.append(
            NodeEffect(
                node=node,
                effect=effect,
                low=effect - half,
                high=effect + half,
                jobs=int(sizes[place]),
                reason=None,
            )
        )
    return Nodes(effects=tuple(effects), p=p, share=share)


def order_effect(values: Array, points: Sequence[str], jobs: Sequence[str], places: Array) -> Trend:
    """Estimate how values change from the beginning of a job to its end.

    places: (n,) place of each run in its job, 0..1. Least squares of point + job + b * place.
    Source: analysis of covariance; checked against a least-squares fit in the tests.
    """
    point, job = _coded(points)[1], _coded(jobs)[1]
    rest = _without(places, point, job)
    power = float(rest @ rest)
    if power <= 1e-9 * max(len(values), 1):
        return _no_trend("every point was measured at the same place of its job")
    freedom = len(values) - _rank(point, job) - 1
    if freedom < 1:
        return _no_trend("too few runs for the points and jobs that they are of")
    left = _without(values, point, job)
    b = float(rest @ left) / power
    error = math.sqrt(float(((left - b * rest) ** 2).sum()) / freedom / power)
    if error <= _CLOSE:
        return Trend(change=b, low=b, high=b, p=0.0 if abs(b) > _CLOSE else 1.0, reason=None)
    half = t_quantile((1 + LEVEL) / 2, freedom) * error
    p = 2 * t_cdf(-abs(b) / error, freedom)
    return Trend(change=b, low=b - half, high=b + half, p=p, reason=None)


def _no_trend(reason: str) -> Trend:
    return Trend(change=None, low=None, high=None, p=None, reason=reason)


def _none(
    nodes: Sequence[str], jobs: Sequence[str], node_of: Mapping[str, str], reason: str
) -> Nodes:
    counts = {node: sum(node_of[job] == node for job in set(jobs)) for node in nodes}
    return Nodes(
        effects=tuple(
            NodeEffect(
                node=node, effect=None, low=None, high=None, jobs=counts[node], reason=reason
            )
            for node in nodes
        ),
        p=None,
        share=None,
    )


def _coded(labels: Sequence[str]) -> tuple[list[str], Labels]:
    names = list(dict.fromkeys(labels))
    code = {name: number for number, name in enumerate(names)}
    return names, np.array([code[label] for label in labels], dtype=np.int64)


def _means(values: Array, label: Labels) -> Array:
    found: Array = np.bincount(label, weights=values) / np.bincount(label)
    return found


def _job_effects(values: Array, point: Labels, job: Labels) -> Array:
    """Return the least-squares effects of jobs beside those of points, their mean 0."""
    effects = np.zeros(int(job.max()) + 1)
    for _ in range(_ROUNDS):
        left = values - effects[job]
        left = values - _means(left, point)[point]
        new = _means(left, job)
        new = new - new.mean()
        moved = float(np.max(np.abs(new - effects)))
        effects = new
        if moved <= 1e-12:
            break
    return effects


def _without(values: Array, point: Labels, job: Labels) -> Array:
    """Return values with the effects of points and jobs taken out."""
    left = values - _job_effects(values, point, job)[job]
    found: Array = left - _means(left, point)[point]
    return found


def _rank(point: Labels, job: Labels) -> int:
    return int(point.max()) + 1 + int(job.max()) + 1 - len(set(_parts(point, job)))


def _connected(point: Labels, job: Labels) -> bool:
    return len(set(_parts(point, job))) == 1


def _parts(point: Labels, job: Labels) -> list[int]:
    """Return for each job the number of the part of the design that it belongs to.

    Effects of jobs can be compared only where a chain of shared points links them.
    """
    parent = list(range(int(job.max()) + 1))

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    first: dict[int, int] = {}
    for p, j in zip(point.tolist(), job.tolist(), strict=True):
        parent[root(j)] = root(first.setdefault(p, j))
    return [root(one) for one in range(len(parent))]
