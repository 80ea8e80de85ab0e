"""Results that were renamed, copied, mixed or left half: each is named, and the rest collated."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from results import ABundle, a_bundle, metric, process, sha256
from test_collate_read import counts, run_all

from specc.collate.pipeline import collate, collate_data
from specc.collate.values import Collated, ResultsInvalid

SHARD = "1-cpu-0000"
LAUNCH = f"{SHARD}/launch-001"


def two_shards(root: Path) -> ABundle:
    """A bundle of two tasks in a shard each, both completed in run r1."""
    bundle = a_bundle(
        root,
        points=[{"n": 1}, {"n": 2}],
        repetitions=1,
        shape_of=lambda axes: f"{axes['n']}-cpu",
    )
    run = bundle.run()
    for task in bundle.tasks:
        launch = run.launch(task["shape"])
        launch.complete(task, [metric("time_s", 1.0)])
        launch.end()
    return bundle


def problem(done: Collated) -> Mapping[str, Any]:
    """Return the one problem that the summary names."""
    found, *more = done.summary["damage"]
    assert not more, done.summary["damage"]
    return found


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}) + "\n")


def test_a_clean_run_has_no_problem(tmp_path: Path) -> None:
    assert collate_data([two_shards(tmp_path).path], tmp_path / "out").summary["damage"] == []


def test_a_launch_of_a_newer_contract_is_left_out_and_named(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    edit(bundle.path / "results/r1" / LAUNCH / "launch.json", schema_version=2)
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 1, "invalid": 1}
    found = problem(done)
    assert found["file"] == f"r1/{LAUNCH}"
    assert "version 2 of the contract, and this specc knows version 1" in found["message"]
    assert "collate with the version of specc" in found["consequence"]
    assert "version 2" in done.completeness["tasks"]["invalid"][0]["reason"]


def test_a_problem_stands_in_every_document_with_what_to_do(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    edit(bundle.path / "results/r1" / LAUNCH / "launch.json", schema_version=2)
    out = collate([bundle.path], tmp_path / "out").out
    advice = "collate with the version of specc that compiled the bundle"
    for name in ("report.md", "report.html", "report.json"):
        text = (out / name).read_text()
        assert f"r1/{LAUNCH}" in text, name
        assert advice in text, name
    assert "1 thing about the results is damaged or odd" in (out / "report.md").read_text()


def test_a_journal_with_events_of_a_newer_contract_is_named(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    journal = bundle.path / "results/r1" / LAUNCH / "events.jsonl"
    journal.write_text(journal.read_text().replace('"launch_started"', '"launch_cloned"'))
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 1, "invalid": 1}
    assert (problem(done)["file"], problem(done)["line"]) == (f"r1/{LAUNCH}/events.jsonl", 1)


def test_a_bundle_of_a_newer_contract_costs_only_itself(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path / "a")
    newer = a_bundle(tmp_path / "b", name="newer", points=[{"n": 1}], repetitions=1)
    manifest = newer.path / "manifest.json"
    value = json.loads(manifest.read_text())
    value["predicate"].update(schema_version=2, specc_version="9.0.0")
    manifest.write_text(json.dumps(value))
    done = collate_data([bundle.path, newer.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2}
    assert "compiled by specc 9.0.0" in problem(done)["message"]


def test_a_bundle_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path / "a")
    broken = a_bundle(tmp_path / "b", name="broken", points=[{"n": 1}], repetitions=1)
    (broken.path / "manifest.json").write_text("{")
    done = collate_data([bundle.path, broken.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2}
    assert problem(done)["file"] == broken.path.name
    assert "copy the bundle again" in problem(done)["consequence"]


@pytest.mark.parametrize(
    ("name", "message", "completed"),
    [
        ("events.jsonl", "it is missing, and records.0.1.jsonl is there", 1),
        ("launch.json", "it is missing, and the journal is there", 2),
    ],
)
def test_a_launch_that_was_copied_without_a_file(
    tmp_path: Path, name: str, message: str, completed: int
) -> None:
    bundle = two_shards(tmp_path)
    (bundle.path / "results/r1" / LAUNCH / name).unlink()
    done = collate_data([bundle.path], tmp_path / "out")
    assert done.completeness["completed"] == completed
    assert (problem(done)["file"], problem(done)["message"]) == (f"r1/{LAUNCH}/{name}", message)
    assert "copy the folder again" in problem(done)["consequence"]


def test_missing_and_cut_records_make_their_task_invalid_with_the_place(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    results = bundle.path / "results/r1"
    (results / LAUNCH / "records.0.1.jsonl").unlink()
    other = results / "2-cpu-0000/launch-001/records.0.1.jsonl"
    other.write_bytes(other.read_bytes()[:-10])
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "invalid": 2}
    assert [task["reason"] for task in done.completeness["tasks"]["invalid"]] == [
        f"{LAUNCH}/records.0.1.jsonl: No such file or directory",
        "2-cpu-0000/launch-001/records.0.1.jsonl ends 10 bytes too early",
    ]


def test_a_renamed_shard_is_named_with_its_old_name(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    results = bundle.path / "results/r1"
    (results / SHARD).rename(results / "first-0000")
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 1, "invalid": 1}
    assert problem(done)["file"] == "r1/first-0000/launch-001"
    assert f"it was written as {LAUNCH}" in problem(done)["message"]


def test_a_shard_under_a_name_that_no_shard_has_is_seen(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    results = bundle.path / "results/r1"
    (results / SHARD).rename(results / "old")
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 1, "missing": 1}
    assert problem(done)["file"] == "r1/old"
    assert "rename it to the shard_id" in problem(done)["consequence"]


def test_a_renamed_run_counts_under_its_new_name_and_says_so(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    (bundle.path / "results/r1").rename(bundle.path / "results/monday")
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2}
    assert [(run["run_id"], run["hosts"]) for run in done.summary["runs"]] == [
        ("monday", ["node-1"])
    ]
    assert "its launches were written in run r1" in problem(done)["message"]


def test_files_that_nobody_wrote_are_named_and_not_read(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    results = bundle.path / "results/r1"
    (results / "notes.txt").write_text("mine")
    (results / LAUNCH / "records.csv.zip").write_bytes(b"\xff\xfe")
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2}
    assert "notes.txt, 1-cpu-0000/launch-001/records.csv.zip" in problem(done)["message"]


def test_two_runs_mixed_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    second = bundle.run("r2").launch("2-cpu")
    second.complete(bundle.tasks[1], [metric("time_s", 9.0)])
    second.end()
    results = bundle.path / "results"
    shutil.rmtree(results / "r1/2-cpu-0000")
    shutil.move(results / "r2/2-cpu-0000", results / "r1/2-cpu-0000")
    done = collate_data([bundle.path], tmp_path / "out")
    assert {
        run: sum(
            cell["repetitions"]["completed"]
            for cell in done.summary["cells"]
            if cell["run_id"] == run
        )
        for run in ("r1", "r2")
    } == {"r1": 1, "r2": 1}
    assert "launches of several runs stand in it: r1, r2" in problem(done)["message"]


def test_a_launch_under_another_condition_than_its_bundle_is_left_out(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    edit(bundle.path / "results/r1" / LAUNCH / "launch.json", condition_id="0" * 16)
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 1, "invalid": 1}
    assert "it ran shape 1-cpu under condition 0000000000000000" in problem(done)["message"]


def test_launches_of_another_bundle_in_the_same_folder_are_left_out(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path / "a")
    other = a_bundle(tmp_path / "b", name="other", points=[{"n": 1}], repetitions=1)
    run_all(other)
    shutil.copytree(other.path / "results/r1" / SHARD, bundle.path / "results/r1/9-cpu-0000")
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2}
    assert any(other.bundle_id in one["message"] for one in done.summary["damage"])


def test_rows_outside_every_segment_are_counted_in_bytes(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    records = bundle.path / "results/r1" / LAUNCH / "records.0.1.jsonl"
    with records.open("a") as file:
        file.write('{"type": "metric"}\n')
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2}
    assert problem(done)["message"].startswith("19 bytes in it belong to no completed task")


def test_one_run_in_two_places_counts_once_when_one_holds_the_other(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    copy = tmp_path / "copy/r1"
    shutil.copytree(bundle.path / "results/r1", copy)
    journal = copy / LAUNCH / "events.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:2]))
    done = collate_data([bundle.path, tmp_path / "copy"], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2}
    assert f"copy/r1 holds a copy of {LAUNCH} and 1 more" in problem(done)["message"]


def test_shards_of_one_run_in_two_places_count_as_one_run(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    away = tmp_path / "scratch/r1"
    away.mkdir(parents=True)
    shutil.move(bundle.path / "results/r1/2-cpu-0000", away)
    done = collate_data([bundle.path, tmp_path / "scratch"], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2}
    assert "which hold different shards or launches" in problem(done)["message"]


def test_two_executions_of_one_name_in_two_places_both_stay_out(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    copy = tmp_path / "other-cluster/r1"
    shutil.copytree(bundle.path / "results/r1", copy)
    for path in copy.glob("*/*/launch.json"):
        edit(path, host="elsewhere")
    done = collate_data([bundle.path, tmp_path / "other-cluster"], tmp_path / "out")
    assert counts(done) == {"expected": 2, "invalid": 2}
    assert "nothing proves which is meant" in problem(done)["consequence"]
    copy.rename(copy.with_name("r1-elsewhere"))
    done = collate_data([bundle.path, tmp_path / "other-cluster"], tmp_path / "out")
    assert counts(done) == {"expected": 4, "completed": 4}


def test_a_copy_of_a_run_under_another_name_is_no_second_run(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run_all(bundle)
    results = bundle.path / "results"
    shutil.copytree(results / "r1", results / "a-copy")
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 1, "completed": 1}
    assert [run["run_id"] for run in done.summary["runs"]] == ["r1"]
    assert "a-copy holds a copy of 1-cpu-0000/launch-001 of r1" in problem(done)["message"]


def test_copies_that_contradict_each_other_both_stay_out(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    results = bundle.path / "results"
    shutil.copytree(results / "r1" / SHARD, results / "r2" / SHARD)
    journal = results / "r2" / LAUNCH / "events.jsonl"
    journal.write_text(journal.read_text().replace('"duration_s": 1.5', '"duration_s": 1.7'))
    done = collate_data([bundle.path], tmp_path / "out")
    first = [c for c in done.summary["cells"] if c["run_id"] == "r1"]
    assert [cell["repetitions"]["completed"] for cell in first] == [0, 1]
    assert any("contradict each other" in one["message"] for one in done.summary["damage"])


def test_a_bundle_that_ran_under_another_name_than_its_parent_is_told(tmp_path: Path) -> None:
    parent = two_shards(tmp_path)
    child = a_bundle(tmp_path, name="child", points=[{"n": 3}], parent=parent.bundle_id)
    run_all(child, "r2")
    done = collate_data([parent.path, child.path], tmp_path / "out")
    assert f"it ran as r2, and {parent.bundle_id}" in problem(done)["message"]
    assert "SPECC_RUN=r1" in problem(done)["consequence"]


def test_an_empty_folder_beside_a_bundle_is_named(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    done = collate_data([bundle.path, tmp_path / "empty"], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2}
    assert problem(done)["file"] == "empty"


def test_an_empty_folder_alone_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultsInvalid, match=r"looked for manifest\.json there") as caught:
        collate_data([tmp_path / "empty"], tmp_path / "out")
    assert "give the bundle's folder as well" in (caught.value.hint or "")


def test_links_that_lead_in_circles_are_named(tmp_path: Path) -> None:
    bundle = two_shards(tmp_path)
    results = bundle.path / "results"
    (results / "round").symlink_to(results / "round")
    (results / "r1" / "up").symlink_to(results)
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2}
    assert problem(done)["file"] == "results/round"


def test_bytes_that_are_no_text_are_damage_in_journals_and_rows(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [metric("time_s", 1.0)])
    launch.start(bundle.tasks[1])
    segment = launch.write(bundle.tasks[1], [process()])
    data = launch.records.read_bytes().replace(b'"process"', b'"proc\xffss"')
    launch.records.write_bytes(data)
    stretch = data[segment["offset"] :]
    segment["sha256"] = sha256(stretch)
    launch.event(
        "task_completed",
        task_id=bundle.tasks[1]["task_id"],
        attempt=1,
        slot=0,
        segments=[segment],
        duration_s=1.0,
        artefacts=[],
    )
    (launch.path / "output.0.log").write_bytes(b"\xff\xfe\x00 no text")
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 1, "invalid": 1}
    assert (problem(done)["file"], problem(done)["line"]) == (f"{LAUNCH}/records.0.1.jsonl", 4)


def test_duplicates_that_disagree_are_told_with_both_values(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    run = bundle.run()
    for value in (1.0, 2.0):
        launch = run.launch()
        launch.complete(bundle.tasks[0], [metric("time_s", value)], attempt=int(value))
        launch.complete(bundle.tasks[1], [metric("time_s", 5.0)], attempt=int(value))
        launch.end()
    done = collate_data([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 2, "duplicate": 2}
    assert done.summary["cells"][0]["metrics"]["time_s"]["run_values"] == [1.0]
    assert [one["reason"] for one in done.completeness["tasks"]["duplicate"]] == [
        f"{bundle.bundle_id} r1 1-cpu-0000/launch-002 attempt 2 (time_s 2 instead of 1)",
        f"{bundle.bundle_id} r1 1-cpu-0000/launch-002 attempt 2",
    ]
    assert problem(done)["message"].endswith(
        f"other values: task {bundle.tasks[0]['task_id']}: time_s 2 instead of 1"
    )


def test_duplicates_of_a_rerun_that_disagree_are_told(tmp_path: Path) -> None:
    parent = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run_all(parent)
    child = a_bundle(
        tmp_path, points=[{"n": 1}], repetitions=1, parent=parent.bundle_id, name="again"
    )
    run_all(child, value=2.0)
    done = collate_data([parent.path, child.path], tmp_path / "out")
    assert "(time_s 2 instead of 1)" in done.completeness["tasks"]["duplicate"][0]["reason"]
    assert problem(done)["message"].startswith(f"{child.bundle_id} completed work again")


def test_duplicates_with_several_values_are_compared_by_their_medians(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run = bundle.run()
    for attempt, values in enumerate(((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), start=1):
        launch = run.launch()
        rows = [metric("time_s", value, index=at) for at, value in enumerate(values)]
        launch.complete(bundle.tasks[0], rows, attempt=attempt)
        launch.end()
    done = collate_data([bundle.path], tmp_path / "out")
    [told] = done.completeness["tasks"]["duplicate"]
    assert told["reason"].endswith("(time_s 5 instead of 2)")
