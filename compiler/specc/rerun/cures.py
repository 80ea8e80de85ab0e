"""What `on_failure` changes for a task, and how far the cluster lets it go. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from specc.language.units import amount, duration_s, size_bytes
from specc.model import Json, TaskShape

FIELDS = {
    "task.memory": "memory_bytes",
    "task.gpu_memory": "gpu_memory_bytes",
    "task.time_limit": "time_limit_s",
    "task.cpus": "cpus",
}
"""Resource that a cure may change to the field that holds it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One resource of one task: what it had, and what it gets."""

    resource: str
    old: float
    """0 where the spec left it open."""
    new: float

    def __str__(self) -> str:
        before = amount(self.resource, self.old) if self.old else "open"
        return f"{self.resource} {before} → {self.new_text}"

    @property
    def new_text(self) -> str:
        return amount(self.resource, self.new)


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that a resource may be, and who says so."""

    most: float
    said_by: str
    """"limits.task.memory of meluxina is 480GiB"."""


class NotStated(Exception):
    """A factor of a resource that the spec never stated."""


def has_cure(rule: Mapping[str, Json]) -> bool:
    """Tell whether a rule of `on_failure` changes anything, beside allowing attempts."""
    return any(resource in FIELDS for resource in rule)


def changes(rule: Mapping[str, Json], shape: TaskShape) -> tuple[Change, ...]:
    """Return what a rule makes of a task's resources, without any cap.

    Raises NotStated. A size below what the task has already changes nothing.
    """
    found = []
    for resource in sorted(FIELDS.keys() & rule.keys()):
        old = getattr(shape, FIELDS[resource])
        new = _asked(rule[resource], resource, old)
        if old is None or new > old:
            found.append(Change(resource, 0 if old is None else old, new))
    return tuple(found)


def _asked(asked: Json, resource: str, old: float | None) -> float:
    if isinstance(asked, str) and asked.startswith("x"):
        if old is None:
            raise NotStated(f"the cure is {resource} {asked}, but the spec states no {resource}")
        product = Fraction(asked[1:]) * Fraction(old)
        return float(product) if resource == "task.time_limit" else math.ceil(product)
    if isinstance(asked, str):
        return duration_s(asked) if resource == "task.time_limit" else size_bytes(asked)
    return int(asked)


def changed(shape: TaskShape, made: tuple[Change, ...]) -> TaskShape:
    """Return the shape with the changes made.

    A task that ran into its time limit takes at least as long as that was: its estimate follows.
    """
    for one in made:
        if one.resource == "task.time_limit":
            shape = replace(
                shape,
                time_limit_s=one.new,
                estimate_s=max(shape.estimate_s or 0.0, one.old) or shape.estimate_s,
            )
        elif one.resource == "task.memory":
            shape = replace(shape, memory_bytes=int(one.new))
        elif one.resource == "task.gpu_memory":
            shape = replace(shape, gpu_memory_bytes=int(one.new))
        else:
            shape = replace(shape, cpus=int(one.new))
    return shape


def cap_of(resource: str, profile: Mapping[str, Json] | None, partition: str | None) -> Cap | None:
    """Return the tightest cap on a resource of one task; None when nobody states one.

    partition: the one that the job names; None counts the largest of all.
    """
    if profile is None:
        return None
    caps = [*_limits(resource, profile), *_partitions(resource, profile, partition)]
    return min(caps, key=lambda cap: cap.most, default=None)


def _limits(resource: str, profile: Mapping[str, Json]) -> Iterator[Cap]:
    stated = (profile.get("limits") or {}).get(resource)
    if stated is not None:
        most = _asked(stated, resource, None)
        words = f"limits.{resource} of {profile['name']} is {amount(resource, most)}"
        yield Cap(most, words)


def _partitions(resource: str, profile: Mapping[str, Json], partition: str | None) -> Iterator[Cap]:
    able = [p for p in profile["partitions"] if partition in (None, p["name"])]
    has = [(_has(resource, p), p["name"]) for p in able]
    if not has or any(most is None for most, _ in has):
        return  # one that does not say takes anything
    most, name = max((most, name) for most, name in has if most is not None)
    what = {"task.time_limit": "ends jobs after", "task.gpu_memory": "has GPUs of"}
    words = f"partition {name} of {profile['name']} {what.get(resource, 'has nodes of')}"
    unit = " cores" if resource == "task.cpus" else ""
    yield Cap(most, f"{words} {amount(resource, most)}{unit}")


def _has(resource: str, partition: Mapping[str, Json]) -> float | None:
    if resource == "task.cpus":
        return float(partition["cores_per_node"])
    if resource == "task.time_limit":
        stated = partition.get("max_time")
        return None if stated is None else duration_s(stated)
    holder = partition if resource == "task.memory" else partition.get("gpu") or {}
    stated = holder.get("memory_per_node" if resource == "task.memory" else "memory")
    return None if stated is None else float(size_bytes(stated))
