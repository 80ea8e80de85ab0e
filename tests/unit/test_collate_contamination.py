"""What hardware.jsonl proves against a time: others on the CPUs, others on the GPU, heat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from results import a_bundle, metric

from specc.collate.contamination import contaminated
from specc.collate.hardware import Samples
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
