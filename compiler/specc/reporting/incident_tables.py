"""Arrange what happened to fixtures and GPUs as a table and as warnings.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.kinds.sentences import visible
from specc.model import Json
from specc.reporting.tabulate import Table, column, entry, table

_WORDS = {
    "shared": "GPUs shared without its help",
    "failed": "failed",
    "restarted": "started again",
    "set_aside": "set aside",
}
"""What can happen, in the words of a table."""
_MOST_HOSTS = 3


def incident_table(summary: Mapping[str, Json]) -> Table:
    """Return one row for each thing that happened, with the launches and nodes it happened in."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Json]]] = {}
    for one in summary.get("incidents") or ():
        key = (str(one["what"]), str(one["subject"]), str(one["message"]))
        groups.setdefault(key, []).append(one)
    rows = []
    for (what, subject, message), members in groups.items():
        hosts = list(dict.fromkeys(str(one["host"]) for one in members if one["host"]))
        more = f" (and {len(hosts) - _MOST_HOSTS} more)" if len(hosts) > _MOST_HOSTS else ""
        launches = {(one["bundle_id"], one["run_id"], one["launch"]) for one in members}
        rows.append(
            [
                entry(subject),
                entry(_WORDS[what]),
                entry(visible(message)),
                entry(str(len(launches)), sort=len(launches)),
                entry("; ".join(hosts[:_MOST_HOSTS]) + more or "–"),
            ]
        )
    names = ("fixture or GPU", "what", "why", "launches", "nodes")
    return table([column(name, numeric=name == "launches") for name in names], rows)


def sharing_warnings(summary: Mapping[str, Json]) -> list[str]:
    """Return what a reader must know of GPUs that were not shared as the spec asks."""
    launches = {
        (one["bundle_id"], one["run_id"], one["launch"])
        for one in summary.get("incidents") or ()
        if one["what"] == "shared"
    }
    if not launches:
        return []
    count = "1 launch" if len(launches) == 1 else f"{len(launches)} launches"
    return [f"In {count} tasks had their GPUs without the MPS daemon that the spec asks for."]
