"""What damaged journals, launch.json and samples cost, and what they don't."""

from __future__ import annotations

from pathlib import Path

from results import a_bundle, metric
from test_collate_read import counts

from specc.collate.pipeline import collate_data as collate


def test_a_damaged_journal_costs_only_its_own_shard(tmp_path: Path):
    bundle = a_bundle(
        tmp_path,
        points=[{"n": 1}, {"n": 2}],
        repetitions=1,
        shape_of=lambda axes: f"{axes['n']}-cpu",
    )
    run = bundle.run()
    for task in bundle.tasks:
        run.launch(task["shape"]).complete(task, [metric("time_s", 1.0)])
    (run.path / "1-cpu-0000/launch-001/events.jsonl").write_text("{}\n{}\n")
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 2, "completed": 1, "invalid": 1}
    damage = done.summary["damage"][0]
    assert (damage["file"], damage["line"]) == ("r1/1-cpu-0000/launch-001/events.jsonl", 1)


def test_a_flipped_byte_in_a_journal_costs_only_what_no_other_launch_proves(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": n} for n in range(4)], repetitions=1)
    run, tasks = bundle.run(), bundle.tasks
    first, second = run.launch(), run.launch()
    for task in tasks[:2]:
        first.complete(task, [metric("time_s", 1.0)])
    second.complete(tasks[2], [metric("time_s", 2.0)])
    second.fail(tasks[3], message="no such file")
    journal = first.path / "events.jsonl"
    data = bytearray(journal.read_bytes())
    data[data.index(b'"task_completed"')] ^= 1  # in the middle: line 3 of 5
    journal.write_bytes(bytes(data))
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 4, "completed": 1, "failed": 1, "invalid": 2}
    reason = done.completeness["tasks"]["invalid"][0]["reason"]
    assert reason.startswith("r1/1-cpu-0000/launch-001/events.jsonl:3 can't be read (")
    assert reason.endswith(") and no other launch tells")
    damage = done.summary["damage"]
    assert [(d["file"], d["line"], d["consequence"]) for d in damage] == [
        ("r1/1-cpu-0000/launch-001/events.jsonl", 3, "its tasks count by what other launches prove")
    ]


def test_what_a_later_launch_completed_again_outlives_a_damaged_journal(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run = bundle.run()
    first, second = run.launch(), run.launch()
    first.complete(bundle.tasks[0], [metric("time_s", 1.0)])
    second.complete(bundle.tasks[0], [metric("time_s", 2.0)], attempt=2)
    (first.path / "events.jsonl").write_text("nonsense\n")
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 1, "completed": 1}
    assert done.summary["cells"][0]["metrics"]["time_s"]["run_values"] == [2.0]


def test_a_damaged_launch_json_costs_no_result(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    run = bundle.run()
    first, second = run.launch(), run.launch()
    first.complete(bundle.tasks[0], [metric("time_s", 1.0)])
    (second.path / "launch.json").write_text("{")
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 1, "completed": 1}
    assert done.summary["damage"][0]["consequence"] == (
        "machine and environment of this launch are unknown"
    )


def test_damaged_samples_cost_no_result(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [metric("time_s", 1.0)])
    (launch.path / "hardware.jsonl").write_text('{"t_ns": "soon"}\n')
    done = collate([bundle.path], tmp_path / "out")
    assert counts(done) == {"expected": 1, "completed": 1}
    damage = done.summary["damage"][0]
    assert (damage["file"], damage["line"]) == ("r1/1-cpu-0000/launch-001/hardware.jsonl", 1)
    assert damage["consequence"] == (
        "nothing is known of what else used the machine in this launch"
    )
