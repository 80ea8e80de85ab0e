"""A plan in words and as data, and the difference between two studies."""

from __future__ import annotations

import json

from studies import a_study, expansion, plan

from specc.describe import plan_json, plan_text
from specc.difference import Study, diff, diff_json, diff_text, study_of_expansion

TEXT = """matrix:
  axes: {device: [cpu, cuda], batch: [1, 2, 64]}
  exclude: [{device: cpu, batch: {ge: 64}}]
task: {cpus: 2, memory: 1GiB, estimate: 30min, time_limit: 1h}
job: {cpus_per_node: 4, time_limit: 2h}
when: [{if: {device: cuda}, set: {task.gpus: 1, job.gpus_per_node: 2}}]
budget: {gpu_hours: 9}
"""


def test_plan_in_words() -> None:
    assert plan_text(plan(TEXT)).splitlines() == [
        "study (kind command, cluster: no cluster named, nothing checked)",
        "",
        "  axis    values",
        "  device  2       cpu, cuda",
        "  batch   3       1, 2, 64",
        "",
        "5 points x 1 repetition = 5 tasks",
        "",
        "1 point removed:",
        "  point                 reason",
        "  device=cpu, batch=64  exclude: device = cpu and batch >= 64",
        "",
        "job-1-cpu.sbatch: 2 tasks in 1 shard (environment default)",
        "  device: cpu; batch: 1, 2",
        "        nodes  GPUs  cores  memory  time limit",
        "  task  1      0     2      1GiB    01:00:00",
        "  job   1      0     4      2GiB    02:00:00",
        "  2 slots per job; fullest shard: 2 tasks / 2 = 1 wave",
        "  time: 1 wave x 30 min + 00:05:00 to start and stop = 00:35:00 <= 02:00:00",
        "",
        "job-2-gpu.sbatch: 3 tasks in 1 shard (environment default)",
        "  device: cuda",
        "        nodes  GPUs  cores  memory  time limit",
        "  task  1      1     2      1GiB    01:00:00",
        "  job   1      2     4      2GiB    02:00:00",
        "  2 slots per job; fullest shard: 3 tasks / 2 = 2 waves",
        "  time: 2 waves x 30 min + 00:05:00 to start and stop = 01:05:00 <= 02:00:00",
        "  job.max_running: 2 would use 2 jobs of 1 wave, 00:35:00 instead of 01:05:00",
        "",
        "time of all 2 jobs one after the other: 3 waves, 01:40:00",
        "GPU hours: at most 2.00 (budget 9) = 2-gpu: 1.00 h x 2",
        "core hours: at most 6.00 = 1-cpu: 0.50 h x 4 + 2-gpu: 1.00 h x 4",
    ]


def test_plan_as_data_is_json_with_units_in_its_names() -> None:
    found = json.loads(json.dumps(plan_json(plan(TEXT))))
    assert (found["points"], found["tasks"], found["not_run"]) == (5, 5, 0)
    assert found["removed"] == [
        {"axes": {"device": "cpu", "batch": 64}, "reason": "exclude: device = cpu and batch >= 64"}
    ]
    assert [shape["slots"] for shape in found["shapes"]] == [2, 2]
    assert found["shapes"][1]["work_s"] == 3600
    assert found["shapes"][1]["margin_s"] == 300
    assert found["gpu_hours"] == 2.0
    assert found["budget"] == {"gpu_hours": 9}


def test_plan_without_estimate_says_that_nothing_is_known() -> None:
    lines = plan_text(plan("task: {gpus: 1}\n")).splitlines()
    assert "  time: unknown without task.estimate" in lines
    assert "GPU hours: unknown without an estimate and a number of cores" in lines


def test_tasks_that_are_not_run_are_counted_with_their_reason() -> None:
    study = a_study("matrix: {axes: {d: [a, b]}}\n", only={"d": ("a",)}, reason="no GPU")
    assert "1 task will not be run: no GPU" in plan_text(study.plan)
    assert plan_json(study.plan)["not_run_reasons"] == ["no GPU"]


def test_long_lists_are_cut_and_say_so() -> None:
    text = "matrix: {axes: {n: {range: [1, 40]}}, exclude: [{n: {ge: 11}}]}\n"
    lines = plan_text(plan(text)).splitlines()
    assert "  n     40      1, 2, 3, 4, 5, 6, …, 40" in lines
    assert "  … and 10 more (all of them with --json)" in lines


def test_jobs_at_a_time_and_whole_nodes_are_said() -> None:
    text = "matrix: {axes: {n: [1, 2]}}\njob: {max_running: 2, exclusive: true}\ncluster: desk\n"
    found = plan_text(plan(text))
    assert "1 task / " not in found
    assert "at most 2 jobs at a time" in found
    assert "  job   1      0     all    -       01:00:00" in found
    assert "(environment default, partition debug)" in found


def test_difference_of_a_grown_study() -> None:
    old = study_of_expansion("a", expansion("matrix: {axes: {n: [1, 2]}}\n"))
    new = study_of_expansion("b", expansion("matrix: {axes: {n: [2, 3]}}\n"))
    found = diff(old, new)
    assert [new.tasks[each] for each in found.added] == ["n=3, repetition 0"]
    assert [old.tasks[each] for each in found.removed] == ["n=1, repetition 0"]
    assert [new.tasks[each] for each in found.kept] == ["n=2, repetition 0"]


def test_difference_in_words_and_as_data() -> None:
    found = diff(
        Study(name="a", tasks={"1": "x", "2": "y"}), Study(name="b", tasks={"2": "y", "3": "z"})
    )
    assert diff_text(found).splitlines() == [
        "a -> b: 1 added, 1 removed, 1 kept",
        "  + 3  z",
        "  - 1  x",
    ]
    assert diff_json(found) == {
        "old": "a", "new": "b", "added": [{"task_id": "3", "task": "z"}],
        "removed": [{"task_id": "1", "task": "x"}], "kept": ["2"]}  # fmt: skip


def test_long_difference_is_cut_and_says_so() -> None:
    new = Study(name="b", tasks={str(n): f"n={n}" for n in range(25)})
    assert diff_text(diff(Study(name="a", tasks={}), new)).splitlines()[-1] == (
        "  + … and 5 more (all of them with --json)"
    )


def test_short_hours_keep_their_digits() -> None:
    text = "matrix: {axes: {n: {range: [1, 15]}}}\ntask: {cpus: 1, estimate: 1s}\n"
    last = plan_text(plan(text)).splitlines()[-1]
    assert last == "core hours: at most 0.0042 = 1-cpu: 0.0042 h x 1"
