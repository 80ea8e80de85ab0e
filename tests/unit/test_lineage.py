"""Collate takes a bundle, its reruns and its growth as one study, and no more than these."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from reruns import SPEC, a_study, again, done, failed_all, known, the_next
from results import ABundle, metric, process

from specc.collate.facts import reproducibility
from specc.collate.pipeline import collate, collate_data
from specc.collate.values import Collated, ResultsInvalid, Source
from specc.pipeline import NothingLeft, compile_spec
from specc.rerun.done import read_done

OOM = "on_failure: {oom_host: {task.memory: x2, attempts: 3}}\n"
WIDER = SPEC.replace("[1, 2, 4]", "[1, 2, 4, 8]")


def counts(made: Collated) -> dict[str, int]:
    return {k: v for k, v in made.completeness.items() if k != "tasks" and v}


def half_failed(folder: Path) -> tuple[ABundle, ABundle]:
    """Return a bundle of which one task failed for memory, and its child, which did it."""
    bundle = a_study(folder, OOM)
    launch = bundle.run().launch()
    done(launch, bundle.tasks[0])
    done(launch, bundle.tasks[1])
    launch.fail(bundle.tasks[2], "oom_host")
    launch.end()
    child = the_next(again(bundle.path))
    launch = child.run().launch()
    done(launch, child.tasks[0])
    launch.end()
    return bundle, child


def attempts(made: Collated) -> list[dict[str, Any]]:
    return pl.read_parquet(made.out / "tables/attempts.parquet").to_dicts()


def test_a_task_that_the_child_did_is_completed_and_keeps_its_condition(tmp_path: Path) -> None:
    bundle, child = half_failed(tmp_path)
    made = collate_data([bundle.path, child.path], tmp_path / "out")
    assert counts(made) == {"expected": 3, "completed": 3}
    assert {cell["condition_id"] for cell in made.summary["cells"]} == {bundle.conditions["1-cpu"]}
    # the launch itself tells the truth: more memory is another condition
    assert child.conditions["1-cpu"] != bundle.conditions["1-cpu"]


def test_the_order_of_the_paths_changes_nothing(tmp_path: Path) -> None:
    bundle, child = half_failed(tmp_path)
    one = collate_data([bundle.path, child.path], tmp_path / "one").summary
    other = collate_data([child.path, bundle.path], tmp_path / "other").summary
    assert one == other


def test_the_child_alone_brings_its_parent_from_beside_it(tmp_path: Path) -> None:
    _, child = half_failed(tmp_path)
    assert counts(collate_data([child.path], tmp_path / "out")) == {"expected": 3, "completed": 3}


def test_a_parent_that_is_not_there_is_told(tmp_path: Path) -> None:
    bundle, child = half_failed(tmp_path)
    alone = tmp_path / "alone" / child.path.name
    alone.parent.mkdir()
    child.path.rename(alone)
    made = collate_data([alone], tmp_path / "out")
    assert counts(made) == {"expected": 1, "completed": 1}
    (damage,) = made.summary["damage"]
    assert damage["message"].startswith(f"it continues {bundle.bundle_id}, which was not given")


def test_every_attempt_stays_in_a_table(tmp_path: Path) -> None:
    bundle, child = half_failed(tmp_path)
    rows = attempts(collate_data([bundle.path, child.path], tmp_path / "out"))
    third = [row for row in rows if row["task_id"] == bundle.tasks[2]["task_id"]]
    assert [(r["bundle_id"], r["outcome"], r["category"], r["counts"]) for r in third] == [
        (bundle.bundle_id, "failed", "oom_host", False),
        (child.bundle_id, "completed", None, True),
    ]
    assert len(rows) == 4
    assert [json.loads(row["cure"])["category"] for row in rows if row["cure"]] == ["oom_host"]


def test_a_cure_is_flagged_beside_the_number(tmp_path: Path) -> None:
    bundle, child = half_failed(tmp_path)
    made = collate([bundle.path, child.path], tmp_path / "out")
    cured = [cell["cured"] for cell in made.summary["cells"]]
    assert [len(each) for each in cured] == [0, 0, 1]
    note = "1 ran with task.memory 64GiB → 128GiB: cure of oom_host by on_failure"
    for name in ("report.md", "report.html"):
        assert note in (made.out / name).read_text()


def test_runs_of_other_names_stay_apart(tmp_path: Path) -> None:
    bundle, child = half_failed(tmp_path)
    launch = bundle.run("r2").launch()
    for task in bundle.tasks:
        launch.fail(task)
    launch.end()
    made = collate_data([bundle.path, child.path], tmp_path / "out")
    assert counts(made) == {"expected": 6, "completed": 3, "failed": 3}


def test_rows_that_a_rerun_did_again_replace_damaged_ones(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    # a hash that fits and a row that does not: a word where a number belongs
    launch.complete(bundle.tasks[0], [{**metric("time_s", 1.0), "value": "fast"}, process()])
    done(launch, bundle.tasks[1])
    done(launch, bundle.tasks[2])
    launch.end()
    found = again(bundle.path)
    assert [choice.cause for choice in found.choices] == ["invalid", "completed", "completed"]
    child = the_next(found)
    launch = child.run().launch()
    done(launch, child.tasks[0])
    launch.end()
    made = collate_data([bundle.path, child.path], tmp_path / "out")
    assert counts(made)["completed"] == 3
    values = pl.read_parquet(made.out / "tables/metrics.parquet")["value"].to_list()
    assert values == [1.0, 1.0, 1.0]


def test_a_grown_study_runs_the_new_points_only_and_collates_as_one(tmp_path: Path) -> None:
    bundle, child = half_failed(tmp_path)
    grown = known_grown(tmp_path, bundle.path, child.path)
    reasons = [task["not_run"] for task in grown.tasks]
    assert reasons == [
        f"done in {bundle.bundle_id} run r1",
        f"done in {bundle.bundle_id} run r1",
        f"done in {child.bundle_id} run r1",
        None,
    ]
    launch = grown.run().launch()
    done(launch, grown.tasks[3])
    launch.end()
    made = collate_data([bundle.path, child.path, grown.path], tmp_path / "out")
    assert counts(made) == {"expected": 4, "completed": 4}
    sizes = [cell["axes"]["size"] for cell in made.summary["cells"]]
    assert sorted(sizes) == [1, 2, 4, 8]


def known_grown(folder: Path, *results: Path) -> ABundle:
    spec = WIDER + "task: {memory: 64GiB, estimate: 1min, time_limit: 10min}\n"
    path = folder / "wider.yaml"
    path.write_text(spec + "job: {time_limit: 1h}\n" + OOM)
    return known(compile_spec(path, out=folder / "build", grown=read_done(results)).path)


def test_a_grown_study_continues_the_newest_bundle(tmp_path: Path) -> None:
    bundle, child = half_failed(tmp_path)
    grown = known_grown(tmp_path, bundle.path, child.path)
    found = json.loads((grown.path / "manifest.json").read_text())["predicate"]
    assert found["parent_bundle_id"] == child.bundle_id
    assert found["tasks"]["runnable"] == 1


def test_a_grown_study_can_be_run_again(tmp_path: Path) -> None:
    bundle, child = half_failed(tmp_path)
    grown = known_grown(tmp_path, bundle.path, child.path)
    failed_all(grown, "cancelled")
    last = the_next(again(bundle.path, child.path, grown.path))
    assert [task["axes"]["size"] for task in last.tasks] == [8]


def test_all_done_is_no_mistake_and_no_bundle(tmp_path: Path) -> None:
    bundle, child = half_failed(tmp_path)
    with pytest.raises(NothingLeft, match="all 3 tasks are done"):
        a_study(tmp_path / "again", OOM, grown=read_done([bundle.path, child.path]))


def test_a_task_done_under_another_condition_is_told(tmp_path: Path) -> None:
    bundle, _ = half_failed(tmp_path)
    path = tmp_path / "more.yaml"
    path.write_text(WIDER + "task: {memory: 65GiB, estimate: 1min}\n")
    made = compile_spec(path, out=tmp_path / "build", grown=read_done([bundle.path]))
    told = [problem.message for problem in made.problems if problem.code == "W322"]
    assert [text.partition(" (")[0] for text in told] == [
        "2 tasks were done under another condition"
    ]


def test_two_studies_are_no_line(tmp_path: Path) -> None:
    one, other = (a_study(tmp_path / name, spec=SPEC + f"purpose: {name}\n") for name in "ab")
    for bundle in (one, other):
        failed_all(bundle, "program")
    with pytest.raises(ResultsInvalid, match="these are results of 2 studies"):
        again(one.path, other.path)


def test_the_report_s_commands_run_parents_first_and_the_run_is_named_once(tmp_path: Path) -> None:
    bundle, child = half_failed(tmp_path)
    made = collate([bundle.path, child.path], tmp_path / "out")
    summary = json.loads((made.out / "summary.json").read_text())
    verified = [line for line in summary["reproduce"] if line.startswith("specc verify")]
    assert verified == [f"specc verify {bundle.bundle_id}", f"specc verify {child.bundle_id}"]
    assert "r1, r1" not in (made.out / "report.html").read_text()


def test_the_report_s_commands_start_every_array(tmp_path: Path) -> None:
    shape = {"script": "job-1-cpu.sbatch", "name": "1-cpu"}
    arrays = [
        {"script": "job-1-cpu.sbatch", "first": 0, "count": 4},
        {"script": "job-1-cpu-2.sbatch", "first": 4, "count": 2},
    ]
    source = Source(
        bundle_id="study-0123456789ab",
        path=tmp_path,
        manifest={"shapes": [{**shape, "arrays": arrays}]},
        manifest_sha256="0" * 64,
        spec_sha256=None,
        compile_info={},
        tasks=(),
        parent=None,
    )
    started = [line for line in reproducibility([source], []) if "sbatch job" in line]
    assert started == [
        "(cd study-0123456789ab && SPECC_RUN=r1 sbatch job-1-cpu.sbatch)",
        "(cd study-0123456789ab && SPECC_RUN=r1 sbatch job-1-cpu-2.sbatch)",
    ]
