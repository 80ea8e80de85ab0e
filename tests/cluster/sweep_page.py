"""What came out of a sweep, as a page: every figure is read from the run, report and data set."""

from __future__ import annotations

import csv
import json
import os
import platform
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jobs import specc
from sweep import POISON, Trained, events

from specc.analysis.signs import percent

PAGE = Path(__file__).parents[2] / "docs" / "sweep-results.md"
_NAME = "training-smoke"
_BAR = "\\|"
_MEASURED = ("r_squared", "alpha_early", "alpha_full", "best_val_ce")
_SAID = ("H1", "H2", "Seeds", "Resources")
"""How findings of the report begin that the page repeats."""
_HEAD = """\
# What came out of the sweep

Written by `make sweep`, all figures by the program itself. It trains the points of
[training-smoke.yaml](../specs/training-smoke.yaml) on a Slurm that it starts on this machine: one
job, two tasks at a time, forked from a parent that has imported torch. Workers are killed by
SIGKILL while they train, and one configuration is poisoned with a learning rate of a million:
{poison}. Then `specc rerun` makes the next bundle, which is run as well; both are collated and
exported. `make sweep-page` does the last step again without running anything; every test run does
all of it with 24 points on digits of its own making. The nets are small and so are the images:
the numbers say nothing of ResNet-18.
"""
_TAIL = """\
A killed worker is not tried again within its run: the spec allows further attempts only for causes
that pass by themselves, and a SIGKILL without a witness is none. The bundle of `specc rerun` takes
it in and trains it anew: checkpoints belong to the run that wrote them, and are gone on from where
a job is requeued or an attempt is repeated. What diverged would diverge again; it was run again
because `--again` asked for it.
"""


def collated(made: Trained, out: Path) -> dict[str, Any]:
    """Collate and export what was run; returns the counts and how long both took [s]."""
    started = time.monotonic()
    said = specc("collate", *made.bundles, "--out", out / "report", "--json")
    collated_s, started = time.monotonic() - started, time.monotonic()
    specc("export", *made.bundles, "--out", out / "data", "--format", "dataset")
    counts = json.loads(said)["completeness"]
    return {**counts, "collate_s": collated_s, "export_s": time.monotonic() - started}


def page(made: Trained, out: Path, found: Mapping[str, Any]) -> str:
    """Return the Markdown page. found: what `collated` returned for this folder."""
    poison = ", ".join(
        f"{name} {value:g}" if name != "variant" else value for name, value in POISON.items()
    )
    report = json.loads((out / "report" / "report.json").read_text(encoding="utf-8"))
    parts = [
        _HEAD.format(poison=poison),
        f"Machine: {_processor()}, {len(os.sched_getaffinity(0))} cores, Python "
        f"{platform.python_version()}, load average {made.load:.1f} at the end of the first job.\n",
        _table(("what", "came out"), [*_course(made, out), *_outcome(made, out, found)]),
        _TAIL,
        "## The study\n",
        *(
            f"**{one['title']}.** {one['text']}\n"
            for one in report["findings"]
            if one["title"].startswith(_SAID)
        ),
        "## By variant\n",
        _table(
            ("variant", "runs", "best validation loss, median (range) [nats]",
             "early slope, median", "R², median", "time of a run, median [s]"),
            _variants(out),
        ),
    ]  # fmt: skip
    return "\n".join(parts)


def _course(made: Trained, out: Path) -> Iterable[tuple[str, str]]:
    """Yield what became of each bundle, in order."""
    names = ("first run", "next bundle", "the one after it", "and the one after that")
    went_on = _went_on(out)
    for name, bundle, seconds in zip(names, made.bundles, made.seconds, strict=False):
        last = {one["task_id"]: one for one in events(bundle) if one["event"].startswith("task_")}
        ends = Counter(_ended(one) for one in last.values())
        yield (
            f"{name}: {len(last)} tasks",
            "; ".join(f"{count} {what}" for what, count in ends.most_common())
            + f"; {seconds:.0f} s",
        )
    yield (
        "killed workers",
        "; ".join(
            f"`{task}` after {had} epoch{'s' * (had > 1)}, {_taken_up(went_on.get(task))}"
            for task, had in made.killed.items()
        ),
    )


def _taken_up(epoch: str | None) -> str:
    return "then trained anew" if epoch is None else f"went on behind epoch {epoch}"


def _ended(event: Mapping[str, Any]) -> str:
    """Say how a task ended."""
    if event["event"] != "task_failed":
        return str(event["event"]).removeprefix("task_")
    if event.get("signal"):
        return f"ended by signal {event['signal']} (`{event['category']}`)"
    return f"`{event['category']}` ({event['message']})"


def _outcome(made: Trained, out: Path, found: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield what all bundles together have come to."""
    summary = json.loads((out / "report" / "summary.json").read_text(encoding="utf-8"))
    states = ("completed", "failed", "missing", "invalid", "duplicate")
    counted = ", ".join(f"{found[state]} {state}" for state in states)
    yield f"all bundles: {found['expected']} expected", counted
    rows = dataset(out)
    full = sum(all(row[name] for name in _MEASURED) for row in rows)
    files = [path for path in (out / "data").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    yield (
        "data set",
        f"{len(rows)} rows, {full} with R², both slopes and the best loss; {len(files)} files, "
        f"{size / 1e6:.1f} MB",
    )
    took = [float(row["duration_s"]) for row in _read(out, "tasks") if row["state"] == "completed"]
    yield (
        "a completed task",
        f"median {statistics.median(took):.1f} s, longest {max(took):.1f} s; "
        f"{60 * made.tasks / made.seconds[0]:.0f} tasks a minute in the first run",
    )
    shares = list(_callback_shares(out).values())
    yield (
        "callbacks' share of a run's time",
        f"median {percent(statistics.median(shares))} ({percent(min(shares))} to "
        f"{percent(max(shares))}): a step of so small a net takes milliseconds",
    )
    spent = summary["spent"]
    yield (
        "spent",
        f"{spent['attempts']} attempts, {spent['failed_attempts']} of them failed; "
        f"{60 * spent['job_hours']:.1f} minutes of jobs, {60 * spent['cpu_hours']:.1f} CPU-minutes "
        "of tasks",
    )
    yield "collate, export", f"{found['collate_s']:.0f} s, {found['export_s']:.0f} s"


def _variants(out: Path) -> Iterable[tuple[str, ...]]:
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in dataset(out):
        if row["best_val_ce"]:
            groups[row["variant"]].append(row)
    took = {row["task_id"]: row["duration_s"] for row in _read(out, "tasks")}
    for name, rows in groups.items():
        losses = [float(row["best_val_ce"]) for row in rows]
        yield (
            name,
            str(len(rows)),
            f"{statistics.median(losses):.3f} ({min(losses):.3f} to {max(losses):.3f})",
            _median(row["alpha_early"] for row in rows),
            _median(row["r_squared"] for row in rows),
            _median(took[row["run_id"]] for row in rows),
        )


def dataset(out: Path) -> list[dict[str, str]]:
    """Return the rows of the exported data set."""
    with (out / "data" / f"{_NAME}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _callback_shares(out: Path) -> dict[str, float]:
    """Return which part of a run's time its callbacks took, by task."""
    times: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in _read(out, "epochs"):
        times[row["task_id"]][0] += float(row["callbacks_s"])
        times[row["task_id"]][1] += float(row["seconds"])
    return {task: callbacks / whole for task, (callbacks, whole) in times.items()}


def _went_on(out: Path) -> dict[str, str]:
    """Return the epoch behind which tasks went on."""
    return {row["task_id"]: row["epoch"] for row in _read(out, "resumes")}


def _read(out: Path, table: str) -> list[dict[str, str]]:
    # the settings of a task are long
    csv.field_size_limit(10_000_000)
    with (out / "report" / "tables" / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _median(values: Iterable[str]) -> str:
    known = [float(value) for value in values if value]
    return f"{statistics.median(known):.3g}" if known else "none"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', _BAR) for cell in line)} |\n" for line in lines
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
