"""From results on disk to the bottleneck in the summary: samples, Slurm's words, metrics, gaps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from results import a_bundle, metric

from specc.collate.pipeline import collate_data

SECOND = 1_000_000_000
LONG_S = 10
LEVELS = (1, 2, 4, 8, 16, 32)
NOISE = (0.99, 1.0, 1.01)
LOAD = {"axis": "concurrency", "throughput": "requests_per_s", "latency": "latency_ms",
        "latency_statistic": "mean"}  # fmt: skip
GPU = {"entry": "0", "uuid": "GPU-1", "memory_bytes": 80 * 2**30, "power_cap_w": 400.0}
HARDWARE = {
    "cpu": {"model": "x", "allowed_count": 4},
    "memory": {"total_bytes": 64 * 2**30},
    "limits": {"memory_bytes": None},
    "gpus": [GPU],
}
SCHEMA = Path(__file__).parents[2] / "schema" / "contract" / "summary.schema.json"
Row = Callable[[int, int], Mapping[str, Any]]
"""Load and second -> what a row of hardware.jsonl says beside its time."""


def share_of(load: int) -> float:
    return min(1.0, load / 8)


def idle(load: int, second: int) -> dict[str, Any]:
    """A row of a machine with nothing at its limit, counters at the rates of its load."""
    return {
        "cpu_util_pct": 10.0 + load / 10,
        "memory_available_bytes": 48 * 2**30,
        "rss_bytes": 2**30,
        "gpus": [],
        "counters": {
            "own_cpu_s": 0.3 * second,
            "own_major_faults": 0,
            "own_busiest_thread_pct": 20.0,
            "psi_cpu_some_s": 0.0,
            "psi_memory_some_s": 0.0,
            "psi_io_some_s": 0.0,
            "swap_in_bytes": 0,
            "swap_out_bytes": 0,
            "tcp_segments_sent": 1000 * second,
            "tcp_retransmits": 0,
            "disks": [{"name": "sda", "read_bytes": 0, "write_bytes": 0, "busy_s": 0.0}],
            "networks": [],
        },
    }


def a_sweep(
    tmp_path: Path,
    row: Row | None,
    *,
    analysis: Mapping[str, Any] | None = None,
    gpu: str | None = None,
    more: Callable[[int], list[dict[str, Any]]] = lambda _: [],
    **launch: Any,
) -> dict[str, Any]:
    """Collate a load sweep that saturates at 8; each level is timed for ten seconds, thrice."""
    bundle = a_bundle(
        tmp_path,
        points=[{"concurrency": load} for load in LEVELS],
        spec={"analysis": {"load": LOAD, **(analysis or {})}},
    )
    made = bundle.run().launch(hardware=HARDWARE, **launch)
    samples = []
    for place, task in enumerate(bundle.tasks):
        load, start = task["axes"]["concurrency"], place * (LONG_S + 2)
        rate = min(100.0 * load, 800.0) * NOISE[task["repetition"]]
        process = {
            **{"type": "process", "exit_code": 0, "wall_s": float(LONG_S), "user_s": 3.0},
            **{"system_s": 0.0, "max_rss_bytes": 2**20, "t_ns": (start + LONG_S) * SECOND},
        }
        rows = [metric("requests_per_s", rate, "1/s", "higher"),
                metric("latency_ms", 1000 * load / rate, "ms"), *more(load), process]  # fmt: skip
        made.start(task)
        made.event(
            "task_completed",
            **{"task_id": task["task_id"], "attempt": 1, "slot": 0, "duration_s": 10.0},
            **{"segments": [made.write(task, rows)], "artefacts": []},
        )
        samples += [
            {"t_ns": (start + second) * SECOND, **(row or idle)(load, second)}
            for second in range(1, LONG_S)
        ]
    if gpu is not None:
        _put_on_gpu(made.path / "events.jsonl", gpu)
    if row is not None:
        text = "".join(json.dumps(one) + "\n" for one in samples)
        (made.path / "hardware.jsonl").write_text(text)
    summary = collate_data([bundle.path], tmp_path / "out").summary
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    schema = json.loads(SCHEMA.read_text())
    for one in [*written["bottleneck"], *(curve["bottleneck"] for curve in written["load"])]:
        rule = {**schema["$defs"]["bottleneck"], "$defs": schema["$defs"]}
        assert [error.message for error in Draft202012Validator(rule).iter_errors(one)] == []
    return dict(summary)


def _put_on_gpu(journal: Path, gpu: str) -> None:
    journal.write_text(journal.read_text().replace('"gpu": null', f'"gpu": "{gpu}"'))


def of_curve(summary: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = summary["load"][0]["bottleneck"]
    return found


def busy_cpus(load: int, second: int) -> dict[str, Any]:
    row = idle(load, second)
    row["cpu_util_pct"] = 99.0 * share_of(load)
    row["counters"]["own_cpu_s"] = 4 * 0.97 * share_of(load) * second
    return row


def test_cpus_that_fill_up_at_the_knee_are_the_bottleneck(tmp_path: Path):
    summary = a_sweep(tmp_path, busy_cpus)
    found = of_curve(summary)
    assert (found["class"], found["resource"], found["confidence"]) == ("cpu-bound", "cpu", "high")
    assert found["evidence"][:3] == [
        "CPUs busy 99 % at concurrency 8, against 49.5 % at concurrency 4 (limit 90 %)",
        "CPUs kept busy by this launch 97 % at concurrency 8, against 48.5 % at"
        " concurrency 4 (limit 85 %)",
        "Throughput 800 1/s at concurrency 8 against 400 1/s at concurrency 4: +100.0 % for each"
        " doubling of the load (flat up to 5 %)",
    ]
    assert "Host memory used 25 % at concurrency 8" in " ".join(found["evidence"])
    assert summary["bottleneck"] == []


def test_other_limits_of_the_spec_count(tmp_path: Path):
    limits = {"cpu_util_pct": 100, "own_cpu_pct": 100}
    summary = a_sweep(tmp_path, busy_cpus, analysis={"bottleneck": {"thresholds": limits}})
    assert of_curve(summary)["class"] == "queueing"


def test_a_gpu_that_fills_up_at_the_knee_is_the_bottleneck(tmp_path: Path):
    def busy_gpu(load: int, second: int) -> dict[str, Any]:
        entry = {"uuid": "GPU-1", "util_pct": 98.0 * share_of(load), "power_w": 200.0,
                 "memory_used_bytes": 40 * 2**30, "throttle": []}  # fmt: skip
        return {**idle(load, second), "gpus": [entry, {"uuid": "GPU-2", "util_pct": 100.0}]}

    found = of_curve(a_sweep(tmp_path, busy_gpu, gpu="0"))
    assert (found["class"], found["confidence"]) == ("gpu-bound", "high")
    assert found["evidence"][0].startswith("GPU busy 98 % at concurrency 8, against 49 %")
    assert "GPU power of its cap 50 % at" not in found["evidence"][0]


@pytest.mark.parametrize(
    ("counters", "kind", "told"),
    [
        (
            lambda load, second: {"disks": [{"name": "sda", "read_bytes": 0, "write_bytes": 0,
                                             "busy_s": 0.96 * share_of(load) * second}]},
            "network-io",
            "Busiest disk busy 96 %",
        ),
        (
            lambda load, second: {"networks": [{"name": "ib0", "tx_bytes": 0,
                                                "rx_bytes": int(90 * share_of(load) * second),
                                                "limit_bytes_per_s": 100.0}]},
            "network-io",
            "Busiest network link filled 90 %",
        ),
        (
            lambda load, second: {"tcp_retransmits": 30 * second if load >= 8 else 0},
            "network-io",
            "TCP segments sent again 3 %",
        ),
        (
            lambda load, second: {"own_major_faults": 500 * second if load >= 8 else 0},
            "memory-bound",
            "Pages fetched from disk 500 pages/s",
        ),
        (
            lambda load, second: {"swap_out_bytes": 2**22 * second if load >= 8 else 0},
            "memory-bound",
            "Swapped 4 MiB/s",
        ),
        (
            lambda load, second: {"cgroup_psi_memory_some_s": 0.4 * second if load >= 8 else 0},
            "memory-bound",
            "Tasks waited for memory in 40 % of the time",
        ),
        (
            lambda load, second: {"cgroup_cpu_periods": 10 * second,
                                  "cgroup_cpu_throttled": 2 * second if load >= 8 else 0,
                                  "cgroup_cpu_throttled_s": 0.0},
            "cpu-bound",
            "CPU limit of the control group met in 20 % of periods",
        ),
        (
            lambda load, second: {"own_busiest_thread_pct": 99.0 * share_of(load)},
            "cpu-bound",
            "Busiest thread kept its core busy in 99 % of the time",
        ),
    ],
)  # fmt: skip
def test_counters_become_evidence(
    tmp_path: Path, counters: Callable[[int, int], dict[str, Any]], kind: str, told: str
):
    def row(load: int, second: int) -> dict[str, Any]:
        one = idle(load, second)
        return {**one, "counters": {**one["counters"], **counters(load, second)}}

    found = of_curve(a_sweep(tmp_path, row))
    assert found["class"] == kind
    assert found["evidence"][0].startswith(f"{told} at concurrency 8")


def test_host_memory_is_the_most_that_was_in_use(tmp_path: Path):
    def row(load: int, second: int) -> dict[str, Any]:
        free = 64 * 2**30 * (1 - 0.97 * share_of(load))
        return {**idle(load, second), "memory_available_bytes": int(free)}

    found = of_curve(a_sweep(tmp_path, row))
    assert found["class"] == "memory-bound"
    assert found["evidence"][0].startswith("Host memory used 97 % at concurrency 8")


def test_a_metric_stands_for_what_no_sensor_sees(tmp_path: Path):
    named = {"bottleneck": {"metrics": {"queue_length": "waiting"}}}
    summary = a_sweep(
        tmp_path,
        idle,
        analysis=named,
        more=lambda load: [metric("waiting", 12.0 if load >= 8 else 0.0, "requests")],
    )
    found = of_curve(summary)
    assert (found["class"], found["resource"]) == ("queueing", "service")
    assert found["evidence"][0].startswith(
        "Requests waiting 12 requests at concurrency 8, against 0 "
    )


def test_a_metric_with_the_name_of_a_statistic_needs_no_declaration(tmp_path: Path):
    summary = a_sweep(
        tmp_path,
        busy_cpus,
        more=lambda load: [metric("client_cpu_pct", 95.0 * share_of(load), "%")],
    )
    assert of_curve(summary)["class"] == "client-limited"
    assert of_curve(summary)["evidence"][0].startswith("Client CPU busy 95 % at concurrency 8")


def test_without_samples_nothing_is_named_and_the_gaps_are_listed(tmp_path: Path):
    found = of_curve(a_sweep(tmp_path, None))
    assert (found["class"], found["confidence"]) == ("undetermined", None)
    assert any("cpu_util_pct" in gap and "nothing was sampled" in gap for gap in found["missing"])
    assert any("client_cpu_pct" in gap and "no metric gives it" in gap for gap in found["missing"])
    assert not any("gpu_util_pct" in gap for gap in found["missing"])


def test_results_of_an_older_runtime_have_less_evidence(tmp_path: Path):
    def old(load: int, second: int) -> dict[str, Any]:
        return {"cpu_util_pct": 99.0 * share_of(load), "gpus": [], "rss_bytes": 5}

    found = of_curve(a_sweep(tmp_path, old))
    # its processes took 3 s of CPU time: that others kept four CPUs busy is known all the same
    assert (found["class"], found["confidence"]) == ("undetermined", None)
    assert "other work used the machine at 5 of 6 levels" in found["reason"]
    assert any("not sampled by the runtime that ran it" in gap for gap in found["missing"])


def test_the_reason_of_a_missing_sensor_is_the_launchs_own(tmp_path: Path):
    def row(load: int, second: int) -> dict[str, Any]:
        one = idle(load, second)
        del one["counters"]["psi_io_some_s"]
        said = [{"sensor": "psi_io_some_s", "reason": "this kernel has no pressure"}]
        return {**one, "unavailable": said}

    assert "io_wait_pct: this kernel has no pressure" in of_curve(a_sweep(tmp_path, row))["missing"]


def a_study(tmp_path: Path, row: Row) -> Any:
    """A study without load, one launch for each point; its summary's `bottleneck`."""
    bundle = a_bundle(
        tmp_path, points=[{"size": 1}, {"size": 2}], repetitions=1,
        shape_of=lambda axes: f"{axes['size']}-cpu",
    )  # fmt: skip
    run = bundle.run()
    for task in bundle.tasks:
        made = run.launch(task["shape"], hardware=HARDWARE)
        process = {"type": "process", "exit_code": 0, "wall_s": 10.0, "user_s": 3.0,
                   "system_s": 0.0, "max_rss_bytes": 9, "t_ns": 10 * SECOND}  # fmt: skip
        made.complete(task, [metric("time_s", 10.0), process])
        load = task["axes"]["size"] * 8 - 8
        rows = [{"t_ns": second * SECOND, **row(load, second)} for second in range(1, 10)]
        text = "".join(json.dumps(one) + "\n" for one in rows)
        (made.path / "hardware.jsonl").write_text(text)
    return bundle


def told(bundle: Any, out: Path) -> list[dict[str, Any]]:
    return list(collate_data([bundle.path], out).summary["bottleneck"])


def test_points_of_a_study_without_load_are_grouped_by_their_answer(tmp_path: Path):
    bundle = a_study(tmp_path, busy_cpus)
    idle_group, busy_group = told(bundle, tmp_path / "out")
    assert (idle_group["class"], idle_group["axes"]) == ("undetermined", {"size": 1})
    assert idle_group["reason"] == "no measured resource was at its limit"
    assert (busy_group["class"], busy_group["axes"]) == ("cpu-bound", {"size": 2})
    assert (busy_group["cells"], busy_group["confidence"]) == (["c0002"], "medium")
    assert busy_group["evidence"][0] == "CPUs busy 99 % at size 2 (limit 90 %)"


SACCT = (
    "JobID|JobIDRaw|State|ExitCode|Elapsed|ElapsedRaw|AllocCPUS|TotalCPU|MaxRSS|NodeList\n"
    "501_0|501|COMPLETED|0:0|00:01:40|100|4|00:06:20||n1\n"
    "501_0.batch|501.batch|COMPLETED|0:0|00:01:40|100|4|00:06:20|1048576K|n1\n"
)


def with_slurms_words(tmp_path: Path, sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    """Attribute points of these sizes that one job measured, of which only Slurm knows more."""
    bundle = a_bundle(tmp_path, points=[{"size": size} for size in sizes], repetitions=1)
    run = bundle.run()
    made = run.launch(hardware=HARDWARE)
    for task in bundle.tasks:
        made.complete(task, [metric("time_s", 10.0)])
    (run.path / "jobs.tsv").write_text("job.sbatch\t501\n")
    (run.path / "slurm").mkdir()
    (run.path / "slurm" / "501.sacct.txt").write_text(SACCT)
    return told(bundle, tmp_path / "out")


def test_slurms_words_fill_the_gap_where_a_job_measured_one_point(tmp_path: Path):
    (group,) = with_slurms_words(tmp_path, (1,))
    assert (group["class"], group["confidence"]) == ("cpu-bound", "low")
    assert group["evidence"][0] == (
        "CPUs kept busy by this launch 95 % at size 1 (limit 85 %; counted by Slurm over the"
        " whole job)"
    )


def test_what_a_job_used_for_several_points_belongs_to_none_of_them(tmp_path: Path):
    (group,) = with_slurms_words(tmp_path, (1, 2))
    assert (group["class"], group["cells"]) == ("undetermined", ["c0001", "c0002"])
    assert group["reason"] == "nothing was measured that could show a limit"


def test_an_attempt_that_ran_out_of_memory_is_evidence(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"size": 1}], repetitions=2)
    made = bundle.run().launch(hardware=HARDWARE)
    made.complete(bundle.tasks[0], [metric("time_s", 1.0)])
    made.fail(bundle.tasks[1], category="oom_host")
    (group,) = told(bundle, tmp_path / "out")
    assert group["class"] == "memory-bound"
    assert group["evidence"][0] == (
        "Attempts or processes ended for memory: 1 in all at size 1 (limit 1 in all)"
    )
