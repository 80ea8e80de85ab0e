"""The environment of a study: what differs between its nodes as a table, the rest once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from specc.kinds.sentences import quantity
from specc.model import Json
from specc.reporting.notes import with_notes
from specc.reporting.tabulate import DASH, column, entry, table

_MOST_HOSTS = 6
_MOST_DIFFERENCES = 12
_MOST_PACKAGES = 4
"""Differing facts and packages that stand as columns; a table with more can't be read."""


def environment(summary: Mapping[str, Json]) -> dict[str, Any]:
    """Return `differences` (a table with one row for nodes alike), `common` and `packages`.

    `more`: differing facts beyond those of the table, each with its values in words.
    """
    machines = summary["machines"]
    facts = [_facts(one) for one in machines]
    names = list(dict.fromkeys(name for one in facts for name in one))
    differ = [name for name in names if len({one.get(name, DASH) for one in facts}) > 1]
    packages, odd = _packages(machines)
    values = {
        **{name: [one.get(name, DASH) for one in facts] for name in differ},
        **odd,
    }
    columns = [*differ[:_MOST_DIFFERENCES], *list(odd)[:_MOST_PACKAGES]]
    return {
        "hosts": list(dict.fromkeys(str(one["host"]) for one in machines)),
        "differences": _differences(machines, values, columns),
        "more": [
            {"term": name, "text": "; ".join(dict.fromkeys(texts))}
            for name, texts in values.items()
            if name not in columns
        ],
        "common": [{"term": name, "text": facts[0][name]} for name in names if name not in differ],
        "packages": packages,
    }


def _differences(
    machines: Sequence[Mapping[str, Json]],
    values: Mapping[str, Sequence[str]],
    names: Sequence[str],
) -> dict[str, Any]:
    if not names:
        return table([column("nodes")], [])
    alike: dict[tuple[str, ...], list[str]] = {}
    for place, one in enumerate(machines):
        key = tuple(values[name][place] for name in names)
        alike.setdefault(key, []).append(str(one["host"]))
    rows = [
        [
            entry(_hosts(hosts)),
            *(
                entry(
                    text, kind="missing" if text == DASH else "", sort="" if text == DASH else text
                )
                for text in key
            ),
        ]
        for key, hosts in alike.items()
    ]
    return with_notes(table([column("nodes"), *(column(name) for name in names)], rows))


def _hosts(hosts: Sequence[str]) -> str:
    names = list(dict.fromkeys(hosts))
    more = len(names) - _MOST_HOSTS
    return ", ".join(names[:_MOST_HOSTS]) + (f" and {more} more" if more > 0 else "")


def _facts(machine: Mapping[str, Json]) -> dict[str, str]:
    hardware = machine["hardware"]
    devices = [_called(one) for one in hardware.get("gpus") or []]
    found = {
        "CPU": _called(hardware.get("cpu")),
        "GPU": _counted(devices),
        "GPU driver": _driver(hardware),
        "Memory": _memory(hardware),
        "Kernel": " ".join(map(str, _kernel(hardware))) or DASH,
        "Python": str(machine["python"]),
        "Environment": f"{machine['environment']['name']} ({machine['environment']['mode']})",
        "Network": str(machine["network"]),
        "Bundle verified": str(machine["bundle_verified"]),
    }
    for gap in hardware.get("unavailable") or ():
        if isinstance(gap, dict) and {"sensor", "reason"} <= gap.keys():
            found[f"No {gap['sensor']}"] = str(gap["reason"])
    return {name: text for name, text in found.items() if text}


def _packages(machines: Sequence[Mapping[str, Json]]) -> tuple[str, dict[str, list[str]]]:
    """Return the packages that all have, and name -> version on each where they differ."""
    each = [dict(one["environment"].get("packages") or {}) for one in machines]
    names = list(dict.fromkeys(name for one in each for name in one))
    same = [n for n in names if len({one.get(n) for one in each}) == 1]
    common = ", ".join(f"{name} {each[0][name]}" for name in same)
    odd = {
        f"package {name}": [str(one[name]) for one in each]
        for name in names
        if name not in same and all(name in one for one in each)
    }
    rest = [n for n in names if n not in same and f"package {n}" not in odd]
    if rest:
        odd["further packages"] = [
            ", ".join(f"{name} {one[name]}" for name in rest if name in one) or DASH for one in each
        ]
    return common, odd


def _counted(names: Sequence[str]) -> str:
    counts = {name: names.count(name) for name in dict.fromkeys(names)}
    return "; ".join(f"{n} x {name}" if n > 1 else name for name, n in counts.items()) or "none"


def _driver(hardware: Mapping[str, Json]) -> str:
    versions = hardware.get("gpu_driver")
    if not isinstance(versions, dict):
        return ""
    return ", ".join(f"{name} {text}" for name, text in versions.items() if text)


def _memory(hardware: Mapping[str, Json]) -> str:
    memory = hardware.get("memory")
    total = memory.get("total_bytes") if isinstance(memory, dict) else None
    return quantity(total, "B") if total is not None else DASH


def _kernel(hardware: Mapping[str, Json]) -> list[Json]:
    kernel = hardware.get("kernel")
    if not isinstance(kernel, dict):
        return [kernel] if kernel else []
    names = ("system", "release", "distribution")
    return [kernel[name] for name in names if kernel.get(name)]


def _called(device: Json) -> str:
    """Return how a device is called: its model or name, else all that is known of it."""
    if isinstance(device, dict):
        name = device.get("model") or device.get("name")
        cores = device.get("cores") or device.get("logical_cpus")
        if name:
            return f"{name} ({cores} cores)" if cores else str(name)
        return ", ".join(f"{k} {v}" for k, v in device.items() if not isinstance(v, dict | list))
    return DASH if device is None else str(device)
