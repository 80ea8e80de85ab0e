"""Make a cluster profile of probes: each figure with the command it came from.

Pure. What no command told is left out, with the reason; nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from specc.clusters import slurm_tables as slurm
from specc.clusters.figure import Figure, known
from specc.clusters.machine import machine_figures
from specc.clusters.partitions import partition_figures
from specc.clusters.probe import NoProbe, Probe
from specc.model import Json

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST_NAME = 63
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*|[0-9]+[A-Za-z]+|[0-9-]*[0-9]+:[0-9:]+")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterProfile:
    """A profile and how it came about."""

    seen_from: str
    """Where the probes ran, and when."""
    name: Figure
    partitions: tuple[tuple[Figure, ...], ...]
    rest: tuple[Figure, ...]
    remarks: tuple[str, ...]
    """What was left out as a whole."""

    def data(self) -> dict[str, Json]:
        """Return the profile as a spec reads it."""
        partitions: Json = [known(partition) for partition in self.partitions]
        return {**known((self.name,)), "partitions": partitions, **known(self.rest)}

    def unknown(self) -> dict[str, Json]:
        """Return the reason of each field that is absent; a partition's by `partition.field`."""
        found = {each.field: each.note for each in self.rest if each.value is None}
        for partition in self.partitions:
            for each in partition:
                if each.value is None:
                    found[f"{partition[0].value}.{each.field}"] = each.note
        return dict(found)

    def text(self) -> str:
        """Return the profile as YAML, each line with its source."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"# Made by `specc cluster profile` of what probe.sh told on {self.seen_from}."
        yield "# A figure that is absent could not be found out, and is not checked."
        yield from (f"# {remark}" for remark in self.remarks)
        yield _line(self.name, "")
        yield "partitions:"
        for name, *others in self.partitions:
            yield _line(name, "  - ")
            yield from (_line(each, "    ") for each in others)
        yield from (_line(each, "") for each in self.rest)
        yield "# limits, the most that a cure may ask for, and description are yours to choose"


def make_profile(probes: tuple[Probe, ...], *, name: str | None) -> ClusterProfile:
    """Make a profile. Raises NoProbe when none of the probes saw a Slurm."""
    cluster = next((each for each in probes if each.lines("nodes")), probes[0])
    for section in ("nodes", "partitions"):
        if not cluster.lines(section):
            raise NoProbe(
                f"the probe of {cluster.host} tells of no {section}:"
                f" scontrol: {cluster.failure(section)}",
                hint="run ./probe.sh where scontrol answers: on a login node",
            )
    nodes = slurm.nodes(cluster)
    found, remarks = [], []
    for row in slurm.rows(cluster.lines("partitions")):
        of_it = tuple(node for node in nodes if row.get("PartitionName") in node.partitions)
        if of_it and _NAME.fullmatch(row["PartitionName"]):
            found.append(tuple(partition_figures(row, of_it, cluster, probes)))
        else:
            why = "specc can't write its name" if of_it else "it has no nodes"
            remarks.append(f"partition {row.get('PartitionName')} is left out: {why}")
    if not found:
        raise NoProbe(f"the cluster that {cluster.host} sees has no partition with nodes")
    return ClusterProfile(
        seen_from=", ".join(f"{each.host} ({each.place.get('date')})" for each in probes),
        name=_name(name, slurm.settings(cluster.lines("configuration"))),
        partitions=tuple(found),
        rest=tuple(machine_figures(probes, nodes)),
        remarks=tuple(remarks),
    )


def _name(name: str | None, config: Mapping[str, str]) -> Figure:
    if name is not None:
        if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            hint = "letters, digits, _ . and -, starting with a letter or digit; 63 at most"
            raise NoProbe(f"'{name}' can't be the name of a cluster", hint=hint)
        return Figure(field="name", value=name, note="--name")
    told = re.sub(r"[^A-Za-z0-9_.-]", "-", config.get("ClusterName", "")).lstrip("_.-")
    if not told:
        hint = "give it one: specc cluster profile --name NAME"
        raise NoProbe("the probe does not tell the name of the cluster", hint=hint)
    note = "scontrol show config: ClusterName"
    return Figure(field="name", value=told[:_LONGEST_NAME], note=note)


def _line(figure: Figure, indent: str) -> str:
    if figure.value is None:
        return f"{indent}# {figure.field}: {figure.note}"
    return f"{indent}{figure.field}: {_yaml(figure.value)}  # {figure.note}"


def _yaml(value: Json) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(each) for each in value) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
