"""Builders: a plan and a bundle, with defaults so that a test shows only what matters."""

from __future__ import annotations

from pathlib import Path

from specc.model import (
    Array,
    Document,
    EnvironmentFact,
    Expansion,
    Facts,
    JobShape,
    Json,
    Plan,
    Shape,
    Shard,
    SourceFile,
    Spec,
    Task,
    TaskShape,
)
from specc.sealed import Bundle
from specc.stages.render import render
from specc.stages.seal import seal
from specc.stages.survey import survey
from specc.stages.write import write

SETTINGS = {"argv": ["true"]}


def a_spec(root: Path, **data: Json) -> Spec:
    source = SourceFile(path=root / "spec.yaml", shown="spec.yaml", text="name: study\n")
    document = Document(
        source=source,
        sources={"spec.yaml": source},
        data={},
        key_marks={},
        value_marks={},
        profile=None,
    )
    profile = data.pop("profile", None)
    base = {"schema_version": 1, "name": "study", "kind": "command", "purpose": "a test"}
    return Spec(
        document=document,
        name="study",
        kind="command",
        data={**base, **data},
        settings_schema={},
        profile=profile,
        only={},
        only_reason=None,
        root=root,
    )


def a_task_shape(**changes: Json) -> TaskShape:
    base: dict[str, Json] = {
        "gpus": 0,
        "gpu_memory_bytes": None,
        "cpus": 1,
        "memory_bytes": None,
        "estimate_s": None,
        "time_limit_s": 60,
    }
    return TaskShape(**{**base, **changes})


def a_job_shape(**changes: Json) -> JobShape:
    base: dict[str, Json] = {
        "nodes": 1,
        "gpus_per_node": 0,
        "cpus_per_node": 1,
        "memory_bytes": None,
        "time_limit_s": 3600,
        "max_running": None,
        "exclusive": False,
        "partition": None,
        "sbatch": (),
    }
    return JobShape(**{**base, **changes})


def a_task(index: int, **changes: Json) -> Task:
    base: dict[str, Json] = {
        "task_id": f"{index:016x}",
        "index": index,
        "axes": {"n": index},
        "repetition": 0,
        "settings": SETTINGS,
        "environment": None,
        "task": a_task_shape(),
        "job": a_job_shape(),
        "not_run": None,
    }
    return Task(**{**base, **changes})


def a_plan(
    root: Path,
    *,
    tasks: int = 2,
    settings: Json = None,
    environment: EnvironmentFact | None = None,
    job: JobShape | None = None,
    task: TaskShape | None = None,
    facts: Facts | None = None,
    spec: Spec | None = None,
    shards: int = 1,
) -> Plan:
    spec = spec or a_spec(root)
    facts = facts or survey(spec, None)[0]
    name = None if environment is None else environment.name
    made = tuple(a_task(i, settings=settings or SETTINGS, environment=name) for i in range(tasks))
    if environment is not None:
        facts = Facts(
            inputs=facts.inputs,
            code=facts.code,
            runtime=facts.runtime,
            environments={environment.name: environment},
        )
    asked = job or a_job_shape()
    array = Array(script="job.sbatch", first=0, count=shards, max_running=asked.max_running)
    shape = Shape(
        arrays=(array,),
        name="1-cpu",
        script="job.sbatch",
        environment=name,
        condition_id="c" * 16,
        task=task or a_task_shape(),
        job=asked,
        slots=1,
        waves=tasks,
        fixtures=(),
        shards=tuple(
            Shard(
                shard_id=f"1-cpu-{index:04}",
                index=index,
                task_ids=tuple(t.task_id for t in made[index::shards]),
            )
            for index in range(shards)
        ),
    )
    return Plan(
        spec=spec,
        facts=facts,
        expansion=Expansion(tasks=made, removed=(), points=tasks),
        shapes=(shape,),
        gpu_hours=None,
        core_hours=None,
    )


def sealed(plan: Plan) -> Bundle:
    return seal(plan, render(plan, rooms=("kinds/command",)))


def a_bundle(root: Path, out: Path | None = None, **options: Json) -> Path:
    """Write a bundle and return its folder."""
    plan = a_plan(root, **options)
    return write(sealed(plan), out or root / "build", provenance={"spec_text": "name: study\n"})
