"""Make spec, facts and tasks again from a sealed bundle: a rerun asks nothing of the spec's file.

A door: reads the bundle's own files, each checked against its hash. Wheels, inputs and images are
only named; they may stand in the bundle that this one borrows from.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from specc import resources
from specc.bundling.hashing import sha256_bytes
from specc.bundling.portable import image_path, input_path
from specc.collate.values import Source
from specc.kinds import plan_room
from specc.language.defaults import fill_defaults
from specc.matrix.points import axes_of
from specc.matrix.recipes import Recipes
from specc.model import (
    CodeFact,
    Document,
    EnvironmentFact,
    Facts,
    FileFact,
    InputFact,
    JobShape,
    Json,
    Spec,
    Task,
    TaskShape,
)
from specc.packing.shapes import job_shape, task_shape
from specc.packing.shards import limit_needed_s
from specc.problems import BundleInvalid
from specc.rerun.cures import FIELDS, Change, changed
from specc.rerun.history import TaskHistory
from specc.stages.load import load
from specc.stages.parse import parse
from specc.stages.survey import survey_runtime
from specc_runtime.contract.lenders import find_lender, why_no_lender
from specc_runtime.contract.manifest import Manifest, Subject, read_manifest

_SPEC = "spec.resolved.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The bundle that the next one continues."""

    source: Source
    manifest: Manifest
    spec: Spec
    lender: str
    """Bundle that really has its wheels, inputs and images: itself, unless it is thin."""
    lender_folder: Path | None
    """Where that bundle stands; None when it isn't here."""

    @property
    def has_profile(self) -> bool:
        """Bundles of older versions don't carry the cluster's profile."""
        return "profile" in self.manifest.predicate or self.spec.data.get("cluster") is None

    def must_lend(self) -> Path:
        """Return the folder that holds wheels, inputs and images. Raises BundleInvalid."""
        if self.lender_folder is None:
            raise BundleInvalid(why_no_lender(self.source.path, self.manifest, os.environ))
        return self.lender_folder


def read_parent(source: Source) -> Parent:
    """Read the spec that a bundle was made from. Raises BundleInvalid."""
    manifest = read_manifest(source.path)
    text = _checked(source.path, manifest, _SPEC)
    parsed = parse(load(source.path / _SPEC))
    if parsed.source.text.encode() != text:
        raise BundleInvalid(f"{source.path / _SPEC} changed while it was read")
    data = parsed.data
    document = Document(
        source=parsed.source,
        sources={parsed.source.shown: parsed.source},
        data=_as_written(data, source),
        key_marks=parsed.key_marks,
        value_marks=parsed.value_marks,
        profile=manifest.predicate.get("profile"),
    )
    spec = Spec(
        document=document,
        name=data["name"],
        kind=data["kind"],
        data=data,
        settings_schema=resources.schema(f"kinds/{data['kind']}"),
        profile=_profile(manifest),
        only={},
        only_reason=None,
        root=source.path,
    )
    borrows = manifest.borrowed_from
    beside = find_lender(source.path, manifest, os.environ) if borrows else str(source.path)
    return Parent(
        source=source,
        manifest=manifest,
        spec=spec,
        lender=borrows or source.bundle_id,
        lender_folder=None if beside is None else Path(beside),
    )


def _profile(manifest: Manifest) -> dict[str, Json] | None:
    stated = manifest.predicate.get("profile")
    if stated is None:
        return None
    filled: dict[str, Json] = fill_defaults(resources.schema("cluster"), copy.deepcopy(stated))
    return filled


def _as_written(data: dict[str, Json], source: Source) -> dict[str, Json]:
    """Return the data without a default that counts as unwritten: how a repetition lies in shards.

    Written out are all defaults; whether the author asked for whole repetitions shows in the
    bundle: tasks of one repetition and shape that lie in several shards were spread.
    """
    shards: dict[tuple[str | None, int], set[str | None]] = {}
    for row in source.tasks:
        if row.shape is not None:
            shards.setdefault((row.shape, row.repetition), set()).add(row.shard)
    if all(len(found) == 1 for found in shards.values()):
        return data
    repetitions = {k: v for k, v in data["repetitions"].items() if k != "block"}
    return {**data, "repetitions": repetitions}


def make_facts(parent: Parent) -> Facts:
    """Return what a survey would have found when the bundle was compiled. Raises BundleInvalid."""
    manifest, folder = parent.manifest, parent.source.path
    lent = parent.lender_folder or folder
    own = {subject.path: _fact(subject, folder) for subject in manifest.subjects}
    borrowed = {subject.path: _fact(subject, lent) for subject in manifest.borrowed}
    files = own | borrowed
    code = manifest.predicate.get("code")
    shipped = _below(files, "code") if code else ()
    return Facts(
        inputs={each["name"]: _input(each, files) for each in manifest.predicate["inputs"]},
        code=None
        if code is None
        else CodeFact(tree=code["tree"], files=shipped, commit=None, dirty=None),
        environments={
            name: _environment(name, stated, files, parent)
            for name, stated in manifest.predicate["environments"].items()
        },
        runtime=survey_runtime(),
    )


def _fact(subject: Subject, folder: Path) -> FileFact:
    return FileFact(
        path=subject.path,
        source=folder / subject.path,
        bytes=subject.bytes,
        sha256=subject.sha256,
        executable=subject.mode == 0o755,
    )


def _below(files: Mapping[str, FileFact], place: str) -> tuple[FileFact, ...]:
    return tuple(
        fact
        for path, fact in sorted(files.items())
        if path == place or path.startswith(f"{place}/")
    )


def _input(stated: Mapping[str, Json], files: Mapping[str, FileFact]) -> InputFact:
    return InputFact(
        name=stated["name"],
        at=stated["at"],
        pin=stated.get("pin"),
        files=_below(files, input_path(stated["name"])) if stated["at"] == "desk" else (),
        bytes=stated.get("bytes"),
        folder=bool(stated.get("folder")),
    )


def _environment(
    name: str, stated: Mapping[str, Json], files: Mapping[str, FileFact], parent: Parent
) -> EnvironmentFact:
    text = b""
    if stated.get("lock"):
        text = _checked(parent.source.path, parent.manifest, stated["lock"])
    wheels = [f"wheels/{file}" for file in stated.get("wheels") or ()]
    if stated.get("installer"):
        wheels.append(f"wheels/{stated['installer']}")
    image = image_path(name)
    if stated.get("at") == "desk" and image in files:
        wheels.append(image)
    return EnvironmentFact(
        name=name,
        mode=stated["mode"],
        python=stated.get("python"),
        platform=stated.get("platform"),
        accelerator=stated.get("accelerator"),
        requirements=text.decode(),
        wheels=tuple(files[path] for path in wheels),
        description={k: v for k, v in stated.items() if k not in ("lock", "lock_sha256")},
    )


def _checked(folder: Path, manifest: Manifest, path: str) -> bytes:
    """Read one of a bundle's own files. Raises BundleInvalid when it is not what was compiled."""
    listed = {subject.path: subject.sha256 for subject in manifest.subjects}
    try:
        data = (folder / path).read_bytes()
    except OSError as error:
        raise BundleInvalid(f"{folder / path}: {error.strerror}") from None
    if listed.get(path) != sha256_bytes(data):
        raise BundleInvalid(
            f"{folder / path} does not match its hash in manifest.json",
            hint="`specc verify` names every changed file; copy the bundle again",
        )
    return data


class Workshop:
    """Makes the tasks of the next bundle from those of the line."""

    def __init__(self, spec: Spec) -> None:
        self._axes = axes_of(spec.data)
        self._recipes = Recipes(spec, self._axes)
        self._measures = plan_room(spec.kind).MEASURES

    def shape_of(self, task: TaskHistory) -> TaskShape:
        """Return what a task had in the bundle that ran it last, its cures included."""
        shape = task_shape(self._blocks(task)["task"])
        if task.cure is None:
            return shape
        stated = next(s for s in task.source.manifest["shapes"] if s["name"] == task.row.shape)
        fields: dict[str, Json] = {
            field: stated["task"][field] for field in (*FIELDS.values(), "estimate_s")
        }
        return replace(shape, **fields)

    def partition_of(self, task: TaskHistory) -> str | None:
        """Return the partition that the spec names for a task; None leaves it to the profile."""
        named: str | None = self._blocks(task)["job"].get("partition")
        return named

    def make(self, task: TaskHistory, made: Iterable[Change]) -> Task:
        """Return the task for the next bundle: same work, same id, changed resources."""
        blocks, row = self._blocks(task), task.row
        shape = changed(self.shape_of(task), tuple(made))
        one_at_a_time = self._measures and not blocks["sharing"]
        declared = task_shape(blocks["task"])
        job = job_shape(blocks["job"], shape, one_at_a_time=one_at_a_time)
        if shape != declared:
            job = _room_for(shape, declared, job)
        return Task(
            row.task_id,
            row.index,
            dict(row.axes),
            row.repetition,
            dict(row.settings),
            blocks["environment"],
            shape,
            job,
            None,
            blocks["sharing"],
            task.used,
        )

    def _blocks(self, task: TaskHistory) -> dict[str, Json]:
        point = tuple(task.row.axes[axis.name] for axis in self._axes)
        blocks: dict[str, Json] = self._recipes.of(point).shape.render(task.row.axes)
        return blocks


def _room_for(shape: TaskShape, declared: TaskShape, job: JobShape) -> JobShape:
    """Return the job with room for one cured task: its own numbers were right for the old one."""
    if job.memory_bytes is not None and shape.memory_bytes is not None:
        job = replace(job, memory_bytes=max(job.memory_bytes, shape.memory_bytes))
    if job.cpus_per_node is not None:
        cpus = shape.cpus * shape.processes_per_node
        job = replace(job, cpus_per_node=max(job.cpus_per_node, cpus))
    if shape.time_limit_s is not None and shape.time_limit_s != declared.time_limit_s:
        needed = limit_needed_s(1, shape.time_limit_s)
        job = replace(job, time_limit_s=max(job.time_limit_s, needed))
    return job
