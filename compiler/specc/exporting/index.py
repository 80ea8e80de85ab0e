"""The index of studies: which bundle measured what and when, and where results and report are.

Reads the folders that it is given and nothing of the rows in them; writes nothing. A report that
can't be read has a row that says so; folders that can't be listed are left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

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
    damage: str | None = None
    """Why nothing is known of this report; None where it could be read."""


def entries(folders: Iterable[Path]) -> list[Entry]:
    """Return what stands in folders or below them, the earliest run first.

    Raises ResultsInvalid when a folder is not there, or holds neither a bundle nor a report of
    specc collate.
    """
    bundles: dict[str, tuple[Path, Manifest]] = {}
    reports: list[Path] = []
    asked = list(folders)
    if absent := [str(folder) for folder in asked if not folder.is_dir()]:
        raise ResultsInvalid(f"{', '.join(absent)}: no such folder", hint="give folders that exist")
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
    if levels == 0:
        return
    if (folder / MANIFEST).is_file() or (folder / SUMMARY).is_file():
        return
    listed: list[os.DirEntry[str]] = []
    with suppress(OSError):
        listed = sorted(os.scandir(folder), key=lambda one: one.name)
    for entry in listed:
        hidden = entry.name.startswith(".") or entry.name in _INSIDE
        if entry.is_dir(follow_symlinks=False) and not hidden:
            yield from _below(Path(entry.path), levels - 1)


def _manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a bundle; None where there is none, or another program's."""
    try:
        return read_manifest(folder)
    except (OSError, Damage):
        return None


def _of_report(report: Path, bundles: Mapping[str, Path]) -> list[Entry]:
    try:
        summary = json.loads((report / SUMMARY).read_bytes())
        if not isinstance(summary, dict) or not all(key in summary for key in _NEEDED):
            return []  # another program's file of that name
        return list(_told(summary, report, bundles))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as reason:
        return [_damaged(report, f"{SUMMARY}: {type(reason).__name__}: {reason}; collate again")]


def _damaged(report: Path, damage: str) -> Entry:
    return Entry(
        bundle_id="",
        name=report.resolve().name,
        runs=(),
        started_epoch_ns=None,
        spec_sha256="",
        purpose="",
        axes={},
        completed=None,
        expected=None,
        continues=None,
        results=None,
        report=report,
        damage=damage,
    )


def _told(
    summary: Mapping[str, Json], report: Path, bundles: Mapping[str, Path]
) -> Iterator[Entry]:
    counts = summary["completeness"]
    for bundle in summary["bundles"]:
        mine = [run for run in summary["runs"] if run["bundle_id"] == bundle["bundle_id"]]
        starts = [run["started_epoch_ns"] for run in mine if run["started_epoch_ns"] is not None]
        place = bundles.get(bundle["bundle_id"])
        yield Entry(
            bundle_id=bundle["bundle_id"],
            name=bundle["name"],
            runs=tuple(sorted({run["run_id"] for run in mine if run["run_id"]})),
            started_epoch_ns=min(map(int, starts), default=None),
            spec_sha256=bundle["spec_sha256"] or "",
            purpose=summary.get("purpose") or "",
            axes={axis: list(values) for axis, values in summary["axes"].items()},
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
        runs=() if results is None else tuple(_runs(results)),
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
    return folder if _runs(folder) else None


def _runs(results: Path) -> list[str]:
    with suppress(OSError):
        return sorted(one.name for one in results.iterdir() if one.is_dir())
    return []


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
        _code(one.bundle_id) or "–",
        markdown_cell(visible(", ".join(one.runs))) or ("not run" if one.damage is None else "–"),
        _date(one.started_epoch_ns),
        f"{markdown_cell(visible(one.name))} {_code(one.spec_sha256[:12])}".rstrip(),
        markdown_cell((one.damage and visible(one.damage)) or _purpose(one)),
        done if one.damage is None else "can't be read",
        _code(one.continues or "") or "–",
        _link(one.results, beside, "not here"),
        _link(None if one.report is None else one.report / "report.md", beside, "none"),
    )


def _code(text: str) -> str:
    """Return a name as code, from which it can't break out; empty for no name."""
    plain = visible(text).replace("`", "'").replace("|", "\\|").replace("\n", " ")
    return f"`{plain}`" if text else ""


def _purpose(one: Entry) -> str:
    axes = "; ".join(
        f"{axis}: {', '.join(v if isinstance(v, str) else json.dumps(v) for v in values)}"
        for axis, values in one.axes.items()
    )
    return visible(" ".join(filter(None, (one.purpose, f"({axes})" if axes else ""))))


def _date(epoch_ns: int | None) -> str:
    if epoch_ns is None:
        return "–"
    try:
        moment = datetime.fromtimestamp(epoch_ns // 1_000_000_000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return "–"  # no clock of this world
    return moment.strftime("%Y-%m-%d %H:%M")


def _link(path: Path | None, beside: Path, missing: str) -> str:
    if path is None or not path.exists():
        return missing
    shown = os.path.relpath(path.resolve(), beside.resolve())
    safe = "".join(_in_link(sign) for sign in shown)
    return f"[{path.name}](<{safe}>)"


def _in_link(sign: str) -> str:
    """Return a sign of a path as a link has it, in a cell of a table."""
    return quote(os.fsencode(sign)) if sign in "%<>|\\`" or not sign.isprintable() else sign
