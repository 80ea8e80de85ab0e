"""Tell what happened to fixtures and GPUs beside the tasks: shared how, set aside, started again.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from specc.collate.read import Found, Run
from specc.collate.tabulate import Table, column, entry, table
from specc.kinds.sentences import visible
from specc.model import Json
from specc_runtime.contract.launches import node_name
from specc_runtime.contract.states import LaunchState

_WORDS = {
    "shared": "GPUs shared without its help",
    "failed": "failed",
    "restarted": "started again",
    "set_aside": "set aside",
}
"""What can happen, in the words of a table."""
_MOST_HOSTS = 3


def surroundings(found: Found) -> dict[str, Json]:
    """Return `fixtures`, one entry for each that ran, and `incidents`, in the order of launches.

    An incident's `what` is "shared" (an MPS daemon was done without), "failed", "restarted" or
    "set_aside"; its `subject` the name or type of a fixture, or a GPU.
    """
    counts: dict[tuple[str, str], Counter[str]] = {}
    told: list[dict[str, Json]] = []
    for run in found.runs:
        for launch in run.launches:
            told.extend(_of_launch(run, launch, counts))
    fixtures = [
        {"fixture": name, "type": kind, **{state: count[state] for state in _STATES}}
        for (kind, name), count in counts.items()
    ]
    return {"fixtures": fixtures, "incidents": told}


_STATES = ("started", "healthy", "failed", "stopped")


def _of_launch(
    run: Run, launch: LaunchState, counts: dict[tuple[str, str], Counter[str]]
) -> Iterator[dict[str, Json]]:
    place = {
        "bundle_id": run.source.bundle_id,
        "run_id": run.run_id,
        "launch": launch.folder.launch,
        "host": None if launch.info is None else node_name(launch.info),
    }
    up: Counter[tuple[str, str]] = Counter()
    for event in launch.surroundings:
        if event["event"] == "gpu_set_aside":
            gpu = str(event["gpu"])
            yield {"what": "set_aside", "subject": gpu, "message": event["reason"], **place}
            continue
        key = (str(event["type"]), str(event.get("name") or event["type"]))
        state = str(event["state"])
        counts.setdefault(key, Counter())[state] += 1
        up[key] += state == "started"
        if state == "failed":
            yield {**_failure(event["detail"]), "subject": key[1], **place}
        elif state == "started" and up[key] > 1:
            message = "it was started again, and tasks went on"
            yield {"what": "restarted", "subject": key[1], "message": message, **place}


def _failure(detail: Any) -> dict[str, Json]:
    if not isinstance(detail, Mapping):
        return {"what": "failed", "message": "no reason is known" if detail is None else detail}
    reason = detail.get("reason") or "no reason is known"
    sharing = detail.get("sharing")
    if sharing is None:
        return {"what": "failed", "message": reason}
    return {"what": "shared", "message": f"{sharing}: {reason}"}


def incident_table(summary: Mapping[str, Json]) -> Table:
    """Return one row for each thing that happened, with the launches and nodes it happened in."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Json]]] = {}
    for one in summary["incidents"]:
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
        for one in summary["incidents"]
        if one["what"] == "shared"
    }
    if not launches:
        return []
    count = "1 launch" if len(launches) == 1 else f"{len(launches)} launches"
    return [f"In {count} tasks had their GPUs without the MPS daemon that the spec asks for."]
