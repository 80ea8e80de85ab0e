"""The verb that gates: compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from specc.bundle_folders import named_run, report_folders
from specc.commands.console import Answer, as_table, steps, verb
from specc.commands.outside import outside
from specc.model import Json
from specc.problems import ExitCode, SpeccError

if TYPE_CHECKING:
    from specc.comparing.absolute import Baseline

GateFile = Annotated[
    Path | None,
    typer.Option("--gate", metavar="FILE", help="What is gated, and how much worse is too much."),
]
Across = Annotated[
    str, typer.Option("--across", metavar="WHAT,…", help="Differences that are meant: driver,gpu,…")
]
Reports = Annotated[
    list[Path] | None,
    typer.Option(
        "--report",
        metavar="DIR",
        help="Folder of specc collate whose cache spares reading long results again; default:"
        " NAME-report here. May be repeated.",
    ),
]
_MOST_ROWS = 20
_MOST_NOTES = 4
_MOST_ANSWERS = 6


class NoBaseline(SpeccError):
    """Options about a comparison without anything to compare with."""

    exit_code = ExitCode.USAGE


class NoReport(SpeccError):
    """A folder given as a report that collate has not written."""

    exit_code = ExitCode.USAGE


class UnknownDifference(SpeccError):
    """A name for --across that stands for nothing."""

    exit_code = ExitCode.USAGE


@verb
def compare(
    baseline: Annotated[str, typer.Argument(metavar="BASE", help="The run to compare with.")],
    current: Annotated[str, typer.Argument(metavar="CURRENT", help="The run in question.")],
    *,
    gate: GateFile = None,
    across: Across = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for comparison.json, pages, plot, JUnit.")
    ] = None,
    report: Reports = None,
) -> Answer:
    """Say whether a run became worse than another: PASS, FAIL or INCONCLUSIVE.

    BASE and CURRENT are bundles, results, folders of single runs (BUNDLE/results/r2 or BUNDLE:r2),
    or report folders of specc collate. Exit codes: 0 PASS, 1 FAIL, 5 INCONCLUSIVE, 6 not
    comparable.
    """
    from specc.comparing.compare import EXIT_CODES, compare_sides, not_comparable
    from specc.comparing.gate import default_gate, read_gate
    from specc.comparing.refusals import NotComparable
    from specc.comparing.sides import read_side
    from specc.comparing.write import write_comparison

    meant = read_across(across)
    if out is not None:
        outside(out)
    with steps() as progress:
        old = read_side(baseline, reports=earlier([Path(baseline)], report), progress=progress)
        new = read_side(current, reports=earlier([Path(current)], report), progress=progress)
        asked = read_gate(gate, new.summary) if gate else default_gate(new.summary)
        progress("comparing")
        refused = None
        try:
            found = compare_sides(old, new, asked, across=meant)
        except NotComparable as reason:
            refused, found = reason, not_comparable(old, new, reason, meant)
        files = write_comparison(found, out) if out else []
    data = {"comparison": found, "files": [str(path) for path in files]}
    if refused is not None:
        hint = f"\n  hint: {refused.hint}" if refused.hint else ""
        data["error"] = str(refused)
        return Answer(text="", data=data, code=refused.exit_code, note=f"specc: {refused}{hint}")
    return Answer(text=comparison_text(found), data=data, code=EXIT_CODES[found["gate"]])


def earlier(paths: Sequence[Path], given: Sequence[Path] | None = None) -> list[Path]:
    """Return the folders that a collate of these paths may have written to, those given first.

    Raises NoReport for one that is given and is no such folder.
    """
    for folder in given or ():
        if not (folder / "summary.json").is_file():
            raise NoReport(f"--report: {folder} has no summary.json", hint="name a collate's --out")
    return [*(given or ()), *report_folders(named_run(path)[0] for path in paths)]


def given_baseline(
    named: str | None,
    gate: Path | None,
    across: str,
    *,
    current: Path,
    progress: Callable[[str], None],
) -> Baseline | None:
    """Read the baseline of `specc collate --baseline`; None when there is none.

    current: what is collated; the folder of one run says which run is meant.
    """
    if named is None:
        if gate is not None or across:
            raise NoBaseline("--gate and --across need --baseline", hint="--baseline BASE")
        return None
    from specc.comparing.baseline import GivenBaseline
    from specc.comparing.gate import default_gate, read_gate
    from specc.comparing.sides import read_side

    side = read_side(named, reports=earlier([Path(named)]), progress=progress)
    asked = default_gate if gate is None else partial(read_gate, gate)
    return GivenBaseline(
        side=side, gate=asked, across=read_across(across), run_id=current.resolve().name
    )


def judged(summary: Mapping[str, Json], *, by_file: bool) -> tuple[list[str], list[Json], ExitCode]:
    """Return what collate says of gates: lines, the gates for --json, and the exit code.

    by_file: the comparison decides as well, since its gate was asked for.
    """
    from specc.comparing.absolute import gates_verdict
    from specc.comparing.compare import EXIT_CODES

    lines = _limits(summary)
    verdicts = [gates_verdict(summary["gates"])]
    code = ExitCode.OK
    comparison = summary["comparison"]
    if comparison is not None:
        lines.append(f"against {comparison['baseline']['bundle']}: {comparison['text']}")
        lines += [f"  {d['what']}: {d['baseline']} | {d['current']}" for d in comparison["why_not"]]
        verdicts.append(comparison["gate"] if by_file else None)
        if by_file and not comparison["comparable"]:
            code = ExitCode.NOT_COMPARABLE
    for verdict in ("INCONCLUSIVE", "FAIL"):
        if verdict in verdicts and (verdict == "FAIL" or code == ExitCode.OK):
            code = EXIT_CODES[verdict]
    return lines, summary["gates"], code


def _limits(summary: Mapping[str, Json]) -> list[str]:
    """Return a line for each limit. A load curve answers its objectives as a whole: level by level
    the highest loads are there to break them.
    """
    from specc.comparing.limits import answered_by_curve, judged_by_point

    answers = list(answered_by_curve(summary))
    lines = [f"{one['verdict']}  {one['text']}" for one in judged_by_point(summary)]
    if len(answers) <= _MOST_ANSWERS:
        return [*lines, *(_answered(one, curve, summary) for curve, one in answers)]
    met = sum(one["verdict"] == "MET" for _, one in answers)
    return [*lines, f"objectives: {met} of {len(answers)} answers of load curves are MET"]


def _answered(
    one: Mapping[str, Json], curve: Mapping[str, Json], summary: Mapping[str, Json]
) -> str:
    from specc.reporting.sections.load_answers import curve_name

    name = curve_name(curve, summary)
    return f"{one['verdict']}  {name}{': ' if name else ''}{one['text']}"


def read_across(text: str) -> frozenset[str]:
    """Read the value of --across. Raises UnknownDifference for a name that there is not."""
    from specc.comparing.differences import NAMES
    from specc.language.suggest import did_you_mean

    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in NAMES:
            hint = did_you_mean(name, NAMES, noun="names")
            raise UnknownDifference(f"--across: there is no difference '{name}'", hint=hint)
    return frozenset(names)


def _notes(rows: Sequence[Mapping[str, Json]]) -> list[str]:
    """Return what is noted at the rows, alike ones once, with the number of rows that have it."""
    from specc.collate.causes import grouped, merged

    pieces = [piece for row in rows for piece in dict.fromkeys((row["note"] or "").split("; "))]
    lines = []
    for texts in grouped(filter(None, pieces)).values():
        key = set(texts)
        count = sum(not key.isdisjoint((row["note"] or "").split("; ")) for row in rows)
        lines.append(f"note: {merged(texts)} ({count} of {len(rows)} rows)")
    rest = len(lines) - _MOST_NOTES
    return [*lines[:_MOST_NOTES], *([f"and {rest} more notes"] if rest > 0 else [])]


def _with_cause(row: Mapping[str, Json]) -> str:
    """Return a row's verdict, with the neighbour that left it undecided."""
    cause = row["verdict"] == "INCONCLUSIVE" and "CONTAMINATED" in (row["note"] or "")
    return f"{row['verdict']} (CONTAMINATED)" if cause else str(row["verdict"])


def comparison_text(found: Mapping[str, Json]) -> str:
    """Return what a terminal shows: the verdict, each metric's sentence, the gated cells."""
    from specc.kinds.sentences import point, quantity

    lines = [str(found["gate"])]
    lines += [f"  {head['verdict']}  {head['text']}" for head in found["primaries"]]
    if not found["primaries"]:
        lines.append(f"  {found['text']}")
    gated = [row for row in found["rows"] if row["gated"]]
    order = {"FAIL": 0, "INCONCLUSIVE": 1, "PASS": 2}
    shown = sorted(gated, key=lambda row: order[row["verdict"]])[:_MOST_ROWS]
    if shown:
        heads = ("point", "metric", "baseline", "current", "change", "runs", "verdict")
        rows = [
            (
                point(row["axes"]),
                row["metric"]
                if row["statistic"] == "value"
                else f"{row['metric']} {row['statistic']}",
                quantity(row["baseline"], row["unit"]),
                quantity(row["current"], row["unit"]),
                row["effect_text"],
                "{} | {}".format(*row["runs"]),
                _with_cause(row),
            )
            for row in shown
        ]
        lines += ["", as_table(heads, rows, right=(2, 3, 4, 5))]
    if len(gated) > len(shown):
        lines.append(f"and {len(gated) - len(shown)} more rows in comparison.json (--out DIR)")
    lines += _notes(gated)
    if found["across"]:
        lines.append(f"compared across: {', '.join(found['across'])}")
    return "\n".join(lines)
