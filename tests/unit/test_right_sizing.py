"""What shapes asked for against what their attempts used: rows, proposals, GO and NO-GO."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from results import START_NS, ABundle, a_bundle, process

from specc.collate.evidence.hardware import Samples
from specc.collate.pipeline import collate
from specc.pilot.measured import _cores, _gpus, _memory, _Seen
from specc.pilot.proposals import Proposal, advice, duration_text, propose, size_text
from specc.pilot.verdict import judge
from specc_runtime.contract.runs import AttemptState

MIB, GIB = 2**20, 2**30
MARGINS = {"time": 1.2, "memory": 1.3}


def a_row(*, gpus: float = 0, **used: Any) -> dict[str, Any]:
    """Return a row of summary.json; `used` overrides what was measured."""
    asked = {
        "gpus": gpus, "gpu_memory_bytes": 40 * GIB, "cpus": 8, "memory_bytes": 32 * GIB,
        "estimate_s": 600, "time_limit_s": 1800,
    }  # fmt: skip
    measured = {
        "duration_max_s": 100.0, "memory_bytes": 3 * GIB, "cores_max": 0.9, "gpu_util_pct": 30.0,
        "gpu_memory_bytes": 8 * GIB, "gpu_total_bytes": 80 * GIB, "gpu_task_memory_bytes": 8 * GIB,
    }  # fmt: skip
    counts = {key: used.pop(key, 0) for key in ("failed", "oom")}
    return {
        "shape": "1-cpu", "attempts": 2, "slots": 1, "asked": asked, "used": {**measured, **used},
        "reasons": {name: "not seen" for name, value in used.items() if value is None}, **counts,
    }  # fmt: skip


def proposals(row: dict[str, Any], *, alone: bool = False) -> dict[str, Proposal]:
    return {one.field: one for one in propose(row, MARGINS, alone=alone)}


def ran(bundle: ABundle, *, usage: dict[str, Any] | None, rss: int | None = None) -> ABundle:
    """Complete every task of a bundle, each in 6 s. rss: of the only sample of the machine."""
    launch = bundle.run().launch()
    for task in bundle.tasks:
        launch.start(task)
        segment = launch.write(task, [process()])
        told = {} if usage is None else {"usage": usage}
        launch.event(
            "task_completed", task_id=task["task_id"], attempt=1, slot=0, segments=[segment],
            duration_s=6.0, artefacts=[], **told,
        )  # fmt: skip
    launch.end()
    if rss is not None:
        sample = {"t_ns": 1, "epoch_ns": START_NS, "cpu_util_pct": 5.0, "rss_bytes": rss}
        (launch.path / "hardware.jsonl").write_text(json.dumps({**sample, "gpus": []}) + "\n")
    return bundle


def summary_of(bundle: ABundle, out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (collate([bundle.path], out).out / "summary.json").read_text()
    )
    return found


USAGE = {"max_rss_bytes": 100 * MIB, "user_s": 4.0, "system_s": 2.0}


def test_row_says_what_was_asked_and_used(tmp_path: Path) -> None:
    bundle = ran(a_bundle(tmp_path, repetitions=1), usage=USAGE, rss=150 * MIB)
    (row,) = summary_of(bundle, tmp_path / "out")["right_sizing"]
    assert (row["shape"], row["tasks"], row["attempts"]) == ("1-cpu", 3, 3)
    assert (row["asked"]["cpus"], row["asked"]["estimate_s"]) == (2, 60)
    used = row["used"]
    assert (used["duration_max_s"], used["cores_max"]) == (6.0, 1.0)
    assert (used["process_rss_bytes"], used["job_rss_bytes"]) == (100 * MIB, 150 * MIB)
    # one slot: all that the job held was one task's
    assert used["memory_bytes"] == 150 * MIB
    assert row["reasons"]["duration_p95_s"] == "needs 59 independent samples, has 3"


def test_runs_of_an_older_runtime_are_null_with_a_reason(tmp_path: Path) -> None:
    bundle = ran(a_bundle(tmp_path, repetitions=1), usage=None)
    (row,) = summary_of(bundle, tmp_path / "out")["right_sizing"]
    assert row["used"]["memory_bytes"] is None
    assert row["reasons"]["memory_bytes"] == "not recorded by the runtime that ran it"
    assert [one["value"] for one in row["proposals"]] == [8.0, None]


def test_bundle_that_has_not_run_has_no_row_in_the_report(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path)
    out = collate([bundle.path], tmp_path / "out").out
    assert "Right-sizing" not in (out / "report.md").read_text()


def test_report_and_table_give_the_advice(tmp_path: Path) -> None:
    bundle = ran(a_bundle(tmp_path, repetitions=1), usage=USAGE)
    out = collate([bundle.path], tmp_path / "out").out
    said = "ask 8s as the estimate, not 60s; ask 192MiB of memory; ask 1 of 2 cores"
    for name in ("report.md", "report.html"):
        assert said.replace("60s", "1min") in (out / name).read_text()
    with (out / "tables" / "right_sizing.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["proposed_task_memory"], row["used_process_rss_bytes"]) == ("192MiB", "104857600")


WIDE = {"slots": 1, "task": {"nodes": 2, "processes_per_node": 2}}


def an_attempt(outcome: str, usage: dict[str, Any] | None) -> AttemptState:
    """An attempt of 10 s in the only launch."""
    return AttemptState(
        attempt=1, launch="a/b", slot=0, gpu=None, neighbours=(), outcome=outcome,
        started_epoch_ns=0, duration_s=10.0, segments=(), failure=None, progress=None,
        artefacts=(), usage=usage,
    )  # fmt: skip


def test_wide_tasks_have_the_memory_of_their_fullest_node() -> None:
    reasons: dict[str, str] = {}
    told = {"max_rss_bytes": 6 * GIB, "user_s": 50.0, "system_s": 10.0}
    # of the one whose leader was killed only the leader itself is known
    killed = {"max_rss_bytes": 9 * GIB, "user_s": 0.1, "system_s": 0.1}
    seen = _Seen(attempts=[an_attempt("completed", told), an_attempt("failed", killed)])
    used = _memory(WIDE, seen, {}, reasons)
    assert (used["memory_bytes"], used["process_rss_bytes"]) == (6 * GIB, None)
    cores = _cores(WIDE["task"], seen.attempts, reasons)
    # 60 s in 10 s are 6 cores, of four processes
    assert cores == {"cores_mean": 1.5, "cores_max": None}
    summed = "known of all processes of a task together, not of each"
    assert (reasons["process_rss_bytes"], reasons["cores_max"]) == (summed, summed)


def test_without_a_word_of_its_leader_a_wide_task_has_no_memory() -> None:
    reasons: dict[str, str] = {}
    seen = _Seen(attempts=[an_attempt("failed", None)], launches={("r1", "a/b"): 1})
    samples = {
        ("r1", "a/b"): Samples(t_ns=(1,), cpu_util_pct=(None,), gpus=((),), rss_bytes=(GIB,))
    }
    assert _memory(WIDE, seen, samples, reasons)["memory_bytes"] is None
    assert reasons["memory_bytes"] == "not recorded by the runtime that ran it"


def test_gpus_are_measured_while_they_work_and_shared_by_their_tasks() -> None:
    utils, peaks = (0.0, 60.0, 0.0, 40.0, 0.0), (1, 10, 10, 9, 1)
    samples = Samples(
        t_ns=(1, 2, 3, 4, 5),
        cpu_util_pct=(None,) * 5,
        gpus=tuple(
            (
                {"uuid": "GPU-a", "util_pct": util, "memory_used_bytes": peak * GIB},
                {"uuid": "GPU-idle", "util_pct": 0.0, "memory_used_bytes": MIB},
            )
            for util, peak in zip(utils, peaks, strict=True)
        ),
    )
    sharing = AttemptState(
        attempt=1, launch="1-gpu-0000/launch-001", slot=0, gpu="0", neighbours=("f" * 16,),
        outcome="completed", started_epoch_ns=0, duration_s=5.0, segments=(), failure=None,
        progress=None, artefacts=(),
    )  # fmt: skip
    key = ("run", sharing.launch)
    seen = _Seen(attempts=[sharing], launches={key: 2}, gpu_bytes={"GPU-a": 80 * GIB})
    assert _gpus({"task": {"gpus": 0.5}}, seen, {key: samples}, {}) == {
        "gpu_memory_bytes": 10 * GIB,
        "gpu_total_bytes": 80 * GIB,
        "gpu_util_pct": 100 / 3,
        "gpu_task_memory_bytes": 5 * GIB,
    }


def test_memory_is_the_peak_with_a_margin_rounded_up() -> None:
    found = proposals(a_row())["task.memory"]
    assert (found.text, found.differs) == ("4GiB", True)
    assert found.why == "peak of 2 attempts 3 GiB x 1.3"


def test_advice_names_both_sizes() -> None:
    row = a_row()
    assert list(advice(row, tuple(proposals(row).values()))) == [
        "ask 2min as the estimate, not 10min",
        "ask 4GiB of memory, not 32GiB",
        "ask 1 of 8 cores: at most 0.9 were busy",
    ]


def test_value_that_is_about_right_is_left_alone() -> None:
    assert not proposals(a_row(memory_bytes=20 * GIB))["task.memory"].differs


def test_more_than_asked_is_proposed() -> None:
    found = proposals(a_row(memory_bytes=30 * GIB))["task.memory"]
    assert (found.text, found.differs) == ("39GiB", True)


def test_no_size_is_proposed_after_running_out_of_memory() -> None:
    found = proposals(a_row(oom=1, failed=1))["task.memory"]
    assert found.value is None
    assert "the need is above the peak" in found.why


def test_gpu_is_shared_as_far_as_memory_and_time_allow() -> None:
    found = proposals(a_row(gpus=1))["task.gpus"]
    assert (found.value, found.text) == (0.33, "0.33")
    assert found.why == "7 fit by memory (80 GiB / 10.4 GiB), 3 by time (30 % busy with one task)"


def test_busy_gpu_is_left_to_one_task() -> None:
    found = proposals(a_row(gpus=1, gpu_util_pct=80.0))["task.gpus"]
    assert (found.value, found.differs) == (1, False)


def test_share_that_is_too_small_is_widened() -> None:
    row = a_row(gpus=0.5, gpu_util_pct=90.0, gpu_task_memory_bytes=60 * GIB)
    found = proposals(row)["task.gpus"]
    assert (found.value, found.differs) == (1, True)


@pytest.mark.parametrize("changes", [{"gpu_util_pct": None}, {"gpu_total_bytes": None}])
def test_no_share_without_its_measurements(changes: dict[str, Any]) -> None:
    assert proposals(a_row(gpus=1, **changes))["task.gpus"].value is None


def test_kind_that_measures_shares_no_gpu() -> None:
    assert proposals(a_row(gpus=1), alone=True)["task.gpus"].value is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1s"), (11, "15s"), (61, "65s"), (130, "2.5min"), (3601, "1.25h"), (40000, "12h")],
)
def test_durations_are_rounded_up(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(1, "64MiB"), (65 * MIB, "128MiB"), (1.1 * GIB, "1.5GiB"), (9e9, "9GiB")]
)
def test_sizes_are_rounded_up(size: float, text: str) -> None:
    assert size_text(size) == text


def a_limit(metric: str, **limit: float) -> dict[str, Any]:
    return {"metric": metric, **limit}


def test_go_needs_every_limit_kept() -> None:
    limits = [a_limit("oom", le=0), a_limit("gpu_util_pct", gt=80), a_limit("duration_s", lt=1800)]
    good = a_row(gpus=1, gpu_util_pct=85.0)
    assert judge([good], limits, complete=True)[0] == "GO"
    answer, checks = judge([a_row(gpus=1)], limits, complete=True)
    assert answer == "NO-GO"
    assert [check.line for check in checks if not check.passed] == [
        "FAIL: 1-cpu: gpu_util_pct > 80: 30 %"
    ]


def test_limits_on_gpus_hold_for_shapes_with_gpus() -> None:
    rows = [a_row(), a_row(gpus=1, gpu_util_pct=90.0)]
    assert judge(rows, [a_limit("gpu_util_pct", gt=80)], complete=True)[0] == "GO"


def test_what_was_not_measured_is_no_go_ahead() -> None:
    row = a_row(gpus=1, gpu_util_pct=None)
    answer, (check,) = judge([row], [a_limit("gpu_util_pct", gt=80)], complete=True)
    assert (answer, check.reason) == ("INCONCLUSIVE", "not seen")


def test_tasks_still_to_come_make_it_inconclusive_but_a_failure_decides() -> None:
    limits = [a_limit("failed", le=0)]
    assert judge([a_row()], limits, complete=False)[0] == "INCONCLUSIVE"
    assert judge([a_row(failed=1)], limits, complete=False)[0] == "NO-GO"


def test_share_of_the_memory_asked_for_is_in_percent() -> None:
    _, (check,) = judge([a_row()], [a_limit("memory_pct", lt=90)], complete=True)
    assert check.value == 100 * 3 / 32
