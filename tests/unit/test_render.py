"""What the texts of a bundle say, and that shell scripts get their values as values."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from bundling import SETTINGS, a_job_shape, a_plan, a_spec, a_task_shape

from specc.bundling.shell import Directive, directives, shell_value, slurm_time
from specc.model import EnvironmentFact, Fixture, Json, Plan
from specc.stages.render import render


def texts(plan: Plan) -> dict[str, str]:
    files = render(plan, rooms=("kinds/command",))
    return {f.path: f.content.decode() for f in files if f.content is not None}


def an_environment(**description: Json) -> EnvironmentFact:
    return EnvironmentFact(
        name="box",
        mode=description.get("mode", "container"),
        python=None,
        platform=None,
        accelerator=None,
        requirements="",
        wheels=(),
        description={"mode": "container", **description},
    )


def sbatch_lines(plan: Plan) -> list[str]:
    return [line for line in texts(plan)["job.sbatch"].splitlines() if line.startswith("#SBATCH")]


def test_a_job_asks_slurm_for_its_shape(tmp_path: Path) -> None:
    job = a_job_shape(
        nodes=2,
        gpus_per_node=4,
        cpus_per_node=16,
        memory_bytes=3 * 2**30 + 1,
        time_limit_s=90061,
        max_running=8,
        exclusive=True,
        partition="gpu",
        sbatch=(("account", "p1"), ("comment", "two words"), ("contiguous", "")),
    )
    assert sbatch_lines(a_plan(tmp_path, tasks=3, shards=3, job=job)) == [
        "#SBATCH --job-name=study-1-cpu",
        "#SBATCH --output=slurm-%A_%a.out",
        "#SBATCH --open-mode=append",
        "#SBATCH --array=0-2%8",
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=1",
        "#SBATCH --time=1-01:01:01",
        "#SBATCH --signal=B:USR1@120",
        "#SBATCH --requeue",
        "#SBATCH --cpus-per-task=16",
        "#SBATCH --mem=3073M",
        "#SBATCH --gpus-per-node=4",
        "#SBATCH --exclusive",
        "#SBATCH --partition=gpu",
        "#SBATCH --account=p1",
        '#SBATCH --comment="two words"',
        "#SBATCH --contiguous",
    ]


def test_sbatch_lines_stand_before_the_first_command(tmp_path: Path) -> None:
    lines = texts(a_plan(tmp_path))["job.sbatch"].splitlines()
    assert lines[0] == "#!/bin/bash"
    first_command = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any(line.startswith("#SBATCH") for line in lines[first_command:])


def test_a_short_job_gets_its_warning_in_time(tmp_path: Path) -> None:
    job = a_job_shape(time_limit_s=60)
    assert "#SBATCH --signal=B:USR1@15" in sbatch_lines(a_plan(tmp_path, job=job))


def test_no_requeue_replaces_requeue(tmp_path: Path) -> None:
    job = a_job_shape(sbatch=(("no-requeue", ""),))
    lines = sbatch_lines(a_plan(tmp_path, job=job))
    assert "#SBATCH --no-requeue" in lines
    assert "#SBATCH --requeue" not in lines


@pytest.mark.parametrize("value", ["a\nb", "a;b\n#SBATCH --x", "$(id)", "ü"])
def test_a_directive_outside_the_allow_list_is_our_mistake(tmp_path: Path, value: str) -> None:
    job = a_job_shape(sbatch=(("account", value),))
    shape = a_plan(tmp_path, job=job).shapes[0]
    with pytest.raises(ValueError, match="allow-list"):
        directives("study", shape, shape.arrays[0])


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [(1, "00:00:01"), (59.2, "00:01:00"), (3600, "01:00:00"), (86400, "1-00:00:00")],
)
def test_slurm_spells_durations_in_days_and_clock(seconds: float, spelled: str) -> None:
    assert slurm_time(seconds) == spelled


@pytest.mark.parametrize("text", ["x'; rm -rf ~ #", "$(id)", "`id`", "two words", "ü\nline", "!"])
def test_a_shell_value_comes_back_unchanged(text: str) -> None:
    script = f"printf %s {shell_value(text)}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == text


@pytest.mark.parametrize("value", [None, True, 1.5, ["a"], "nul\0"])
def test_only_text_and_whole_numbers_reach_a_script(value: object) -> None:
    with pytest.raises(TypeError):
        shell_value(value)


def test_a_directive_is_not_quoted() -> None:
    assert shell_value(Directive("#SBATCH --comment=a b")) == "#SBATCH --comment=a b"


def test_every_script_is_valid_shell(tmp_path: Path) -> None:
    for name, text in texts(a_plan(tmp_path)).items():
        if name.endswith((".sh", ".sbatch")):
            shell = "bash" if name.endswith(".sbatch") else "sh"
            subprocess.run([shell, "-n"], input=text.encode(), check=True)


def test_tasks_keep_hostile_values(tmp_path: Path) -> None:
    settings = {
        "quotes": "'\"`",
        "command": "$(id); rm -rf /",
        "lines": "a\nb\r\tc\\",
        "unicode": "ü 𝄞 \u2028 \x7f",
        "long": "x" * 65536,
        "number": 0.1,
        "tiny": 1e-7,
        "large": 2**60,
    }
    line = texts(a_plan(tmp_path, tasks=1, settings=settings))["tasks.jsonl"]
    assert line.count("\n") == 1
    assert json.loads(line)["settings"] == {**settings, "large": str(2**60)}


def test_a_task_line_is_canonical(tmp_path: Path) -> None:
    line = texts(a_plan(tmp_path, tasks=1))["tasks.jsonl"]
    assert line == (
        '{"axes":{"n":0},"index":0,"not_run":null,"position":0,"repetition":0,'
        '"settings":{"argv":["true"]},"shape":"1-cpu","shard":"1-cpu-0000",'
        '"task_id":"0000000000000000"}\n'
    )


def test_other_kinds_rooms_stay_at_home(tmp_path: Path) -> None:
    plan = a_plan(tmp_path)
    paths = [f.path for f in render(plan, rooms=("kinds/command",))]
    assert "runtime/specc_runtime/kinds/command/run.py" in paths
    assert "runtime/specc_runtime/kinds/__init__.py" in paths
    assert "runtime/specc_runtime/contract/manifest.py" in paths
    assert not [p for p in paths if "/kinds/inference/" in p or "/specc_runtime/ml/" in p]
    assert [p for p in (f.path for f in render(plan, rooms=("kinds/x", "ml"))) if "/ml/" in p]


def test_modules_of_site_and_environment_are_loaded_in_this_order(tmp_path: Path) -> None:
    spec = a_spec(tmp_path, profile={"modules": ["env/release"], "python": "/opt/python"})
    environment = an_environment(mode="inherit", modules=["Python/3.11"])
    text = texts(a_plan(tmp_path, spec=spec, environment=environment))["job.sbatch"]
    assert text.index("\nload env/release\n") < text.index("\nload Python/3.11\n")
    assert "site_python=/opt/python" in text


def test_a_container_is_called_with_binds_and_the_driver(tmp_path: Path) -> None:
    environment = an_environment(image="/i/a b.sif", binds=["/data"], overlay="/o.img", nv=None)
    plan = a_plan(tmp_path, environment=environment, task=a_task_shape(gpus=1))
    text = texts(plan)["job.sbatch"]
    assert "image='/i/a b.sif'" in text
    assert 'exec --nv --bind /data --overlay /o.img:ro --bind "$bundle"' in text


def test_a_container_sees_the_folder_of_an_mps_daemon(tmp_path: Path) -> None:
    environment, task = an_environment(image="/i.sif", nv=None), a_task_shape(gpus=0.5)
    plan = a_plan(tmp_path, environment=environment, task=task)
    assert "--bind /tmp" not in texts(plan)["job.sbatch"]
    (shape,) = plan.shapes
    shape = replace(shape, fixtures=(Fixture(type="mps", options={}),))
    assert "exec --nv --bind /tmp --bind" in texts(replace(plan, shapes=(shape,)))["job.sbatch"]


def test_a_reference_is_called_by_its_digest(tmp_path: Path) -> None:
    digest = "sha256:" + "a" * 64
    environment = an_environment(image="docker://x/y", digest=digest, nv=False)
    text = texts(a_plan(tmp_path, environment=environment))["job.sbatch"]
    assert f"image=docker://x/y@{digest}" in text
    assert "image_sha256=''" in text


def test_the_resolved_spec_names_places_in_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("x\n")
    spec = a_spec(
        tmp_path,
        settings=SETTINGS,
        inputs=[{"name": "data", "path": str(tmp_path / "data.txt"), "at": "desk"}],
        environment={"cpu": {"mode": "inherit", "find_links": [str(tmp_path)]}},
        cluster=f"{tmp_path}/site.yaml",
        include=["/home/me/common.yaml"],
    )
    text = texts(a_plan(tmp_path, spec=spec))["spec.resolved.yaml"]
    assert "path: inputs/data\n" in text
    assert "cluster: site\n" in text
    assert str(tmp_path) not in text
    assert "/home/me" not in text
