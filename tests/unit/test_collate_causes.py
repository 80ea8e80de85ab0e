"""What collate tells of failures and of Slurm: causes, places, last words, asked and used."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
from results import a_bundle, metric

from specc.collate.pipeline import collate, collate_data
from specc.reporting.failure_tables import causes, interruptions, last_words

SACCT = """\
JobID|State|ExitCode|Partition|ElapsedRaw|CPUTimeRAW|AllocTRES|NodeList|MaxRSS
12_0|NODE_FAIL|0:0|main|5|10|cpu=2,node=1|n1|
12_0|COMPLETED|0:0|main|60|120|cpu=2,node=1|n2|
12_0.batch|COMPLETED|0:0||60|120|cpu=2,node=1|n2|2048K
"""


def test_failures_are_counted_by_cause_with_their_places(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": n} for n in range(4)], repetitions=1)
    launch = bundle.run().launch()
    launch.fail(bundle.tasks[0], "program")
    launch.fail(bundle.tasks[1], "oom_host", suggestion="raise task.memory")
    launch.fail(bundle.tasks[2], "program")
    launch.complete(bundle.tasks[3], [metric("time_s", 1.0)])
    launch.end()
    summary = collate_data([bundle.path], tmp_path / "out").summary
    rows = [[entry["text"] for entry in row] for row in causes(summary)["rows"]]
    assert [row[:2] for row in rows] == [["program", "2"], ["oom_host", "1"]]
    assert rows[1][4] == "raise task.memory"
    (host,) = {one["host"] for one in summary["failures"]}
    assert [row[5] for row in rows] == [host, host]


def test_interruptions_of_tasks_that_completed_later_are_told(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    run = bundle.run()
    first = run.launch()
    first.fail(bundle.tasks[0], "cancelled", message="stopped by SIGTERM")
    first.end()
    second = run.launch()
    second.complete(bundle.tasks[0], [metric("time_s", 1.0)])
    second.complete(bundle.tasks[1], [metric("time_s", 1.0)])
    second.end()
    made = collate([bundle.path], tmp_path / "out")
    assert made.summary["failures"] == []
    (told,) = made.summary["interruptions"]
    assert (told["category"], told["axes"], told["attempt"]) == ("cancelled", {"n": 1}, 1)
    assert told["launch"].endswith("launch-001")
    assert told["completed_by"]["launch"].endswith("launch-002")
    rows = [[entry["text"] for entry in row] for row in interruptions(made.summary)["rows"]]
    assert [row[:5] for row in rows] == [["cancelled", "1", "1", "1", "stopped by SIGTERM"]]
    assert 'id="table-interruptions"' in (made.out / "report.html").read_text()
    lead = "Attempts of completed tasks that were lost on the way: 1 cancelled."
    assert lead in (made.out / "insights.md").read_text()
    assert "## Interruptions" in (made.out / "report.md").read_text()


def test_last_words_are_told_once_for_each_cause() -> None:
    def failed(task: int, message: str, *tail: str) -> dict[str, object]:
        named = {"category": "program", "message": message, "task_id": f"{task:016x}"}
        return {**named, "stderr_tail": list(tail)}

    lines = [f"line {number}" for number in range(30)]
    told = [failed(1, "a", *lines), failed(2, "a", "other"), failed(3, "b"), failed(4, "c", "x")]
    found = last_words({"failures": told})
    assert [(one["title"], one["task_id"][-1]) for one in found] == [
        ("program: a", "1"),
        ("program: c", "4"),
    ]
    assert found[0]["lines"] == lines[-8:]


def test_report_shows_causes_and_last_words_as_text(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    tail = ["<script>alert(1)</script>", "```"]
    bundle.run().launch().fail(bundle.tasks[0], "program", stderr_tail=tail)
    out = collate([bundle.path], tmp_path / "out").out
    page = (out / "report.html").read_text()
    assert 'id="table-causes"' in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page
    text = (out / "report.md").read_text()
    assert re.search(r"^    <script>alert\(1\)</script>\n    ```$", text, re.MULTILINE)


def test_figures_of_slurm_are_a_table_of_their_own(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run = bundle.run()
    run.launch().complete(bundle.tasks[0], [metric("time_s", 1.0)])
    folder = Path(run.path)
    (folder / "slurm").mkdir()
    (folder / "slurm" / "12.sacct.txt").write_text(SACCT)
    (folder / "jobs.tsv").write_text("job.sbatch\t12\n")
    out = collate_data([bundle.path], tmp_path / "out").out
    table = pl.read_parquet(out / "tables" / "slurm.parquet")
    columns = ("job", "restart", "state", "category", "nodes", "elapsed_s", "max_rss_bytes")
    assert table.select(columns).rows() == [
        ("12_0", 0, "NODE_FAIL", "node", "n1", 5.0, None),
        ("12_0", 1, "COMPLETED", None, "n2", 60.0, 2097152),
    ]
    assert set(table["asked_nodes"]) == {1}


def test_without_recorded_words_there_is_no_such_table(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    bundle.run().launch().complete(bundle.tasks[0], [metric("time_s", 1.0)])
    out = collate_data([bundle.path], tmp_path / "out").out
    assert not (out / "tables" / "slurm.csv").exists()
