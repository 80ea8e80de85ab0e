"""What hardware.jsonl proves against a time: others on the CPUs, others on the GPU, heat."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from results import a_bundle, metric

from specc.collate.evidence.contamination import contaminated
from specc.collate.evidence.hardware import Samples
from specc.collate.pipeline import collate_data as collate
from specc.collate.values import TaskResult
from specc.kinds.base import Window

SECOND = 1_000_000_000
UUID = "GPU-1"
CPUS = {"cpu": {"model": "x", "allowed_count": 4}, "gpus": [{"entry": "0", "uuid": UUID}]}


def collated(tmp_path: Path, *, util_pct: float | None, wall_s: float, cpu_s: float) -> Any:
    """One run of a program from second 10 on, sampled every second; its summary."""
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=2)
    launch = bundle.run().launch(hardware=CPUS)
    for task in bundle.tasks:
        process = {
            "type": "process", "exit_code": 0, "wall_s": wall_s, "user_s": cpu_s, "system_s": 0.0,
            "max_rss_bytes": 2**20, "t_ns": int((10 + wall_s) * SECOND),
        }  # fmt: skip
        launch.complete(task, [metric("time_s", wall_s), process])
    with (launch.path / "hardware.jsonl").open("w") as file:
        for second in range(5, 25):
            row = {"t_ns": second * SECOND, "cpu_util_pct": util_pct, "gpus": []}
            file.write(json.dumps(row) + "\n")
    return collate([bundle.path], tmp_path / "out").summary


def test_cpu_time_that_the_program_did_not_use_was_used_by_others(tmp_path: Path):
    # 4 CPUs at 75 %: 3 busy for 8 s, 24 CPU seconds; the program used 8 of them
    summary = collated(tmp_path, util_pct=75.0, wall_s=8.0, cpu_s=8.0)
    metrics = summary["cells"][0]["metrics"]
    assert metrics["time_s"]["verdict"] == "CONTAMINATED"
    assert metrics["time_s"]["verdict_reason"] == (
        "others kept at least 2.0 of 4 CPUs busy while this was timed"
    )
    assert metrics["process.max_rss_bytes"]["verdict"] == "VALID"


@pytest.mark.parametrize(
    ("util_pct", "wall_s", "cpu_s"),
    [
        (75.0, 8.0, 24.0),  # all of it our own
        (35.0, 8.0, 8.0),  # 0.4 CPUs too many: services
        (100.0, 0.9, 0.1),  # no two samples within it
        (None, 8.0, 0.1),  # not measured
    ],
)
def test_load_that_proves_nothing_is_not_held_against_a_time(
    tmp_path: Path, util_pct: float | None, wall_s: float, cpu_s: float
):
    summary = collated(tmp_path, util_pct=util_pct, wall_s=wall_s, cpu_s=cpu_s)
    assert summary["cells"][0]["verdict"] == "VALID"


def on_gpu(*rows: dict[str, Any], own_on_gpu: bool = True, gpu: str | None = "0") -> Any:
    """What is held against a task on GPU 0 that was timed from second 0 to 10."""
    samples = Samples(
        t_ns=tuple((n + 1) * SECOND for n in range(len(rows))),
        cpu_util_pct=(None,) * len(rows),
        gpus=tuple(({"uuid": UUID, **row},) for row in rows),
    )
    window = Window(
        task=0, attempt=1, start_ns=0, end_ns=10 * SECOND, cpu_s=None, own_on_gpu=own_on_gpu
    )
    launch = {"path": "run", "shard_id": "s-0000", "launch": "launch-001", "hardware": CPUS}
    key = ("run", "s-0000/launch-001")
    return contaminated([a_task(gpu)], [window], {key: samples}, [launch])


def a_task(gpu: str | None) -> TaskResult:
    return TaskResult(
        task_id="0" * 16, lineage="b", bundle_id="b", run_id="r1", condition_id="c", axes={},
        repetition=0, settings={}, state="completed", reason=None, attempt=1, attempts=1,
        launch="s-0000/launch-001", gpu=gpu, duration_s=1.0, failure=None, run_path="run",
        segments=(),
    )  # fmt: skip


def test_other_processes_on_the_gpu_are_counted():
    held = on_gpu({"foreign_processes": 0}, {"foreign_processes": 2}, {"foreign_processes": 1})
    assert held == {0: (("CONTAMINATED", "2 other processes on the GPU in 2 of 3 samples"),)}


def test_processes_are_no_evidence_where_our_own_could_not_be_told_from_them():
    assert on_gpu({"foreign_processes": 1}, own_on_gpu=False) == {}


def test_a_gpu_of_somebody_else_is_no_matter():
    assert on_gpu({"foreign_processes": 1}, gpu=None) == {}


def test_heat_is_evidence_and_an_ordinary_power_limit_is_not():
    held = on_gpu({"throttle": ["sw_power_cap"]}, {"throttle": ["hw_thermal_slowdown", "gpu_idle"]})
    reason = "the GPU was slowed (hw_thermal_slowdown) in 1 of 2 samples"
    assert held == {0: (("CONTAMINATED", reason),)}


def counted(
    *counters: dict[str, Any] | None, util_pct: float = 100.0, **changes: Any
) -> dict[int, tuple[tuple[str, str], ...]]:
    """What is held against a task without GPU whose launch read these counters, one a second."""
    samples = Samples(
        t_ns=tuple((n + 1) * SECOND for n in range(len(counters))),
        cpu_util_pct=(util_pct,) * len(counters),
        gpus=((),) * len(counters),
        counters=counters,
    )
    window = Window(
        task=0, attempt=1, start_ns=0, end_ns=20 * SECOND, cpu_s=changes.pop("cpu_s", None),
        own_on_gpu=False,
    )  # fmt: skip
    task = replace(a_task(None), beside=changes.pop("beside", ()))
    launch = {"path": "run", "shard_id": "s-0000", "launch": "launch-001", "hardware": CPUS}
    key = ("run", "s-0000/launch-001")
    return contaminated([task], [window], {key: samples}, [{**launch, **changes}])


def growing(name: str, a_second: float, seconds: int = 10) -> tuple[dict[str, Any], ...]:
    return tuple({name: a_second * n} for n in range(seconds))


def test_what_the_launch_did_not_use_itself_was_used_by_others():
    # 4 of 4 CPUs busy; the launch used 2.5
    assert counted(*growing("own_cpu_s", 2.5)) == {
        0: (
            (
                "CONTAMINATED",
                "others kept 1.5 of 4 CPUs busy while this was timed (4.0 were busy, 2.5 of them"
                " by this launch)",
            ),
        )
    }


def test_all_threads_may_be_busy_when_they_are_our_own():
    # the bound of a kind that counts all its threads as busy says nothing here, the count does
    assert counted(*growing("own_cpu_s", 3.8)) == {}
    assert counted(*growing("own_cpu_s", 1.0), cpu_s=80.0) != {}


@pytest.mark.parametrize(
    ("group", "ours"),
    [
        ("/system.slice/slurmstepd.scope/job_7/step_0/user/task_0", True),
        ("/slurm/uid_0/job_7/step_batch", True),
        ("/user.slice/user-0.slice", False),  # Slurm without control groups
        ("/slurm/uid_0/job_77/step_0", False),
        (None, False),
    ],
)
def test_what_the_group_of_the_job_used_is_ours(group: str | None, ours: bool):
    rows = [{"own_cpu_s": 0.1 * n, "cgroup_cpu_s": 3.9 * n} for n in range(10)]
    hardware = {**CPUS, "limits": {"cpu_cgroup": group}}
    held = counted(*rows, slurm={"SLURM_JOB_ID": "7"}, hardware=hardware)
    assert (held == {}) == ours


def test_other_tasks_of_the_launch_are_no_part_of_the_task():
    held = counted(*growing("own_cpu_s", 4.0), cpu_s=9.0, beside=("f" * 16,))
    reason = "others kept at least 3.0 of 4 CPUs busy while this was timed"
    assert held == {0: (("CONTAMINATED", reason),)}


def test_one_reading_of_the_counters_proves_nothing():
    assert counted({"own_cpu_s": 0.0}, None, None) == {}


@pytest.mark.parametrize(("stopped", "waited_s", "held"), [(4, 1.0, True), (0.4, 1.0, False),
                                                           (4, 0.005, False)])  # fmt: skip
def test_a_cpu_limit_that_stops_the_job_often_and_long_is_named(
    stopped: float, waited_s: float, held: bool
):
    rows = [
        {
            "own_cpu_s": 4.0 * n,
            "cgroup_cpu_periods": 10 * n,
            "cgroup_cpu_throttled": stopped * n,
            "cgroup_cpu_throttled_s": waited_s * n,
        }
        for n in range(11)
    ]
    reason = (
        "the CPU limit of the control group stopped the job in 40 of 100 periods"
        " (10.0 s of waiting in 10.0 s)"
    )
    assert counted(*rows) == ({0: (("CONTAMINATED", reason),)} if held else {})


def test_a_cpu_slowed_for_heat_is_named():
    held = counted({"cpu_throttles": 3, "own_cpu_s": 0.0}, {"cpu_throttles": 3, "own_cpu_s": 4.0},
                   {"cpu_throttles": 8, "own_cpu_s": 8.0})  # fmt: skip
    reason = "the CPU was slowed down for heat 5 times while this was timed"
    assert held == {0: (("CONTAMINATED", reason),)}
