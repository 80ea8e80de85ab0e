"""collate: bundles and whatever has landed of their results in, tables and reports out.

Idempotent; writes under `out` only. Start reading here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from specc.collate import export
from specc.collate.cells import cell_members
from specc.collate.curves.load import load_curves
from specc.collate.evidence.bottleneck import bottlenecks
from specc.collate.evidence.contamination import contaminated
from specc.collate.evidence.efficiency import efficiency
from specc.collate.evidence.hardware import read_samples
from specc.collate.evidence.sharing import with_company
from specc.collate.evidence.surroundings import surroundings
from specc.collate.finding.attempts import TaskAttempt, all_attempts, attempt_table
from specc.collate.finding.complete import complete
from specc.collate.finding.duplicates import compare_duplicates
from specc.collate.finding.read import Found, read
from specc.collate.finding.replicates import with_replicates
from specc.collate.records.cache import Cache
from specc.collate.records.cache_damage import cache_damage_named
from specc.collate.records.computed import Computed
from specc.collate.records.rows import read_rows
from specc.collate.rooms import report_room, tables_room
from specc.collate.slurm_table import slurm_rows
from specc.collate.spent import spent
from specc.collate.summary import summarise
from specc.collate.values import Collated, Damage, Records, ResultsInvalid, Study, TaskResult
from specc.comparing.absolute import Baseline, declared
from specc.comparing.junit import junit, limit_cases
from specc.comparing.series import series
from specc.model import Json
from specc.pilot.sizing import flat, sizing
from specc.reporting.papers import not_written
from specc_runtime.contract.launches import node_name
from specc_runtime.contract.pace import uncollected

Progress = Callable[[str], None]
"""Called with what is being done: "reading", "tables", …."""


@uncollected
def collate(
    paths: Sequence[Path],
    out: Path,
    *,
    rehash: bool = False,
    baseline: Baseline | None = None,
    progress: Progress = lambda _: None,
) -> Collated:
    """Collate bundles and results into `out`. Raises ResultsInvalid when there is no bundle.

    paths: bundle folders, folders of bundles, results roots or run folders, in any mix.
    rehash: check every byte again, whatever an earlier collate into `out` remembers.
    baseline: the run that the study is held against; None for none.
    """
    before = export.vouched_for(out)
    data = collate_data(paths, out, rehash=rehash, baseline=baseline, progress=progress)
    progress("drawing")
    # SHA256SUMS is written anew, over the reports as well
    written = [*data.paths[:-1], *_write_reports(out, data.summary)]
    export.remove_stale(out, before, written)
    return replace(data, paths=(*written, export.write_sums(out, written)))


@uncollected
def collate_data(
    paths: Sequence[Path],
    out: Path,
    *,
    rehash: bool = False,
    baseline: Baseline | None = None,
    progress: Progress = lambda _: None,
) -> Collated:
    """Write what programs read, and no plots or reports: tables, summary.json, results."""
    cache = Cache(out / "cache", rehash=rehash, progress=progress)
    with cache_damage_named(cache):
        made = analyse(paths, cache, baseline=baseline, progress=progress)
        summary = made.summary
        # so that a collate that is cut short leaves no list that vouches for half a report
        (out / export.SUMS).unlink(missing_ok=True)
        progress("writing tables")
        written, without_csv = export.write_tables(
            out / "tables", made.study, made.frames, made.rows, summary["cells"], cache=cache
        )
    summary["tables_without_csv"] = without_csv
    written += export.write_rows(out / "tables", "right_sizing", flat(summary["right_sizing"]))
    if said := slurm_rows(made.found):
        written += export.write_rows(out / "tables", "slurm", said)
    # cells stand in both documents
    shared: dict[int, str] = {}
    written.append(export.write_json(out / "summary.json", summary, shared))
    written.append(export.write_json(out / "completeness.json", _completeness(summary)))
    written.extend(_write_results(out, summary, shared))
    if limits := limit_cases(summary):
        text = junit(limits, name=str(summary["name"]))
        written.append(export.write_text(out / "junit.xml", text))
    written.append(export.write_sums(out, written))
    return Collated(
        out=out, summary=summary, paths=tuple(written), completeness=summary["completeness"]
    )


def _completeness(summary: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a script asks first: is all there, and what is not? Without reading a summary."""
    about = {key: summary[key] for key in ("schema_version", "kind", "name")}
    return {**about, **summary["completeness"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """A study read and reckoned with, before anything of it is written."""

    found: Found
    study: Study
    frames: Mapping[str, pl.LazyFrame]
    """The kind's tidy tables; their `task` is a place in `study.tasks`."""
    rows: Mapping[str, int]
    """How many each of them has."""
    summary: dict[str, Json]


def analyse(
    paths: Sequence[Path],
    cache: Cache,
    *,
    baseline: Baseline | None = None,
    progress: Progress = lambda _: None,
) -> Analysed:
    """Read bundles and results, and return all that is known of them. Raises ResultsInvalid."""
    progress("reading")
    found = read(paths, complaint=cache.check)
    attempts = all_attempts(found)
    study = _study(found, attempts, cache)
    while not cache.hashes_fit():
        # now it is known whose rows don't count
        found = read(paths, complaint=cache.check)
        attempts = all_attempts(found)
        study = _study(found, attempts, cache)
    cache.save()
    room = Computed(tables_room(study.kind), study, cache)
    frames = room.frames(study.records.all())
    samples, unreadable = read_samples(study.tasks)
    study = replace(study, damage=(*study.damage, *unreadable))
    progress("analysing")
    windows = tuple(room.windows(frames))
    held = with_company(contaminated(study.tasks, windows, samples, study.launches), study)
    members = cell_members(study.tasks)
    summary = {**summarise(study, room, frames, held, members), **sizing(found, samples)}
    summary.update(surroundings(found))
    summary["spent"] = spent(found, attempts)
    summary["not_written"] = not_written(summary)
    analysis = study.sources[0].manifest["spec"].get("analysis") or {}
    summary["load"] = load_curves(summary, analysis)
    summary["series"] = series(summary)
    summary.update(declared(summary, analysis, baseline))
    summary.update(bottlenecks(summary, study, members, windows, samples, slurm=slurm_rows(found)))
    summary.update(efficiency(summary, study, members, windows, samples))
    rows = room.rows(frames)
    room.save()
    return Analysed(found=found, study=study, frames=frames, rows=rows, summary=summary)


def settle(
    found: Found, cache: Cache | None = None
) -> tuple[tuple[TaskResult, ...], Records, tuple[Damage, ...]]:
    """Return what became of every task, the rows that count, and what is damaged.

    cache: what is remembered of the rows; without one they are read anew.
    Raises ResultsInvalid for bundles of several kinds.
    """
    kinds = sorted({str(source.manifest["kind"]) for source in found.sources})
    if len(kinds) > 1:
        raise ResultsInvalid(
            f"bundles of different kinds: {', '.join(kinds)}",
            hint="collate each kind by itself: their numbers have no metric in common",
        )
    room, cache = tables_room(kinds[0]), cache or Cache()
    columns, bulk = room.record_columns(), room.bulk_columns()
    tasks, records, damage = read_rows(complete(found), columns, bulk=bulk, cache=cache)
    while any(task.state == "invalid" and task.others for task in tasks):
        # a rerun did again what can't be read
        again = tuple(map(_second_choice, tasks))
        tasks, records, more = read_rows(again, columns, bulk=bulk, cache=cache)
        damage = (*damage, *more)
    return tasks, records, damage


def _study(found: Found, attempts: Sequence[TaskAttempt], cache: Cache) -> Study:
    tasks, records, damage = settle(found, cache)
    kind = str(found.sources[0].manifest["kind"])
    tasks, differing = compare_duplicates(tasks, found, tables_room(kind))
    tasks = with_replicates(tasks, getattr(tables_room(kind), "REPLICATES", ()))
    states = [launch for run in found.runs for launch in run.launches]
    launches = tuple(
        {
            **launch.info,
            "run_id": run.run_id,  # a renamed folder's, as its tasks have it
            "host": node_name(launch.info),
            "path": run.path,
        }
        for run in found.runs
        for launch in run.launches
        if launch.info is not None
    )
    return Study(
        kind=kind,
        sources=found.sources,
        tasks=tasks,
        records=records,
        attempts=attempt_table(attempts, tasks),
        launches=launches,
        damage=(*found.damage, *damage, *differing),
        torn_lines=sum(state.torn_bytes > 0 for state in states),
        torn_bytes=sum(state.torn_bytes for state in states),
    )


def _second_choice(task: TaskResult) -> TaskResult:
    """Return the next bundle's completion of a task whose rows are damaged; any other as it is."""
    if task.state != "invalid" or not task.others:
        return task
    second, *others = task.others
    return replace(second, others=tuple(others), attempts=task.attempts + second.attempts)


def _write_results(out: Path, summary: Json, shared: dict[int, str]) -> list[Path]:
    """Write results-<run_id>.json for each run that has happened."""
    from specc.collate.results import results_documents

    return [
        export.write_json(out / name, document, shared)
        for name, document in results_documents(summary, tables_room(summary["kind"])).items()
    ]


def _write_reports(out: Path, summary: Json) -> list[Path]:
    from specc.reporting.comparison_page import comparison_files
    from specc.reporting.figures import draw
    from specc.reporting.papers import paper_files
    from specc.reporting.report import page, report_files
    from specc.reporting.series_figures import series_files

    figures = draw(summary, report_room(summary["kind"]))
    written = [export.write_bytes(out / name, data) for name, data in figures.files.items()]
    for name, text in report_files(summary, report_room(summary["kind"]), figures).items():
        written.append(export.write_text(out / name, text))
    room = report_room(summary["kind"])
    for name, data in paper_files(summary, lambda: page(summary, room, figures), figures).items():
        written.append(export.write_bytes(out / name, data))
    more = series_files(summary)
    if summary["comparison"] is not None:
        more |= comparison_files(summary["comparison"])
    return written + [export.write_bytes(out / name, data) for name, data in more.items()]
