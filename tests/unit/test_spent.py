"""What a study cost: jobs, cores and hours from launches, attempts and how many failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from results import START_NS, a_bundle, metric, process

from specc.collate.pipeline import collate
from specc.reporting.sections import whole

HOUR_NS = 3600 * 10**9
USAGE = {"max_rss_bytes": 1, "user_s": 30.0, "system_s": 6.0}


def a_run(root: Path, *, ends: bool = True, usage: bool = True) -> Any:
    """Collate two tasks: one completed in 1.5 s, one failed after 0.5 s, in a launch of 2 h."""
    bundle = a_bundle(root, points=[{"n": 1}, {"n": 2}], repetitions=1)
    launch = bundle.run().launch()
    told = {"usage": USAGE} if usage else {}
    launch.complete(bundle.tasks[0], [process(), metric("time_s", 1.0)], **told)
    launch.fail(bundle.tasks[1], t_ns=HOUR_NS, epoch_ns=START_NS + HOUR_NS)
    if ends:
        # a clock that was set back in the meantime changes nothing
        launch.event("launch_ended", exit_code=1, reason=None, counts={}, t_ns=2 * HOUR_NS)
    return collate([bundle.path], root / "out")


def test_hours_are_those_of_launches_by_their_own_clock(tmp_path: Path) -> None:
    found = a_run(tmp_path).summary["spent"]
    assert (found["launches"], found["cut_off"]) == (1, 0)
    assert found["job_hours"] == 2.0
    assert (found["core_hours"], found["gpu_hours"]) == (4.0, 0.0)


def test_attempts_are_counted_with_those_that_failed(tmp_path: Path) -> None:
    found = a_run(tmp_path).summary["spent"]
    assert (found["attempts"], found["failed_attempts"], found["failed_attempts_pct"]) == (2, 1, 50)
    assert found["attempt_hours"] == pytest.approx(2.0 / 3600)
    assert found["cpu_hours"] == pytest.approx(36 / 3600)


def test_a_launch_without_an_end_counts_up_to_its_last_word(tmp_path: Path) -> None:
    found = a_run(tmp_path, ends=False).summary["spent"]
    assert (found["cut_off"], found["job_hours"]) == (1, 1.0)


def test_what_was_not_recorded_is_null_with_its_reason(tmp_path: Path) -> None:
    found = a_run(tmp_path, usage=False).summary["spent"]
    assert found["cpu_hours"] is None
    assert found["reasons"] == {"cpu_hours": "not recorded by the runtime that ran it"}


def test_every_document_tells_the_cost(tmp_path: Path) -> None:
    done = a_run(tmp_path)
    text = (
        "1 launch took 2 h, 4 core h. 2 attempts ran for 2 s, 36 s of CPU time; "
        "1 of them (50 %) ended without a result."
    )
    assert whole.cost(done.summary) == text
    assert text in (done.out / "report.md").read_text("utf-8")
    assert text in (done.out / "report.html").read_text("utf-8")
    assert json.loads((done.out / "report.json").read_text("utf-8"))["spent"]["attempts"] == 2


def test_a_bundle_that_never_ran_has_cost_nothing(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    done = collate([bundle.path], tmp_path / "out")
    assert done.summary["spent"]["launches"] == 0
    assert whole.cost(done.summary) == ""
