"""What counts and what does not: completeness, torn tails, damage, duplicates, conditions."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from results import ABundle, a_bundle, metric, process

from specc.collate.pipeline import collate_data as collate
from specc.collate.values import Collated, ResultsInvalid
from specc.problems import ExitCode


def counts(done: Collated) -> dict[str, int]:
    return {k: v for k, v in done.completeness.items() if k != "tasks" and v}


def run_all(bundle: ABundle, run_id: str = "r1", *, value: float = 1.0) -> None:
    launch = bundle.run(run_id).launch()
    for task in bundle.tasks:
        if task["not_run"] is None:
            launch.complete(task, [metric("time_s", value), process()])
    launch.end()


def test_a_bundle_that_was_never_run_is_all_missing(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=2)
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "missing": 2}
    assert done.completeness["tasks"]["missing"][0]["reason"] == "the bundle has not been run"


def test_each_state_is_counted_with_its_reason(tmp_path: Path):
    bundle = a_bundle(
        tmp_path, points=[{"n": n} for n in range(5)], repetitions=1, not_run={4: "no CUDA device"}
    )
    first, failed, cut, _, _ = bundle.tasks
    launch = bundle.run().launch()
    launch.complete(first, [metric("time_s", 1.0)])
    launch.fail(failed, "oom_host")
    launch.start(cut)
    launch.end()
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 5, "completed": 1, "failed": 1, "not_run": 1, "missing": 2}
    tasks = done.completeness["tasks"]
    assert tasks["not_run"][0]["reason"] == "no CUDA device"
    assert [t["reason"] for t in tasks["missing"]] == ["cut off before its end", "never started"]
    assert tasks["failed"][0]["reason"] == "the program ended with exit code 1"


def test_failures_carry_category_and_suggestion(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    bundle.run().launch().fail(bundle.tasks[0], "oom_host", suggestion="raise task.memory")
    failure = collate([bundle.path], tmp_path / "out").summary["failures"][0]
    assert (failure["category"], failure["suggestion"]) == ("oom_host", "raise task.memory")


def test_rows_outside_segments_are_not_data(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    task, launch = bundle.tasks[0], bundle.run().launch()
    launch.write(task, [metric("time_s", 999.0)])
    launch.complete(task, [metric("time_s", 1.0)])
    launch.write(task, [metric("time_s", 999.0)])
    done = collate([bundle.path], tmp_path / "out")
    assert pl.read_parquet(done.out / "tables/metrics.parquet")["value"].to_list() == [1.0]


def test_an_attempt_that_failed_leaves_no_rows_behind(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    task, launch = bundle.tasks[0], bundle.run().launch()
    launch.write(task, [metric("time_s", 999.0)])
    launch.fail(task)
    launch.complete(task, [metric("time_s", 1.0)], attempt=2)
    done = collate([bundle.path], tmp_path / "out")
    assert pl.read_parquet(done.out / "tables/metrics.parquet")["value"].to_list() == [1.0]


def test_a_torn_journal_line_is_counted_and_costs_nothing_else(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [metric("time_s", 1.0)])
    with (launch.path / "events.jsonl").open("a") as file:
        file.write('{"event": "task_sta')
    done = collate([bundle.path], tmp_path / "out")
    assert done.summary["torn"] == {"lines": 1, "bytes": 19}
    assert counts(done) == {"expected": 1, "completed": 1}


def test_a_flipped_byte_in_the_rows_makes_the_task_invalid(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    launch = bundle.run().launch()
    for task in bundle.tasks:
        launch.complete(task, [metric("time_s", 1.0)])
    data = bytearray(launch.records.read_bytes())
    data[-5] ^= 1
    launch.records.write_bytes(bytes(data))
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 1, "invalid": 1}
    assert "does not match its hash" in done.completeness["tasks"]["invalid"][0]["reason"]


def test_a_value_of_the_wrong_type_is_located_by_file_and_line(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [metric("time_s", 1.0)])
    launch.complete(bundle.tasks[1], [metric("time_s", "fast")])  # type: ignore[arg-type]
    done = collate([bundle.path], tmp_path / "out")
    damage = done.summary["damage"][0]
    assert (damage["file"], damage["line"]) == ("1-cpu-0000/launch-001/records.0.1.jsonl", 4)
    assert counts(done) == {"expected": 2, "completed": 1, "invalid": 1}


def test_nan_in_a_row_is_damage_and_never_a_number(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    bundle.run().launch().complete(bundle.tasks[0], [metric("time_s", float("nan"))])
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 1, "invalid": 1}
    assert done.summary["cells"][0]["verdict"] == "NO_DATA"


def test_reasons_that_differ_in_numbers_only_are_said_once(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=3)
    launch = bundle.run().launch()
    for task, why in zip(bundle.tasks, ("below 20 bytes", "below 19 bytes", "lost"), strict=True):
        launch.complete(task, [metric("time_s", None, reason=why)])
    done = collate([bundle.path], tmp_path / "out")
    assert done.summary["cells"][0]["metrics"]["time_s"]["reason"] == "below 19 bytes; lost"


def test_axes_stand_in_the_order_of_the_author(tmp_path: Path):
    points = [{"z": z, "a": a} for z in ("y", "x") for a in (2, 1)]
    bundle = a_bundle(tmp_path, points=points, repetitions=1, axes=["z", "a"])
    run_all(bundle)
    done = collate([bundle.path], tmp_path / "out")
    assert list(done.summary["axes"].items()) == [("z", ["y", "x"]), ("a", [2, 1])]
    head = (done.out / "tables/tasks.csv").read_text().splitlines()[0]
    assert head.endswith("settings,axis_z,axis_a")


def test_a_second_completion_is_a_duplicate_and_the_first_one_counts(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run = bundle.run()
    run.launch().complete(bundle.tasks[0], [metric("time_s", 1.0)])
    run.launch().complete(bundle.tasks[0], [metric("time_s", 2.0)], attempt=2)
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 1, "completed": 1, "duplicate": 1}
    assert done.summary["cells"][0]["metrics"]["time_s"]["run_values"] == [1.0]


def test_rows_of_a_resumed_task_come_from_both_launches(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    task, run = bundle.tasks[0], bundle.run()
    first, second = run.launch(), run.launch()
    segments = [
        first.write(task, [metric("time_s", 1.0)]),
        second.write(task, [metric("time_s", 3.0, index=1)], attempt=2),
    ]
    second.start(task, 2)
    second.event(
        "task_completed",
        task_id=task["task_id"],
        attempt=2,
        slot=0,
        segments=segments,
        duration_s=1.0,
        artefacts=[],
    )
    done = collate([bundle.path], tmp_path / "out")
    assert done.summary["cells"][0]["metrics"]["time_s"]["run_values"] == [2.0]


def test_a_rerun_with_the_same_condition_fills_the_gap(tmp_path: Path):
    parent = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    launch = parent.run().launch()
    launch.complete(parent.tasks[0], [metric("time_s", 1.0)])
    launch.fail(parent.tasks[1])
    child = a_bundle(tmp_path, points=[{"n": 2}], repetitions=1, parent=parent.bundle_id)
    child.run().launch().complete(child.tasks[0], [metric("time_s", 2.0)])
    done = collate([child.path, parent.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2}
    assert len(done.summary["cells"]) == 2


def test_a_rerun_on_another_condition_is_another_series(tmp_path: Path):
    parent = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run_all(parent)
    child = a_bundle(
        tmp_path, points=[{"n": 1}], repetitions=1, parent=parent.bundle_id, condition="other"
    )
    run_all(child, value=2.0)
    done = collate([parent.path, child.path], tmp_path / "out")
    values = [c["metrics"]["time_s"]["run_values"] for c in done.summary["cells"]]
    assert values == [[1.0], [2.0]]


def test_two_runs_of_a_bundle_stay_apart(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run_all(bundle, "r1")
    run_all(bundle, "r2", value=2.0)
    done = collate([bundle.path], tmp_path / "out")
    assert [c["run_id"] for c in done.summary["cells"]] == ["r1", "r2"]
    assert (done.out / "results-r1.json").exists()
    assert (done.out / "results-r2.json").exists()


def test_results_of_a_run_list_the_machines_of_that_run_only(tmp_path: Path):
    made = []
    for name, host in (("first", "node-a"), ("second", "node-b")):
        bundle = a_bundle(tmp_path, name=name, points=[{"n": 1}], repetitions=1)
        launch = bundle.run().launch(host=host)
        launch.complete(bundle.tasks[0], [metric("time_s", 1.0), process()])
        launch.end()
        made.append(bundle)
    out = collate([bundle.path for bundle in made], tmp_path / "out").out
    for bundle, host in zip(made, ("node-a", "node-b"), strict=True):
        told = json.loads((out / f"results-{bundle.bundle_id}-r1.json").read_text())
        assert [machine["host"] for machine in told["machines"]] == [host]


def test_results_elsewhere_are_joined_to_their_bundle(tmp_path: Path):
    bundle = a_bundle(tmp_path / "here", points=[{"n": 1}], repetitions=1)
    run_all(bundle)
    there = tmp_path / "scratch" / bundle.bundle_id
    there.parent.mkdir()
    (bundle.path / "results").rename(there)
    done = collate([bundle.path, tmp_path / "scratch"], tmp_path / "out")
    assert counts(done) == {"expected": 1, "completed": 1}


def test_a_run_folder_finds_the_bundle_it_stands_in(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run_all(bundle)
    done = collate([bundle.path / "results" / "r1"], tmp_path / "out")
    assert counts(done) == {"expected": 1, "completed": 1}


def test_a_run_folder_is_that_run_alone(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run_all(bundle, "r1", value=1.0)
    run_all(bundle, "r2", value=2.0)
    done = collate([bundle.path / "results/r2"], tmp_path / "out")
    assert [cell["run_id"] for cell in done.summary["cells"]] == ["r2"]
    done = collate([bundle.path, bundle.path / "results/r2"], tmp_path / "both")
    assert [cell["run_id"] for cell in done.summary["cells"]] == ["r1", "r2"]


def test_results_of_a_bundle_that_was_not_given_are_told_and_left_out(tmp_path: Path):
    known = a_bundle(tmp_path / "a", points=[{"n": 1}], repetitions=1)
    run_all(known)
    stranger = a_bundle(tmp_path / "b", name="other", points=[{"n": 1}], repetitions=1)
    run_all(stranger)
    (stranger.path / "results").rename(tmp_path / "lost")
    done = collate([known.path, tmp_path / "lost"], tmp_path / "out")
    assert counts(done) == {"expected": 1, "completed": 1}
    assert stranger.bundle_id in done.summary["damage"][0]["message"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "nothing", "is not a folder"),
        (lambda p: (p / "empty").mkdir() or p / "empty", "no bundle at"),
    ],
)
def test_nothing_to_collate_is_said(tmp_path: Path, make, message: str):
    with pytest.raises(ResultsInvalid, match=message) as caught:
        collate([make(tmp_path)], tmp_path / "out")
    assert caught.value.exit_code == ExitCode.BAD_BUNDLE


def test_a_changed_task_table_is_refused(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    table = bundle.path / "tasks.jsonl"
    table.write_text(table.read_text().replace('"n":1', '"n":2'))
    with pytest.raises(ResultsInvalid, match="does not match its hash"):
        collate([bundle.path], tmp_path / "out")


def test_a_broken_manifest_is_refused(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    (bundle.path / "manifest.json").write_text("{")
    with pytest.raises(ResultsInvalid, match="not a readable bundle"):
        collate([bundle.path], tmp_path / "out")


def test_kinds_are_not_mixed(tmp_path: Path):
    a = a_bundle(tmp_path, points=[{"n": 1}])
    b = a_bundle(tmp_path, kind="inference", points=[{"n": 1}])
    with pytest.raises(ResultsInvalid, match="different kinds: command, inference"):
        collate([a.path, b.path], tmp_path / "out")


def test_a_kind_from_the_future_is_refused(tmp_path: Path):
    bundle = a_bundle(tmp_path, kind="telepathy", points=[{"n": 1}])
    with pytest.raises(ResultsInvalid, match="cannot collate bundles of kind 'telepathy'"):
        collate([bundle.path], tmp_path / "out")


def test_compile_info_may_be_missing(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}])
    (bundle.path / "compile.json").unlink()
    assert json.loads((collate([bundle.path], tmp_path / "out").out / "summary.json").read_text())


def test_twice_gives_the_same_bytes(tmp_path: Path):
    bundle = a_bundle(tmp_path / "b", repetitions=2)
    run_all(bundle)
    first, second = (collate([bundle.path], tmp_path / o) for o in ("one", "two"))
    assert (first.out / "SHA256SUMS").read_text() == (second.out / "SHA256SUMS").read_text()


def test_nothing_is_written_outside_the_output_folder(tmp_path: Path):
    bundle = a_bundle(tmp_path / "b", repetitions=1)
    run_all(bundle)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "b").rglob("*")}
    collate([bundle.path], tmp_path / "out")
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "b").rglob("*")} == before


def test_work_done_again_by_a_rerun_is_a_duplicate(tmp_path: Path):
    parent = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run_all(parent)
    child = a_bundle(
        tmp_path, points=[{"n": 1}], repetitions=1, parent=parent.bundle_id, name="again"
    )
    run_all(child, value=2.0)
    done = collate([parent.path, child.path], tmp_path / "out")
    assert counts(done) == {"expected": 1, "completed": 1, "duplicate": 1}
    assert child.bundle_id in done.completeness["tasks"]["duplicate"][0]["reason"]
    assert done.summary["cells"][0]["metrics"]["time_s"]["run_values"] == [1.0]


def test_a_rerun_of_a_point_that_was_not_run_replaces_the_gap(tmp_path: Path):
    parent = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1, not_run={0: "no CUDA device"})
    child = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1, parent=parent.bundle_id)
    run_all(child)
    done = collate([parent.path, child.path], tmp_path / "out")
    assert counts(done) == {"expected": 1, "completed": 1}


def test_a_task_that_still_runs_is_missing_for_now(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    bundle.run().launch().start(bundle.tasks[0])
    done = collate([bundle.path], tmp_path / "out")
    assert done.completeness["tasks"]["missing"][0]["reason"] == (
        "attempt 1 in 1-cpu-0000/launch-001 has no end yet"
    )


def test_segments_with_rows_of_another_task_are_damage(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    first, second = bundle.tasks
    launch = bundle.run().launch()
    launch.start(first)
    segment = launch.write(second, [metric("time_s", 1.0)])
    launch.event(
        "task_completed",
        task_id=first["task_id"],
        attempt=1,
        slot=0,
        segments=[segment],
        duration_s=1.0,
        artefacts=[],
    )
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "missing": 1, "invalid": 1}
    assert "hold rows of task" in done.summary["damage"][0]["message"]


def test_rows_that_are_claimed_twice_make_the_task_invalid(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    task, launch = bundle.tasks[0], bundle.run().launch()
    launch.start(task)
    segment = launch.write(task, [metric("time_s", 1.0)])
    launch.event(
        "task_completed",
        task_id=task["task_id"],
        attempt=1,
        slot=0,
        segments=[segment, segment],
        duration_s=1.0,
        artefacts=[],
    )
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 1, "invalid": 1}
    assert "overlap at byte 0" in done.summary["damage"][0]["message"]
