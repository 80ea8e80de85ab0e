"""Read scontrol's and sacctmgr's tables out of a probe. Pure; what is not there stays None."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from specc.clusters.probe import Probe

_WORD = re.compile(r"(?:^|\s)([A-Za-z][A-Za-z/:_]*)=(\S*)")
# gpu:a100:4(S:0-1), gpu:4, gpu:a100:4(IDX:0-3)
_GRES = re.compile(r"gpu(?::([^:(]+))?:([0-9]+)(?:\(.*\))?")
_TIME = re.compile(r"([0-9]+-)?[0-9]+(:[0-9]{2}){0,2}")
_UNLIMITED = {"", "UNLIMITED", "INFINITE", "NONE", "N/A", "(null)"}
_OUT = ("DOWN", "DRAIN", "FAIL", "MAINT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the cluster, as `scontrol show node` has it."""

    name: str
    host: str
    partitions: frozenset[str]
    cores: int
    threads: int
    """Of each core."""
    memory_mib: int
    gpus: int
    gpu_types: frozenset[str]
    """Their names in Slurm's gres; empty for GPUs without one."""
    features: frozenset[str]
    usable: bool
    """False while it is down, drained or in maintenance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What accounting allows one user: None where it sets no limit."""

    submit: int | None
    running: int | None
    wall_s: int | None


def rows(lines: Iterable[str]) -> list[dict[str, str]]:
    """Read lines of `scontrol -o show …`: each a row of KEY=value."""
    # the first of equal keys counts: texts that people wrote, as a node's Reason, stand at the end
    return [dict(reversed(found)) for line in lines if (found := _WORD.findall(line))]


def settings(lines: Iterable[str]) -> dict[str, str]:
    """Read `scontrol show config`: lines of `Key = value`."""
    pairs = (line.partition("=") for line in lines)
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def table(lines: Iterable[str]) -> list[dict[str, str]]:
    """Read what `sacctmgr -P` prints: a head line, then cells between bars."""
    head, *body = [line.split("|") for line in lines] or [[]]
    names = [name.strip().lower().replace(" ", "") for name in head]
    return [dict(zip(names, cells, strict=False)) for cells in body]


def limit(text: str | None) -> str | None:
    """Return a limit of Slurm's, or None where it sets none."""
    return None if text is None or text.strip() in _UNLIMITED else text.strip()


def number(text: str | None) -> int | None:
    """Return a limit that is a number; None where there is none."""
    told = limit(text)
    return int(told) if told is not None and told.isdigit() else None


def nodes(probe: Probe) -> tuple[Node, ...]:
    """Return the nodes that exist: no FUTURE ones."""
    found = (row for row in rows(probe.lines("nodes")) if "NodeName" in row)
    return tuple(_node(row) for row in found if "FUTURE" not in row.get("State", ""))


def _node(row: Mapping[str, str]) -> Node:
    threads = number(row.get("ThreadsPerCore")) or 1
    cores = (number(row.get("CPUTot")) or 0) // threads - (number(row.get("CoreSpecCount")) or 0)
    gres = [match for word in _words(row.get("Gres")) if (match := _GRES.fullmatch(word))]
    state = row.get("State", "").upper()
    return Node(
        name=row["NodeName"],
        host=row.get("NodeHostName", row["NodeName"]),
        partitions=frozenset(_words(row.get("Partitions"))),
        cores=cores,
        threads=threads,
        memory_mib=(number(row.get("RealMemory")) or 0) - (number(row.get("MemSpecLimit")) or 0),
        gpus=sum(int(match[2]) for match in gres),
        gpu_types=frozenset(match[1] for match in gres if match[1]),
        features=frozenset(_words(row.get("AvailableFeatures"))),
        usable=not any(word in state for word in _OUT),
    )


def _words(text: str | None) -> list[str]:
    """Split a list at its commas, but not at those within brackets."""
    told = limit(text)
    return [word for word in re.split(r",(?![^()]*\))", told) if word] if told else []


def limits(probe: Probe, partition: Mapping[str, str]) -> Limits:
    """Return the tightest of what applies: the user's accounts, and the QOS of both."""
    name = partition.get("PartitionName")
    mine = [row for row in table(probe.lines("associations")) if row.get("partition") in ("", name)]
    # where an account has one QOS and no default, that one is the default
    wanted = {row.get("defqos") or row.get("qos", "") for row in mine}
    wanted = (wanted | {partition.get("QoS", "")}) - {""}
    of_qos = [row for row in table(probe.lines("qos")) if row.get("name") in wanted]
    submit = [number(row.get("maxsubmit")) for row in mine]
    submit += [number(row.get("maxsubmitpu")) for row in of_qos]
    running = [number(row.get("maxjobs")) for row in mine]
    running += [number(row.get("maxjobspu")) for row in of_qos]
    walls = [seconds(row.get("maxwall")) for row in (*mine, *of_qos)]
    return Limits(
        submit=_least(submit),
        running=_least(running),
        wall_s=_least(walls),
    )


def _least(limits: Iterable[int | None]) -> int | None:
    return min((each for each in limits if each is not None), default=None)


def seconds(text: str | None) -> int | None:
    """Return the seconds of Slurm's [D-]HH:MM:SS, MM:SS or minutes; None where it sets none."""
    told = limit(text)
    if told is None or not _TIME.fullmatch(told):
        return None
    days, _, clock = told.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if len(parts) == 1:
        parts = [parts[0], 0, 0] if days else [0, parts[0], 0]
    elif len(parts) == 2:
        parts = [*parts, 0] if days else [0, *parts]
    hours, minutes, seconds = parts
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
