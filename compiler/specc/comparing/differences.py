"""What two runs differ in beside what was measured: the reasons why they can't be compared.

Pure. Each difference has a name; `--across NAME` says that it is meant.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from specc.comparing.pairs import Pairing
from specc.comparing.sides import Side
from specc.model import Json

NAMES = {
    "spec": "the points and settings of the study",
    "specc": "version of specc that the bundle was compiled by",
    "condition": "resources of task and job, slots, fixtures, partition",
    "nodes": "number of nodes used",
    "lock": "locks and images of the environments",
    "packages": "versions of packages, where no lock pins them",
    "python": "version of Python",
    "kernel": "operating system and kernel",
    "cpu": "model and number of CPUs",
    "gpu": "models and number of GPUs",
    "driver": "version of the GPU driver",
    "clocks": "CPU governor and boost; power caps, clocks, ECC and MIG of GPUs",
    "network": "whether the network was cut off",
    "host": "names of the machines (told, and no reason to refuse)",
}
"""Name for --across -> what it covers."""
TOLD_ONLY = frozenset({"host"})
_NO_MATTER = frozenset({"estimate_s", "time_limit_s", "stall_limit_s", "max_running"})
_GPU_SETTINGS = ("power_cap_w", "application_sm_clock_mhz", "max_sm_clock_mhz", "ecc", "mig")
_MOST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same on both sides."""

    what: str
    baseline: str
    current: str


def differences(baseline: Side, current: Side, pairing: Pairing) -> tuple[Difference, ...]:
    """Return what differs, in the order of NAMES."""
    found = list(_of_spec(pairing))
    old, new = (environment(side.summary) for side in (baseline, current))
    for name in NAMES:
        if name in old and old[name] != new[name]:
            found.append(_told(name, old[name], new[name]))
    if not {"condition", "lock"} & {one.what for one in found}:
        found.extend(_of_condition(pairing))
    if any(one.what == "lock" for one in found):
        # what another lock installs are other packages; once is enough
        found = [one for one in found if one.what != "packages"]
    return tuple(found)


def environment(summary: Mapping[str, Json]) -> dict[str, frozenset[str]]:
    """Return what a run stood on: name -> facts in words; empty where nothing was recorded."""
    machines, bundles = summary["machines"], summary["bundles"]
    hardware = [machine["hardware"] for machine in machines]
    environments = [machine["environment"] for machine in machines]
    hosts = {host for run in summary["runs"] for host in run["hosts"]}
    return {
        "specc": frozenset(str(bundle["specc_version"]) for bundle in bundles),
        "condition": frozenset(_shape(one) for bundle in bundles for one in bundle["shapes"]),
        "nodes": frozenset([str(len(hosts))]),
        "lock": frozenset(
            text
            for bundle in bundles
            for name, one in bundle["environments"].items()
            for text in _content(name, one)
        ),
        "packages": frozenset(
            f"{name} {version}" for one in environments for name, version in one["packages"].items()
        ),
        "python": frozenset(machine["python"].split()[0] for machine in machines),
        "kernel": frozenset(filter(None, (_words(one.get("kernel")) for one in hardware))),
        "cpu": frozenset(_cpu(one.get("cpu") or {}) for one in hardware),
        "gpu": frozenset(text for one in hardware for text in _gpus(one.get("gpus"))),
        "driver": frozenset(_words(one["gpu_driver"]) for one in hardware if one.get("gpu_driver")),
        "clocks": frozenset(text for one in hardware for text in _clocks(one)),
        "network": frozenset(machine["network"] for machine in machines),
        "host": frozenset(hosts),
    }


def _content(name: str, environment: Mapping[str, Json]) -> Iterator[str]:
    """Yield what an environment is made of, as far as it is pinned: its lock, its image."""
    if environment.get("lock_sha256"):
        yield f"{name}: {environment['lock_sha256'][:12]}"
    if environment.get("image"):
        yield f"{name}: image {environment.get('image_digest') or environment['image']}"


def _of_spec(pairing: Pairing) -> Iterator[Difference]:
    alone = (pairing.only_baseline, pairing.only_current)
    axes_only = sum(not one.same_work for one in pairing.pairs)
    if any(alone) or axes_only:
        # the same axes stand for other work: settings, inputs or code differ
        told = [_points(cells) for cells in alone]
        if axes_only:
            told = [f"{axes_only} points with other settings, inputs or code; {t}" for t in told]
        yield Difference(what="spec", baseline=told[0], current=told[1])


def _of_condition(pairing: Pairing) -> Iterator[Difference]:
    """Tell of conditions that differ in what a summary doesn't spell out."""
    ids = [
        frozenset(str(getattr(one, side)["condition_id"]) for one in pairing.pairs)
        for side in ("baseline", "current")
    ]
    if ids[0] != ids[1]:
        told = [
            f"{', '.join(sorted(each)[:_MOST])} (sbatch options, modules, variables or cluster)"
            for each in ids
        ]
        yield Difference(what="condition", baseline=told[0], current=told[1])


def _points(cells: Iterable[Mapping[str, Json]]) -> str:
    shown = [_words(cell["axes"]) or "the only point" for cell in cells]
    if not shown:
        return "no point that the other lacks"
    more = f" and {len(shown) - _MOST} more" if len(shown) > _MOST else ""
    return f"only here: {'; '.join(shown[:_MOST])}{more}"


def _told(name: str, old: frozenset[str], new: frozenset[str]) -> Difference:
    """Return a difference without what both have in common, unless nothing else is there."""
    gone, come = sorted(old - new), sorted(new - old)
    return Difference(what=name, baseline=_listed(gone, old), current=_listed(come, new))


def _listed(own: list[str], whole: frozenset[str]) -> str:
    shown = own or sorted(whole)
    if not shown:
        return "not recorded, or none"
    more = f" and {len(shown) - _MOST} more" if len(shown) > _MOST else ""
    return ", ".join(shown[:_MOST]) + more


def _shape(shape: Mapping[str, Json]) -> str:
    parts = [
        _words({k: v for k, v in shape[block].items() if k not in _NO_MATTER and v is not None})
        for block in ("task", "job")
    ]
    fixtures = "".join(f"; {one['type']}" for one in shape["fixtures"])
    return f"{shape['name']} (task {parts[0]}; job {parts[1]}; slots {shape['slots']}{fixtures})"


def _cpu(cpu: Mapping[str, Json]) -> str:
    count = cpu.get("allowed_count") or cpu.get("threads")
    return f"{cpu.get('model') or 'unknown'}{f' x {count}' if count else ''}"


def _gpus(gpus: Json) -> list[str]:
    names = [str(gpu.get("name")) for gpu in gpus or () if isinstance(gpu, Mapping)]
    return [f"{names.count(name)} x {name}" for name in dict.fromkeys(names)]


def _clocks(hardware: Mapping[str, Json]) -> Iterator[str]:
    cpu = hardware.get("cpu") or {}
    for key in ("governor", "boost"):
        if cpu.get(key) is not None:
            yield f"CPU {key} {cpu[key]}"
    for gpu in hardware.get("gpus") or ():
        for key in _GPU_SETTINGS:
            if isinstance(gpu, Mapping) and gpu.get(key) is not None:
                yield f"GPU {key} {gpu[key]}"


def _words(value: Json) -> str:
    if not isinstance(value, Mapping):
        return "" if value is None else str(value)
    return ", ".join(
        f"{key}={v if isinstance(v, str) else json.dumps(v)}" for key, v in value.items()
    )
