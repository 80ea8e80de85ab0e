"""Say what each output file holds: the data dictionary of a report. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from specc.model import Json

_FILES = (
    ("summary.json", "every number, its interval, verdict and reason; what all else is made from"),
    ("completeness.json", "how many tasks have which state, and each without a result by name"),
    ("results-<run_id>.json", "the cells of one run, in the flat shape of its kind"),
    ("report.html, report.md, insights.md", "this report; the findings alone"),
    ("report.json", "the report as data: decisions, findings, definitions, commands, failures"),
    ("report.pdf, slides.pptx", "the report on paper and as twelve slides, where the spec asks"),
    ("junit.xml", "the gates as test cases, where the spec has some"),
    ("tables/tasks", "one row for each task: point, state, reason, attempt, settings"),
    ("tables/attempts", "one row for each attempt in every bundle: outcome, cause, host, cure"),
    ("tables/cells", "one row for each metric of each point: value, interval, percentiles"),
    ("tables/slurm", "one row for each start of each array element, as Slurm told it"),
    ("tables/right_sizing", "one row for each job shape: asked, used, proposed, advice, gaps"),
    ("tables/*", "one row for each measured thing, with its task; Parquet and CSV are equal"),
    ("plots/*.png, *.svg", "the plots of this report"),
    ("SHA256SUMS", "checksums of all of these; check with `sha256sum -c SHA256SUMS`"),
)
_TERMS = (
    ("bundle_id", "name and first 12 hex digits of the hash of the sealed bundle"),
    ("run_id", "one execution of a bundle"),
    ("condition_id", "hash of environment, job shape, packing and cluster; never mixed"),
    ("task_id", "hash of what a task measures; equal work has an equal id in every bundle"),
    ("cell", "one point of the matrix in one run on one condition; its repetitions together"),
)


def describe(summary: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return name -> meaning for files, identifiers and metrics."""
    metrics = [(m["name"], f"[{m['unit'] or '1'}] {m['definition']}") for m in summary["metrics"]]
    long = [
        (f"tables/{name}.parquet", f"{rows:,} rows: too long for CSV, there is Parquet only")
        for name, rows in (summary.get("tables_without_csv") or {}).items()
    ]
    return [{"name": n, "text": t} for n, t in (*_FILES, *long, *_TERMS, *metrics)]
