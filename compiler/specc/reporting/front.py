"""The head of a report: what study this is, its counts, and what to be warned of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from specc.analysis.strangers import untold
from specc.model import Json
from specc.reporting.incident_tables import sharing_warnings
from specc.reporting.papers import told
from specc.reporting.sections import influences

_MOST_HOSTS = 3


def title(summary: Mapping[str, Json]) -> str:
    """Return the headline: the one that the spec asks for, else the name of the study."""
    asked = ((summary.get("design") or {}).get("analysis") or {}).get("report") or {}
    return str(asked.get("title") or summary["name"])


def meta(summary: Mapping[str, Json]) -> list[dict[str, str]]:
    """Return what identifies the study, for the line under its title."""
    runs = [run for run in summary["runs"] if run["run_id"] is not None]
    hosts = sorted({host for run in runs for host in run["hosts"]})
    starts = [run["started_epoch_ns"] for run in runs if run.get("started_epoch_ns")]
    found = [
        ("Bundle", _few([str(one["bundle_id"]) for one in summary["bundles"]])),
        ("Run", _few([str(run["run_id"]) for run in runs])),
        ("Measured on", _few(hosts)),
        ("First launch", _day(min(starts)) if starts else ""),
    ]
    return [{"label": label, "text": text} for label, text in found if text]


def _few(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(names))
    more = len(names) - _MOST_HOSTS
    return ", ".join(names[:_MOST_HOSTS]) + (f" and {more} more" if more > 0 else "")


def _day(epoch_ns: int) -> str:
    return datetime.fromtimestamp(epoch_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC")


def tiles(summary: Mapping[str, Json]) -> list[dict[str, str]]:
    """Return the counts at the head of the page."""
    done = summary["completeness"]
    verdicts = [cell["verdict"] for cell in summary["cells"]]
    measured = sum(verdict != "NO_DATA" for verdict in verdicts)
    runs = [run for run in summary["runs"] if run["run_id"] is not None]
    hosts = sorted({host for run in runs for host in run["hosts"]})
    found = [
        ("Tasks completed", f"{done['completed']} / {done['expected']}"),
        ("Points valid", f"{verdicts.count('VALID')} of {measured} measured"),
        ("Runs", ", ".join(dict.fromkeys(run["run_id"] for run in runs)) or "none yet"),
        ("Hosts", ", ".join(hosts[:3]) + (" …" if len(hosts) > 3 else "") or "–"),
    ]
    if summary.get("pilot"):
        found.insert(0, ("Pilot", summary["pilot"]["answer"]))
    return [{"label": label, "text": text} for label, text in found]


def warnings(summary: Mapping[str, Json]) -> list[str]:
    """Return what a reader must know before believing a number."""
    found = [
        f"Input {one['name']} is not pinned: {_content(one['seen'])}."
        for one in summary["inputs"]
        if not one["pinned"]
    ]
    environments = {
        f"{name} (mode {one['mode']})"
        for bundle in summary["bundles"]
        for name, one in bundle["environments"].items()
        if not one["pinned"]
    }
    found += [f"Environment {name} is not pinned." for name in sorted(environments)]
    found += sharing_warnings(summary)
    found += influences.warnings(summary)
    found += _briefly_timed(summary)
    if summary["damage"]:
        found.append(f"{_places(len(summary['damage']))}; see Damage under Completeness.")
    if summary["torn"]["lines"]:
        torn = summary["torn"]
        found.append(f"{torn['lines']} unfinished last lines ({torn['bytes']} bytes) were cut off.")
    return [*found, *(told(one) for one in summary.get("not_written") or ())]


def _briefly_timed(summary: Mapping[str, Json]) -> list[str]:
    """Warn where nothing could have told of neighbours: VALID is no proof of a free node there."""
    of_groups = [
        (one.get("missing") or (), len(one["cells"])) for one in summary.get("bottleneck") or ()
    ]
    of_curves = [
        ((one.get("bottleneck") or {}).get("missing") or (), len(one["points"]))
        for one in summary.get("load") or ()
    ]
    count = sum(points for missing, points in of_groups + of_curves if untold(missing))
    if not count:
        return []
    return [
        f"Whether other programs used the CPUs was not seen at {count} point{'s' * (count != 1)}:"
        " each was timed for less than 3 s, and the machine is sampled once a second."
    ]


def _places(count: int) -> str:
    return (
        "1 thing about the results is damaged or odd"
        if count == 1
        else f"{count} things about the results are damaged or odd"
    )


def _content(seen: Sequence[str]) -> str:
    if not seen:
        return "its content was not checked"
    if len(seen) == 1:
        return f"its content was not checked; runs read {seen[0]}"
    return f"runs read different contents, {', '.join(seen)}"
