"""Write the texts of a bundle and choose the files that go with them.

Pure: reads the templates that specc ships and nothing else. Every value reaches a shell script
quoted, or as an #SBATCH line whose value passed an allow-list.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache

import jinja2

from specc import resources
from specc.bundling.canonical import canonical_fast
from specc.bundling.hashing import sha256_bytes
from specc.bundling.portable import portable_spec
from specc.bundling.shell import directives, shell_value
from specc.model import Array, EnvironmentFact, FileFact, Json, Plan, Shape
from specc.sealed import BundleFile
from specc_runtime.contract.slurm_text import SACCT_FIELDS

_TOOLS = ("submit.sh", "status.sh", "stop.sh", "probe.sh")
_PRUNED = ("kinds", "ml", "services")
"""Folders of the runtime of which a bundle gets only what its kind asks for."""
# man sbatch, input environment variables: those that change what a script itself asks for
_OVERRIDING = (
    "ARRAY_INX CORE_SPEC CPUS_PER_GPU CPUS_PER_TASK ERROR EXCLUSIVE EXPORT GET_USER_ENV GPUS"
    " GPUS_PER_NODE GPUS_PER_TASK GRES HINT JOB_NAME MEM_PER_CPU MEM_PER_GPU MEM_PER_NODE NODES"
    " NO_REQUEUE NTASKS NUM_NODES OPEN_MODE OUTPUT OVERCOMMIT REQUEUE SIGNAL THREADS_PER_CORE"
    " TIMELIMIT"
)
_OF_STEPS = ("cpu-freq", "gpu-freq", "hint", "threads-per-core")
"""Options of a job that only mean something to its steps."""
# man srun, input environment variables: those that a shell inside one job leaves to another
_LEFT_BEHIND = (
    "CONSTRAINT CORE_SPEC CPU_BIND CPU_BIND_LIST CPU_BIND_TYPE CPU_BIND_VERBOSE CPU_FREQ_REQ"
    " CPUS_PER_GPU DISTRIBUTION GPU_BIND GPU_FREQ GPUS GPUS_PER_NODE GPUS_PER_SOCKET GPUS_PER_TASK"
    " GRES GRES_FLAGS HET_SIZE HINT MEM_BIND NTASKS_PER_CORE NTASKS_PER_GPU NTASKS_PER_SOCKET"
    " NTASKS_PER_TRES OVERCOMMIT STEP_GRES THREAD_SPEC THREADS_PER_CORE TRES_BIND TRES_PER_TASK"
    " WORKING_DIR"
)


def render(
    plan: Plan, *, rooms: tuple[str, ...], lender: str | None = None
) -> tuple[BundleFile, ...]:
    """Return every file of the bundle but its manifests, sorted by path.

    rooms: folders of specc_runtime that the kind needs beside the core ("kinds/x", "ml").
    lender: bundle in which wheels, inputs and images stand; `seal` leaves them out of a thin one.
    """
    runtime = [_copied(f) for f in plan.facts.runtime if _is_needed(f.path, rooms)]
    files = [*runtime, *_environments(plan), *_inputs_and_code(plan)]
    files.append(_text("spec.resolved.yaml", _yaml(portable_spec(plan.spec))))
    files.append(_made("tasks.jsonl", b"".join(_task_lines(plan))))
    arrays = [(shape, array) for shape in plan.shapes for array in shape.arrays]
    scripts = [array.script for _, array in arrays]
    for tool in _TOOLS:
        text = _fill(
            tool,
            name=plan.spec.name,
            scripts=scripts,
            first_script=scripts[0],
            overriding=_OVERRIDING.split(),
            sacct_fields=SACCT_FIELDS,
        )
        files.append(_text(tool, text, mode=0o755))
    # checked by the job script itself: manifest.json, tasks.jsonl, scripts, tools, runtime
    checked_lines = 2 + len(scripts) + len(_TOOLS) + len(runtime)
    for shape, array in arrays:
        text = _job(
            plan,
            shape,
            array,
            checked_lines=checked_lines,
            runtime_files=len(runtime),
            lender=lender or "",
        )
        files.append(_text(array.script, text, mode=0o755))
    return tuple(sorted(files, key=lambda file: file.path))


def _job(
    plan: Plan,
    shape: Shape,
    array: Array,
    *,
    checked_lines: int,
    runtime_files: int,
    lender: str,
) -> str:
    environment = plan.facts.environments.get(shape.environment or "")
    description = environment.description if environment else {}
    profile = plan.spec.profile or {}
    return _fill(
        "job.sbatch",
        directives=directives(plan.spec.name, shape, array),
        script=array.script,
        first_shard=array.first,
        shape=shape.name,
        name=plan.spec.name,
        python=(environment.python if environment else None) or "",
        nodes=shape.job.nodes,
        cpus="" if shape.job.cpus_per_node is None else shape.job.cpus_per_node,
        partition=shape.job.partition or "",
        overriding=_OVERRIDING.split(),
        left_behind=_LEFT_BEHIND.split(),
        step_options=_step_options(shape),
        checked_lines=checked_lines,
        runtime_files=runtime_files,
        site_python=profile.get("python") or "",
        modules=[*(profile.get("modules") or ()), *(description.get("modules") or ())],
        cluster_inputs=_cluster_inputs(plan),
        lender=lender,
        mps=_has_mps(shape),
        **_container(environment, uses_gpu=shape.task.gpus > 0, shares_tmp=_has_mps(shape)),
    )


def _step_options(shape: Shape) -> list[str]:
    return [f"--{name}={value}" for name, value in shape.job.sbatch if name in _OF_STEPS]


def _cluster_inputs(plan: Plan) -> list[str]:
    return [
        declared["path"]
        for declared in plan.spec.data.get("inputs") or ()
        if declared.get("at") == "cluster"
    ]


def _has_mps(shape: Shape) -> bool:
    return any(fixture.type == "mps" for fixture in shape.fixtures)


def _container(
    environment: EnvironmentFact | None, *, uses_gpu: bool, shares_tmp: bool
) -> dict[str, Json]:
    description = environment.description if environment else {}
    image = str(description.get("image") or "")
    nv = description.get("nv")
    flags = ["--nv"] if (uses_gpu if nv is None else nv) else []
    if shares_tmp:
        flags += ["--bind", "/tmp"]  # where the daemon's pipes and logs are
    for bind in description.get("binds") or ():
        flags += ["--bind", str(bind)]
    if overlay := str(description.get("overlay") or ""):
        # writing to one is not for many jobs at once, and would change what others measure
        flags += ["--overlay", overlay if overlay.endswith(":ro") else f"{overlay}:ro"]
    pinned = str(description.get("sha256") or "")
    if image and "://" in image and description.get("digest"):
        image = f"{image}@{description['digest']}"
        pinned = ""
    return {
        "image": image,
        "image_in_bundle": description.get("at") == "desk",
        "image_sha256": pinned,
        "container_flags": flags,
    }


def _environments(plan: Plan) -> Iterator[BundleFile]:
    used = {shape.environment for shape in plan.shapes}
    seen: set[str] = set()
    for name, environment in sorted(plan.facts.environments.items()):
        if name not in used:
            continue
        if environment.requirements:
            yield from _environment_texts(environment)
        for wheel in environment.wheels:
            if wheel.path not in seen:
                seen.add(wheel.path)
                yield _copied(wheel)


def _environment_texts(environment: EnvironmentFact) -> Iterator[BundleFile]:
    folder = f"env/{environment.name}"
    values = {
        "environment": environment.name,
        "python": environment.python or "",
        "installer": environment.description.get("installer") or "",
        "base_packages": environment.mode == "container",
    }
    yield _text(f"{folder}/requirements.lock", environment.requirements)
    yield _text(f"{folder}/setup.sh", _fill("setup.sh", **values), mode=0o755)
    yield _text(f"{folder}/environment.yml", _fill("environment.yml", **values))


def _inputs_and_code(plan: Plan) -> Iterator[BundleFile]:
    for fact in plan.facts.inputs.values():
        yield from map(_copied, fact.files)
    if plan.facts.code is not None:
        yield from map(_copied, plan.facts.code.files)


def _task_lines(plan: Plan) -> Iterator[bytes]:
    place = {
        task_id: (shape.name, shard.shard_id, position)
        for shape in plan.shapes
        for shard in shape.shards
        for position, task_id in enumerate(shard.task_ids)
    }
    for task in plan.expansion.tasks:
        shape, shard, position = place.get(task.task_id, (None, None, None))
        if task.not_run is not None:
            shape = shard = position = None
        line = {
            "task_id": task.task_id,
            "index": task.index,
            "shape": shape,
            "shard": shard,
            "position": position,
            "axes": task.axes,
            **({"attempts": task.attempts} if task.attempts else {}),
            "repetition": task.repetition,
            "settings": task.settings,
            "not_run": task.not_run,
        }
        yield canonical_fast(line) + b"\n"


def _is_needed(path: str, rooms: tuple[str, ...]) -> bool:
    parts = path.split("/")[2:]  # after runtime/specc_runtime/
    if len(parts) < 2 or parts[0] not in _PRUNED:
        return True
    if len(parts) == 2 and parts[1] == "__init__.py" and parts[0] == "kinds":
        return True
    inside = "/".join(parts)
    return any(inside.startswith(f"{room}/") for room in rooms)


def _yaml(data: Json) -> str:
    # ruamel's C emitter, where it is installed, spells some values otherwise than the pure one
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 1 << 30
    yaml.representer.sort_base_mapping_type_on_output = False
    stream = io.StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources.folder("templates") / "sbatch"),
        undefined=jinja2.StrictUndefined,
        finalize=shell_value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def probe_script() -> str:
    """Return the probe.sh of a bundle without job scripts."""
    return _fill("probe.sh", scripts=[])


def _fill(template: str, **values: Json) -> str:
    return _templates().get_template(template).render(**values)


def _text(path: str, text: str, *, mode: int = 0o644) -> BundleFile:
    return _made(path, text.encode(), mode=mode)


def _made(path: str, content: bytes, *, mode: int = 0o644) -> BundleFile:
    return BundleFile(
        path=path,
        mode=mode,
        bytes=len(content),
        sha256=sha256_bytes(content),
        content=content,
        source=None,
    )


def _copied(fact: FileFact) -> BundleFile:
    return BundleFile(
        path=fact.path,
        mode=0o755 if fact.executable else 0o644,
        bytes=fact.bytes,
        sha256=fact.sha256,
        content=None,
        source=fact.source,
    )
