"""The index of studies: which bundle measured what and when, and where results and report are.

Reads the folders that it is given and nothing of the rows in them; writes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from specc.collate.values import ResultsInvalid
from specc.kinds.sentences import visible
from specc.model import Json
from specc.reporting.tabulate import markdown_cell
from specc_runtime.contract.fields import Damage
from specc_runtime.contract.manifest import MANIFEST, Manifest, read_manifest

SUMMARY = "summary.json"
_RECIPE = "spec.resolved.yaml"
_DEEPEST = 4
"""Levels below a folder that are looked at."""
_INSIDE = frozenset({"results", "cache", "tables", "plots"})
"""Folders of a bundle or a report, which hold neither."""
_NEEDED = ("name", "bundles", "runs", "completeness", "axes")
_HEADS = (
    *("bundle", "runs", "started (UTC)", "recipe", "purpose and configuration"),
    *("tasks", "continues", "results", "report"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One bundle, and what is here of it."""

    bundle_id: str
    name: str
    runs: tuple[str, ...]
    started_epoch_ns: int | None
    """The first start of any run; None when none was collated."""
    spec_sha256: str
    """Of the resolved spec; empty when it is not known."""
    purpose: str
    axes: Mapping[str, Sequence[Json]]
    completed: int | None
    """Tasks with a result, of all bundles that one report joins; None without a report."""
    expected: int | None
    continues: str | None
    """The bundle that this one reruns parts of."""
    results: Path | None
    report: Path | None


def entries(folders: Iterable[Path]) -> list[Entry]:
    """Return what stands in folders or below them, the earliest run first.

    Raises ResultsInvalid when there is neither a bundle nor a report of specc collate.
    """
    bundles: dict[str, tuple[Path, Manifest]] = {}
    reports: list[Path] = []
    asked = list(folders)
    for folder in dict.fromkeys(path for one in asked for path in _below(one, _DEEPEST)):
        if (manifest := _manifest(folder)) is not None:
            bundles.setdefault(manifest.bundle_id, (folder, manifest))
        if (folder / SUMMARY).is_file():
            reports.append(folder)
    places = {bundle_id: folder for bundle_id, (folder, _) in bundles.items()}
    found = [one for report in reports for one in _of_report(report, places)]
    reported = {one.bundle_id for one in found}
    found += [_of_bundle(*one) for bundle_id, one in bundles.items() if bundle_id not in reported]
    if not found:
        named = ", ".join(map(str, asked))
        raise ResultsInvalid(
            f"{named}: there is no bundle and no report in it",
            hint="give the folders that hold bundles and what specc collate wrote",
        )
    return sorted(found, key=lambda one: (one.started_epoch_ns or 0, one.bundle_id))


def _below(folder: Path, levels: int) -> Iterator[Path]:
    """Yield a folder and those below it, without what bundles and reports hold themselves."""
    yield folder
    if levels == 0 or not folder.is_dir():
        return
    if (folder / MANIFEST).is_file() or (folder / SUMMARY).is_file():
        return
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        hidden = entry.name.startswith(".") or entry.name in _INSIDE
        if entry.is_dir(follow_symlinks=False) and not hidden:
            yield from _below(Path(entry.path), levels - 1)


def _manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a bundle; None where there is none, or another program's."""
    try:
        return read_manifest(folder)
    except (OSError, Damage):
        return None


def _of_report(report: Path, bundles: Mapping[str, Path]) -> Iterator[Entry]:
    summary = _read(report / SUMMARY)
    if not all(key in summary for key in _NEEDED):
        return  # another program's file of that name
    counts = summary["completeness"]
    for bundle in summary["bundles"]:
        mine = [run for run in summary["runs"] if run["bundle_id"] == bundle["bundle_id"]]
        starts = [run["started_epoch_ns"] for run in mine if run["started_epoch_ns"] is not None]
        place = bundles.get(bundle["bundle_id"])
        yield Entry(
            bundle_id=bundle["bundle_id"],
            name=bundle["name"],
            runs=tuple(sorted({run["run_id"] for run in mine if run["run_id"]})),
            started_epoch_ns=min(starts, default=None),
            spec_sha256=bundle["spec_sha256"] or "",
            purpose=summary.get("purpose") or "",
            axes=summary["axes"],
            completed=counts["completed"],
            expected=counts["expected"],
            continues=bundle["parent_bundle_id"],
            results=None if place is None else _results(place),
            report=report,
        )


def _of_bundle(folder: Path, manifest: Manifest) -> Entry:
    """Return a bundle that no report here tells of; what its runs came to is not looked up."""
    results = _results(folder)
    facts = manifest.predicate
    return Entry(
        bundle_id=manifest.bundle_id,
        name=manifest.name,
        runs=() if results is None else tuple(sorted(one.name for one in results.iterdir())),
        started_epoch_ns=None,
        spec_sha256=next((s.sha256 for s in manifest.subjects if s.path == _RECIPE), ""),
        purpose=facts.get("purpose") or "",
        axes=(facts["spec"].get("matrix") or {}).get("axes") or {},
        completed=None,
        expected=None,
        continues=facts.get("parent_bundle_id"),
        results=results,
        report=None,
    )


def _results(bundle: Path) -> Path | None:
    folder = bundle / "results"
    return folder if folder.is_dir() and any(folder.iterdir()) else None


def _read(path: Path) -> dict[str, Json]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as reason:
        raise ResultsInvalid(f"{path} can't be read: {reason}", hint="collate again") from reason
    return found if isinstance(found, dict) else {}


def markdown(found: Sequence[Entry], *, beside: Path) -> str:
    """Return the index as a page. beside: the folder that its links start from."""
    lines = [
        "# Index of studies",
        "",
        "One row for each bundle in each report, the earliest run first.",
        "",
        f"| {' | '.join(_HEADS)} |",
        f"|{'---|' * len(_HEADS)}",
        *(f"| {' | '.join(_cells(one, beside))} |" for one in found),
    ]
    return "\n".join(lines) + "\n"


def _cells(one: Entry, beside: Path) -> tuple[str, ...]:
    done = "not collated" if one.expected is None else f"{one.completed} of {one.expected}"
    return (
        f"`{one.bundle_id}`",
        ", ".join(one.runs) or "not run",
        _date(one.started_epoch_ns),
        f"{markdown_cell(one.name)} `{one.spec_sha256[:12]}`",
        markdown_cell(_purpose(one)),
        done,
        "–" if one.continues is None else f"`{one.continues}`",
        _link(one.results, beside, "not here"),
        _link(None if one.report is None else one.report / "report.md", beside, "none"),
    )


def _purpose(one: Entry) -> str:
    axes = "; ".join(
        f"{axis}: {', '.join(v if isinstance(v, str) else json.dumps(v) for v in values)}"
        for axis, values in one.axes.items()
    )
    return visible(" ".join(filter(None, (one.purpose, f"({axes})" if axes else ""))))


def _date(epoch_ns: int | None) -> str:
    if epoch_ns is None:
        return "–"
    moment = datetime.fromtimestamp(epoch_ns // 1_000_000_000, tz=UTC)
    return moment.strftime("%Y-%m-%d %H:%M")


def _link(path: Path | None, beside: Path, missing: str) -> str:
    if path is None or not path.exists():
        return missing
    shown = os.path.relpath(path.resolve(), beside.resolve())
    return f"[{path.name}](<{shown}>)"
