"""Which stretch of which file `specc logs` takes for what an attempt printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from results import ABundle, ALaunch, a_bundle, process

from specc.problems import SpeccError
from specc.watching.find import target
from specc.watching.log_words import as_json, failed_text, task_text
from specc.watching.logs import Run, read_run, require_tasks


def a_study(root: Path) -> ABundle:
    return a_bundle(root, points=({"size": 1}, {"size": 2}, {"size": 10}), repetitions=1)


def the_run(bundle: ABundle) -> Run:
    return read_run(target(bundle.path))


def printed(launch: ALaunch, task: dict[str, Any], text: str, attempt: int = 1) -> dict[str, Any]:
    """Append to the output file as the node does; returns where it stands."""
    path = launch.path / "output.0.log"
    data = f"== task {task['task_id']} attempt {attempt}\n{text}".encode()
    offset = path.stat().st_size if path.exists() else 0
    with path.open("ab") as file:
        file.write(data)
    return {"file": path.name, "offset": offset, "bytes": len(data)}


def texts(run: Run, task: dict[str, Any]) -> list[str]:
    logs = run.logs(run.state.tasks[task["task_id"]])
    return [output.text() for log in logs for output in log.outputs]


def test_attempts_of_one_slot_are_told_apart(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    first, second, _ = bundle.tasks
    launch.fail(first, output=printed(launch, first, "one"))
    launch.fail(second, output=printed(launch, second, "two\n"))
    run = the_run(bundle)
    assert (texts(run, first), texts(run, second)) == (["one"], ["two\n"])


def test_a_task_that_prints_like_a_title_keeps_its_text(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    text = f"a\n== task {'0' * 16} attempt 1\nb\n"
    launch.fail(bundle.tasks[0], output=printed(launch, bundle.tasks[0], text))
    assert texts(the_run(bundle), bundle.tasks[0]) == [text]


def test_journals_without_places_are_read_by_titles(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    for task in bundle.tasks[:2]:
        printed(launch, task, f"size {task['axes']['size']}\n")
        launch.complete(task, [process()])
    assert texts(the_run(bundle), bundle.tasks[0]) == ["size 1\n"]
    assert texts(the_run(bundle), bundle.tasks[1]) == ["size 2\n"]


def test_what_a_running_or_cut_attempt_printed_so_far(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    place = {"file": "output.0.log", "offset": 0, "bytes": 0}
    launch.event(
        "task_started", task_id=bundle.tasks[0]["task_id"], attempt=1, slot=0, pid=7, gpu=None,
        neighbours=[], output=place,
    )  # fmt: skip
    assert texts(the_run(bundle), bundle.tasks[0]) == []
    printed(launch, bundle.tasks[0], "so far")
    assert texts(the_run(bundle), bundle.tasks[0]) == ["so far"]


def test_ranks_of_a_wide_task_have_files_of_their_own(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    launch.fail(bundle.tasks[0], output=printed(launch, bundle.tasks[0], "rank 0\n"))
    title = f"== task {bundle.tasks[0]['task_id']} attempt 1\n"
    (launch.path / "output.0.rank1.log").write_text(f"{title}rank 1\n")
    assert texts(the_run(bundle), bundle.tasks[0]) == ["rank 0\n", "rank 1\n"]


@pytest.mark.parametrize(
    ("selectors", "sizes"), [(["size=1"], [1]), (["size=2", "repetition=0"], [2])]
)
def test_tasks_are_chosen_by_axes(tmp_path: Path, selectors: list[str], sizes: list[int]) -> None:
    run = the_run(a_study(tmp_path))
    found = require_tasks(run, selectors)
    assert [run.rows[task.task_id].axes["size"] for task in found] == sizes


def test_tasks_are_chosen_by_the_start_of_their_id(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    (found,) = require_tasks(the_run(bundle), [bundle.tasks[1]["task_id"][:7]])
    assert found.task_id == bundle.tasks[1]["task_id"]


def test_no_such_task_names_the_axes(tmp_path: Path) -> None:
    with pytest.raises(SpeccError) as raised:
        require_tasks(the_run(a_study(tmp_path)), ["width=3"])
    assert raised.value.hint is not None
    assert raised.value.hint.endswith("an axis of: size")


def test_the_text_tells_the_cause_the_place_and_the_lines(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    slurm = {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "0"}
    launch = bundle.run().launch(slurm=slurm)
    (bundle.path / "slurm-12_0.out").touch()
    launch.fail(bundle.tasks[0], output=printed(launch, bundle.tasks[0], "boom\n"))
    run = the_run(bundle)
    task = run.state.tasks[bundle.tasks[0]["task_id"]]
    text = task_text(run, task, run.logs(task))
    for words in (
        "size=1: failed", "attempt 1: failed (program) after 0:00", "node node-1",
        "hint: read output.0.log", "slurm-12_0.out", "  | boom",
    ):  # fmt: skip
        assert words in text
    assert as_json(run, [task], number=None)["tasks"][0]["attempts"][0]["outputs"][0]["text"] == (
        "boom\n"
    )


def test_one_attempt_of_several(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    launch.fail(bundle.tasks[0], attempt=1)
    launch.complete(bundle.tasks[0], [process()], attempt=2)
    run = the_run(bundle)
    task = run.state.tasks[bundle.tasks[0]["task_id"]]
    assert [log.attempt.outcome for log in run.logs(task)] == ["failed", "completed"]
    assert [log.attempt.outcome for log in run.logs(task, number=2)] == ["completed"]


def test_all_failed_with_their_last_lines(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    launch.fail(bundle.tasks[0])
    launch.complete(bundle.tasks[1], [process()])
    run = the_run(bundle)
    head, named, line = failed_text(run, run.failed()).splitlines()
    assert head.endswith("run r1: 1 failed")
    assert named.endswith("size=1: program: the program ended with exit code 1")
    assert line == "  | boom"
