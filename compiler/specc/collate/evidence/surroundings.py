"""Tell what happened to fixtures and GPUs beside the tasks: shared how, set aside, started again.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from specc.collate.finding.read import Found, Run
from specc.model import Json
from specc_runtime.contract.launches import node_name
from specc_runtime.contract.states import LaunchState


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
