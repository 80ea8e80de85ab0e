"""What collate tells of fixtures and GPUs: shared without a daemon, set aside, started again."""

from __future__ import annotations

from pathlib import Path

import pytest
from results import ALaunch, a_bundle, metric

from specc.collate.pipeline import collate, collate_data
from specc.reporting.incident_tables import incident_table


def without_mps(launch: ALaunch) -> None:
    detail = {"reason": "nvidia-cuda-mps-control is not on PATH", "sharing": "without MPS"}
    launch.event("fixture", type="mps", state="failed", detail=detail)


def server(launch: ALaunch, state: str, **detail: object) -> None:
    launch.event("fixture", type="server", name="api", state=state, detail=detail or None)


def test_gpus_shared_without_mps_are_marked_in_every_document(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    run = bundle.run()
    for task, slurm in zip(bundle.tasks, ({}, {"SLURMD_NODENAME": "gpu-07"}), strict=True):
        launch = run.launch(slurm=slurm)
        without_mps(launch)
        launch.complete(task, [metric("time_s", 1.0)])
        launch.end()
    made = collate([bundle.path], tmp_path / "out")
    reason = "without MPS: nvidia-cuda-mps-control is not on PATH"
    assert [
        (one["what"], one["subject"], one["message"], one["host"])
        for one in made.summary["incidents"]
    ] == [("shared", "mps", reason, "node-1"), ("shared", "mps", reason, "gpu-07")]
    rows = [[entry["text"] for entry in row] for row in incident_table(made.summary)["rows"]]
    assert rows == [["mps", "GPUs shared without its help", reason, "2", "node-1; gpu-07"]]
    warning = "In 2 launches tasks had their GPUs without the MPS daemon that the spec asks for."
    for name in ("report.html", "report.md"):
        text = (made.out / name).read_text()
        assert warning in text
        assert "Fixtures and GPUs" in text


def test_server_that_was_started_again_and_gpu_that_was_set_aside(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    launch = bundle.run().launch()
    server(launch, "started", pid=7)
    server(launch, "healthy", after_s=0.5)
    server(launch, "failed", reason="it ended while tasks ran", tail=["Killed"])
    server(launch, "started", pid=8)
    server(launch, "healthy", after_s=0.5)
    launch.event("gpu_set_aside", gpu="GPU-abc", reason="2 tasks failed on it by themselves")
    server(launch, "stopped")
    launch.end()
    summary = collate_data([bundle.path], tmp_path / "out").summary
    assert [(one["what"], one["subject"], one["message"]) for one in summary["incidents"]] == [
        ("failed", "api", "it ended while tasks ran"),
        ("restarted", "api", "it was started again, and tasks went on"),
        ("set_aside", "GPU-abc", "2 tasks failed on it by themselves"),
    ]
    assert summary["fixtures"] == [
        {
            "fixture": "api",
            "type": "server",
            "started": 2,
            "healthy": 2,
            "failed": 1,
            "stopped": 1,
        }
    ]


@pytest.mark.parametrize("detail", ["it ended; attempts are forked from the pool now", None])
def test_failure_of_a_warm_parent_is_told_in_its_words(tmp_path: Path, detail: str | None) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    launch = bundle.run().launch()
    launch.event("fixture", type="warm_parent", state="failed", detail=detail)
    summary = collate_data([bundle.path], tmp_path / "out").summary
    (told,) = summary["incidents"]
    assert (told["what"], told["message"]) == ("failed", detail or "no reason is known")


def test_study_without_fixtures_has_no_such_section(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    bundle.run().launch().complete(bundle.tasks[0], [metric("time_s", 1.0)])
    made = collate([bundle.path], tmp_path / "out")
    assert (made.summary["fixtures"], made.summary["incidents"]) == ([], [])
    assert "Fixtures and GPUs" not in (made.out / "report.md").read_text()
