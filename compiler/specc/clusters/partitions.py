"""What a profile says of one partition. Pure; of nodes that differ the smallest is taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from specc.clusters import slurm_tables as slurm
from specc.clusters.figure import Figure
from specc.clusters.machine import gpus_seen
from specc.clusters.probe import Probe
from specc.language.units import format_duration

_NODES = "scontrol show node"
_PARTITION = "scontrol show partition"


def partition_figures(
    row: Mapping[str, str],
    nodes: tuple[slurm.Node, ...],
    cluster: Probe,
    probes: tuple[Probe, ...],
) -> Iterator[Figure]:
    """Yield the fields of a partition in the order of the schema.

    row: its line of `scontrol show partition`.   nodes: its nodes, at least one.
    cluster: the probe that saw Slurm.   probes: all of them, for the GPUs that they saw.
    """
    state = row.get("State", "UP")
    note = _PARTITION + ("" if state == "UP" else f"; it is {state} now")
    yield Figure(field="name", value=row["PartitionName"], note=note)
    yield _count(row, nodes)
    yield from _gpus(nodes, probes)
    yield _cores(row, nodes)
    yield _memory(row, nodes)
    yield from _limits(row, cluster)
    yield from _access(row, cluster)
    features = sorted(frozenset[str]().union(*(node.features for node in nodes)))
    note = f"{_NODES}: AvailableFeatures"
    note = note if features else f"none in {note}"
    yield Figure(field="features", value=list(features) or None, note=note)
    yield Figure(field="scratch", value=None, note="not known: ask on a node, or the site's pages")
    if row.get("Default") == "YES":
        yield Figure(field="default", value=True, note=f"{_PARTITION}: Default")


def _count(row: Mapping[str, str], nodes: tuple[slurm.Node, ...]) -> Figure:
    most = slurm.number(row.get("MaxNodes"))
    if most and most < len(nodes):
        note = f"{_PARTITION}: MaxNodes of one job; there are {len(nodes)}"
        return Figure(field="nodes", value=most, note=note)
    out = sum(not node.usable for node in nodes)
    note = f"{_NODES}" + (f": {out} of them down or drained now" if out else "")
    return Figure(field="nodes", value=len(nodes), note=note)


def _smallest(
    field: str, nodes: tuple[slurm.Node, ...], size: Callable[[slurm.Node], int], source: str
) -> tuple[int, Figure]:
    counted = Counter(size(node) for node in nodes)
    smallest, note = min(counted), f"{_NODES}: {source}"
    if len(counted) > 1:
        each = ", ".join(f"{times} with {value}" for value, times in sorted(counted.items()))
        note += f"; nodes differ ({each}), the smallest is taken"
    return smallest, Figure(field=field, value=smallest, note=note)


def _gpus(nodes: tuple[slurm.Node, ...], probes: tuple[Probe, ...]) -> Iterator[Figure]:
    having = tuple(node for node in nodes if node.gpus)
    if not having:
        note = f"none: {_NODES} has no gpu in Gres"
        yield Figure(field="gpus_per_node", value=None, note=note)
        return
    _, figure = _smallest("gpus_per_node", having, lambda node: node.gpus, "Gres")
    if len(having) < len(nodes):
        figure = replace(
            figure, note=f"{figure.note}; {len(having)} of {len(nodes)} nodes have any"
        )
    yield figure
    types = sorted({name for node in having for name in node.gpu_types})
    if len(types) != 1 or any(len(node.gpu_types) != 1 for node in having):
        why = f"of several types ({', '.join(types)})" if types else "without a type in Gres"
        yield Figure(field="gpu", value=None, note=f"not known: GPUs {why}")
        return
    seen = gpus_seen(probes, {node.name for node in having}, {node.host for node in having})
    reasons = dict.fromkeys(note for _, note in seen.values())
    fields = {r: ", ".join(name for name, (_, note) in seen.items() if note == r) for r in reasons}
    notes = [f"type: {_NODES}", *(f"{names}: {reason}" for reason, names in fields.items())]
    value = {"type": types[0], **{name: told for name, (told, _) in seen.items() if told}}
    yield Figure(field="gpu", value=value, note="; ".join(notes))


def _cores(row: Mapping[str, str], nodes: tuple[slurm.Node, ...]) -> Figure:
    source = "CPUTot over ThreadsPerCore, less CoreSpecCount"
    smallest, figure = _smallest("cores_per_node", nodes, lambda node: node.cores, source)
    most = slurm.number(row.get("MaxCPUsPerNode"))
    threads = max(node.threads for node in nodes)
    if most and most // threads < smallest:
        return replace(figure, value=most // threads, note=f"{_PARTITION}: MaxCPUsPerNode")
    return figure


def _memory(row: Mapping[str, str], nodes: tuple[slurm.Node, ...]) -> Figure:
    field, source = "memory_per_node", "RealMemory less MemSpecLimit"
    smallest, figure = _smallest(field, nodes, lambda node: node.memory_mib, source)
    most = slurm.number(row.get("MaxMemPerNode"))
    if most and most < smallest:
        return replace(figure, value=f"{most}MiB", note=f"{_PARTITION}: MaxMemPerNode")
    # a node whose memory nobody has configured has 1 MiB in Slurm
    if smallest <= 1:
        return replace(figure, value=None, note="not known: Slurm was not told of it")
    return replace(figure, value=f"{smallest}MiB")


def _limits(row: Mapping[str, str], cluster: Probe) -> Iterator[Figure]:
    limits = slurm.limits(cluster, row)
    partition_s, mine_s = slurm.seconds(row.get("MaxTime")), limits.wall_s
    longest = min((each for each in (partition_s, mine_s) if each is not None), default=None)
    note = f"{_PARTITION}: MaxTime"
    if longest is None:
        yield Figure(field="max_time", value=None, note=f"none: {note}=UNLIMITED")
    else:
        if longest != partition_s:
            note = "sacctmgr: MaxWall of your accounts and QOS, the smallest"
        yield Figure(field="max_time", value=format_duration(longest), note=note)
    size = slurm.number(slurm.settings(cluster.lines("configuration")).get("MaxArraySize"))
    note = "scontrol show config: MaxArraySize"
    yield Figure(field="max_array_size", value=size, note=note if size else "not known: " + note)
    for field, value_of, name in (
        ("max_submit_jobs", limits.submit, "MaxSubmitJobs and MaxSubmitPU"),
        ("max_running", limits.running, "MaxJobs and MaxJobsPU"),
    ):
        note = f"sacctmgr: {name} of your accounts and QOS, the smallest"
        if value_of is None:
            silent = cluster.failure("associations") if not cluster.lines("associations") else ""
            note = f"not known: sacctmgr: {silent}" if silent else f"none in {note}"
        yield Figure(field=field, value=value_of, note=note)


def _access(row: Mapping[str, str], cluster: Probe) -> Iterator[Figure]:
    enforced = slurm.settings(cluster.lines("configuration")).get("AccountingStorageEnforce", "")
    for field, key, word in (
        ("account_required", "AllowAccounts", "associations"),
        ("qos_required", "AllowQos", "qos"),
    ):
        if row.get(key, "ALL") != "ALL":
            yield Figure(field=field, value=True, note=f"{_PARTITION}: {key}={row[key]}")
        elif word in enforced:
            note = f"not known: {key}=ALL, but Slurm enforces {word}; your default may do"
            yield Figure(field=field, value=None, note=note)
        else:
            yield Figure(field=field, value=None, note=f"no: {_PARTITION}: {key}=ALL")
