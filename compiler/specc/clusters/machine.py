"""What a profile says of the machines themselves: GPUs, C library, Python, containers. Pure.

A machine's figure counts where the probe ran on a node of the cluster. A login node may differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypedDict

from specc.clusters.figure import Figure
from specc.clusters.probe import Probe
from specc.clusters.slurm_tables import Node

_GPU_FIELDS = ("driver", "memory", "compute_capability")
_PATTERNS = {
    "driver": re.compile(r"[0-9]+(\.[0-9]+){0,2}"),
    "memory": re.compile(r"[0-9]+ ?MiB"),
    "compute_capability": re.compile(r"[0-9]{1,2}\.[0-9]"),
}
_GLIBC = re.compile(r"\b(2\.[0-9]{1,2})$")
_PYTHON = re.compile(r"(\S+): Python 3\.([0-9]+)\.")
_OLDEST_PYTHON = 9


class _Container(TypedDict):
    """A profile's `container`."""

    command: str
    """Program that starts images."""


def gpus_seen(
    probes: tuple[Probe, ...], names: set[str], hosts: set[str]
) -> dict[str, tuple[str | None, str]]:
    """Return memory, compute capability and driver of the GPUs of some nodes, with their source.

    names, hosts: the nodes, as Slurm and as the machines call themselves.
    The value is None where no probe ran on such a node with a GPU, and where its GPUs differ.
    """
    asked = [each for each in probes if _is_on(each, names, hosts)]
    lines = [line for each in asked for line in each.lines("gpus")]
    rows = [[cell.strip() for cell in line.split(",")] for line in lines]
    whole = [dict(zip(("name", *_GPU_FIELDS), row, strict=True)) for row in rows if len(row) == 4]
    found: dict[str, tuple[str | None, str]] = {}
    for field in ("memory", "compute_capability", "driver"):
        told = {row[field] for row in whole if _PATTERNS[field].fullmatch(row[field])}
        if len(told) == 1:
            found[field] = (told.pop().replace(" ", ""), "nvidia-smi")
        elif told:
            found[field] = (None, f"nodes differ ({', '.join(sorted(told))})")
        else:
            found[field] = (None, _silence(asked))
    return found


def _silence(asked: list[Probe]) -> str:
    if not asked:
        return "not known: srun -p PARTITION --gpus=1 ./probe.sh tells it"
    return f"not known: nvidia-smi: {asked[0].failure('gpus')}"


def _is_on(probe: Probe, names: set[str], hosts: set[str]) -> bool:
    if node := probe.place.get("node"):
        return node in names
    return probe.host in hosts or probe.host.partition(".")[0] in hosts


def machine_figures(probes: tuple[Probe, ...], nodes: tuple[Node, ...]) -> Iterator[Figure]:
    """Yield what holds for all partitions."""
    names, hosts = {node.name for node in nodes}, {node.host for node in nodes}
    on_nodes = tuple(each for each in probes if _is_on(each, names, hosts))
    yield _modules(probes)
    yield _container(on_nodes or probes, is_node=bool(on_nodes))
    yield _python(on_nodes)
    yield _glibc(on_nodes, probes)


def _modules(probes: tuple[Probe, ...]) -> Figure:
    lines = next((each.lines("modules") for each in probes if each.lines("modules")), ())
    some = [line for line in lines if not line.endswith((":", "/"))]
    if not some:
        note = f"none known: module avail: {probes[0].failure('modules')}"
    else:
        note = f"yours to choose: module avail lists {len(some)}, among them {some[0]}"
    return Figure(field="modules", value=None, note=note)


def _container(probes: tuple[Probe, ...], *, is_node: bool) -> Figure:
    for program in ("apptainer", "singularity"):
        for each in probes:
            if said := each.lines(program):
                note = f"{program} --version on {each.host}: {said[0]}"
                note += "" if is_node else " (not a node)"
                return Figure(field="container", value=_Container(command=program), note=note)
    note = f"not known: neither apptainer nor singularity on {probes[0].host}; a module may have it"
    return Figure(field="container", value=None, note=note)


def _python(on_nodes: tuple[Probe, ...]) -> Figure:
    """Name an interpreter where `python3` on PATH is too old, and a newer one has a name."""
    if not on_nodes:
        return Figure(field="python", value=None, note=_ASK_A_NODE)
    for each in on_nodes:
        lines = each.lines("interpreters")
        found = [(m[1], int(m[2])) for line in lines if (m := _PYTHON.match(line))]
        fit = [path for path, minor in found if minor >= _OLDEST_PYTHON]
        if found and found[0][0].endswith("/python3") and found[0][1] >= _OLDEST_PYTHON:
            note = f"python3 of PATH will do: {lines[0]} on {each.host}"
            return Figure(field="python", value=None, note=note)
        if fit:
            note = f"on {each.host}, where python3 is missing or older than 3.{_OLDEST_PYTHON}"
            return Figure(field="python", value=fit[0], note=note)
    note = f"no Python >= 3.{_OLDEST_PYTHON} on {on_nodes[0].host}: a module is needed"
    return Figure(field="python", value=None, note=note)


def _glibc(on_nodes: tuple[Probe, ...], probes: tuple[Probe, ...]) -> Figure:
    told = {each.host: _glibc_of(each) for each in on_nodes or probes}
    versions = sorted({each for each in told.values() if each}, key=lambda v: int(v[2:]))
    host = next(iter(told))
    if not versions:
        return Figure(field="glibc", value=None, note=f"not known: ldd --version on {host}")
    if not on_nodes:
        note = f"{_ASK_A_NODE}; {host}, which is none, has {versions[0]}"
        return Figure(field="glibc", value=None, note=note)
    note = f"ldd --version on {host}"
    if len(versions) > 1:
        note = f"ldd --version: nodes differ ({', '.join(versions)}), the smallest is taken"
    return Figure(field="glibc", value=versions[0], note=note)


_ASK_A_NODE = "not known: srun -p PARTITION ./probe.sh tells it"


def _glibc_of(probe: Probe) -> str | None:
    lines = probe.lines("glibc")
    found = _GLIBC.search(lines[0]) if lines else None
    return found[1] if found else None
