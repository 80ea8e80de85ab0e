"""What the samples of a launch say about a stretch of time. Pure.

Counters are read about once a second and only their differences mean anything, so that what is
said holds for the time between the first and the last reading inside the stretch.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from specc.collate.evidence.hardware import Samples
from specc.kinds.base import Window
from specc.model import Json

LEAST_COVERED_S = 1.0
"""The samples within a window must cover this much of it."""
CPU_UTIL = "cpu_util_pct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The samples within a window."""

    samples: Samples
    first: int
    """Place of its first sample."""
    after: int
    """Place behind its last one."""

    @property
    def counted(self) -> tuple[int, int] | None:
        """Places of the first and last reading of the counters; None when they cover too little."""
        if not self.samples.counters:
            return None
        places = range(self.first, self.after)
        first = next((n for n in places if self.samples.counters[n] is not None), None)
        last = next((n for n in reversed(places) if self.samples.counters[n] is not None), None)
        if first is None or last is None or self._seconds(first, last) < LEAST_COVERED_S:
            return None
        return first, last

    @property
    def counted_s(self) -> float:
        """Seconds between those two readings; 0 when there are none."""
        ends = self.counted
        return 0.0 if ends is None else self._seconds(*ends)

    def grown(self, name: str) -> float | None:
        """Return by how much a counter grew; None when it was not read at both ends."""
        ends = self.counted
        values = [None, None] if ends is None else [self._at(place, name) for place in ends]
        if not all(isinstance(value, int | float) for value in values):
            return None
        return max(0.0, float(values[1] or 0) - float(values[0] or 0))

    def gauge(self, name: str) -> list[float]:
        """Return the values of what is no counter, but holds since the reading before."""
        ends = self.counted
        places = range(0) if ends is None else range(ends[0] + 1, ends[1] + 1)
        values = [self._at(place, name) for place in places]
        return [float(value) for value in values if isinstance(value, int | float)]

    def device_growth(self, kind: str, field: str) -> dict[str, float]:
        """Return by how much a counter of each disk or network grew, by the device's name."""
        ends = self.counted
        if ends is None:
            return {}
        first, last = (
            {str(one["name"]): one[field] for one in self._at(place, kind) or ()} for place in ends
        )
        return {name: max(0.0, last[name] - first[name]) for name in first if name in last}

    def devices(self, kind: str) -> tuple[Mapping[str, Json], ...]:
        ends = self.counted
        return () if ends is None else tuple(self._at(ends[1], kind) or ())

    def busy_cpus(self, cpus: int, between: tuple[int, int] | None = None) -> float | None:
        """Return how many of the CPUs were busy on average; None when too little is sampled."""
        places = range(self.first, self.after)
        if between is not None:
            places = range(between[0], between[1] + 1)
        covered_s = busy_s = 0.0
        for before, place in pairwise(places):
            share = self.samples.cpu_util_pct[place]
            if share is not None:
                seconds = self._seconds(before, place)
                covered_s += seconds
                busy_s += seconds * cpus * share / 100
        return busy_s / covered_s if covered_s >= LEAST_COVERED_S else None

    @property
    def covered_s(self) -> float:
        """Seconds that have a utilisation of the CPUs."""
        return sum(
            self._seconds(before, place)
            for before, place in pairwise(range(self.first, self.after))
            if self.samples.cpu_util_pct[place] is not None
        )

    def own_cpus(self, *, in_job: bool) -> float | None:
        """Return how many CPUs the launch kept busy itself; None when that was not counted.

        in_job: the control group holds the job alone (`has_own_group`); it also sees what is no
        descendant of the pool.
        """
        used = [self.grown("own_cpu_s"), self.grown("cgroup_cpu_s") if in_job else None]
        known = [seconds for seconds in used if seconds is not None]
        return max(known) / self.counted_s if known else None

    def gpu_rows(self, uuids: frozenset[str]) -> Iterator[list[Mapping[str, Json]]]:
        """Yield the entries of these GPUs, for each reading that has any."""
        for place in range(self.first, self.after):
            mine = [one for one in self.samples.gpus[place] if one["uuid"] in uuids]
            if mine:
                yield mine

    def _at(self, place: int, name: str) -> Json:
        counters = self.samples.counters[place]
        return None if counters is None else counters.get(name)

    def _seconds(self, first: int, last: int) -> float:
        return (self.samples.t_ns[last] - self.samples.t_ns[first]) / 1e9


def within(window: Window, samples: Samples) -> Stretch:
    """Return the samples that lie in a window."""
    return Stretch(
        samples=samples,
        first=bisect_left(samples.t_ns, window.start_ns),
        after=bisect_right(samples.t_ns, window.end_ns),
    )


def gpus_of(gpu: str | None, machine: Mapping[str, Json]) -> frozenset[str]:
    """Return the uuids of a task's GPUs; none when the launch doesn't say which they are.

    gpu: its entries of CUDA_VISIBLE_DEVICES.   machine: `hardware` of launch.json.
    """
    wanted = set((gpu or "").split(",")) - {""}
    known = [one for one in machine.get("gpus") or () if isinstance(one, dict)]
    return frozenset(
        str(one["uuid"])
        for one in known
        if one.get("uuid") and wanted & {str(one.get("entry")), str(one["uuid"])}
    )


def launch_name(launch: Mapping[str, Json]) -> tuple[str, str]:
    """Return the key under which the samples of a launch stand."""
    return launch["path"], f"{launch['shard_id']}/{launch['launch']}"


def has_own_group(launch: Mapping[str, Json]) -> bool:
    """Tell whether the control group of a launch holds its Slurm job and nothing else.

    Slurm may run without control groups: the job is then in a group with whatever else is there.
    """
    job = (launch.get("slurm") or {}).get("SLURM_JOB_ID")
    limits = (launch.get("hardware") or {}).get("limits")
    group = limits.get("cpu_cgroup") if isinstance(limits, dict) else None
    return bool(job) and f"job_{job}" in str(group).split("/")
