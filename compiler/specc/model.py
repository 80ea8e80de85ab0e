"""The values that pass between the stages of a compile, in the order in which they come to be.

Every value is frozen. A field that can be absent says in its docstring what absence means.
Nothing here reads a file, and nothing here knows a kind of experiment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict of these."""

JsonPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a document: ("matrix", "axes", "lr", 0)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A stretch of one line of a file the user wrote. Lines and columns count from 1."""

    file: str
    """Path as the user gave it (relative stays relative)."""
    line: int
    column: int
    end_column: int
    """Column after the last character marked; same line (a longer value is cut at line end)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One text the spec is made of, as read by `load`."""

    path: Path
    shown: str
    """How diagnostics name the file."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed spec: plain JSON values, and the place of each of them."""

    source: SourceFile
    sources: Mapping[str, SourceFile]
    """All texts by `shown`, the spec itself, its includes and its cluster profile."""
    data: dict[str, Json]
    """Includes merged, this file wins. Only JSON types."""
    key_marks: Mapping[JsonPath, Mark]
    """Place of the key that leads to a value (absent for list items and the root)."""
    value_marks: Mapping[JsonPath, Mark]
    profile: dict[str, Json] | None
    """The cluster profile's data; None when the spec names none. Its marks stand under the
    path prefix ("cluster", ...) of the two mappings when the profile is inline, and under
    ("$profile", ...) when it is a file."""

    def mark(self, *path: str | int) -> Mark | None:
        """Place of the value at `path`, or of its nearest parent that has one."""
        for end in range(len(path), -1, -1):
            if (found := self.value_marks.get(path[:end])) is not None:
                return found
        return None

    def key_mark(self, *path: str | int) -> Mark | None:
        """Place of the key that leads to `path`, else of its value, else of its nearest parent."""
        return self.key_marks.get(path) or self.mark(*path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A spec whose defaults are filled in and whose references are resolved."""

    document: Document
    """Where it came from; for marks only, never hashed."""
    name: str
    kind: str
    data: dict[str, Json]
    """The whole spec with constant defaults from the schema written out."""
    settings_schema: dict[str, Json]
    """The kind's own schema: home of the defaults that identity leaves out."""
    profile: dict[str, Json] | None
    """Cluster profile with defaults; None: no cluster is named and none checked."""
    only: Mapping[str, tuple[Json, ...]]
    """`--only AXIS=VALUE`: points outside stay in the matrix as not_run."""
    only_reason: str | None
    root: Path
    """Folder of the spec file; relative paths in the spec start here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFact:
    """A file that will stand in the bundle, known by hash and never by content."""

    path: str
    """Path inside the bundle, with forward slashes."""
    source: Path
    bytes: int
    sha256: str
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFact:
    """What `survey` found out about one declared input."""

    name: str
    at: str
    """"desk": copied into the bundle; "cluster": checked on arrival."""
    pin: str | None
    """"sha256:<hex>" of one file, "tree:<hex>" of a folder, "size:<bytes>"; None = unpinned."""
    files: tuple[FileFact, ...]
    """Empty for inputs at the cluster."""
    bytes: int | None
    folder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFact:
    """The user's own code, as it will be shipped under code/."""

    tree: str
    """Hash of the sorted list of (path, mode, sha256)."""
    files: tuple[FileFact, ...]
    commit: str | None
    dirty: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFact:
    """One named environment as locked."""

    name: str
    mode: str
    python: str | None
    platform: str | None
    accelerator: str | None
    requirements: str
    """Text of env/<name>/requirements.lock; empty when nothing is required."""
    wheels: tuple[FileFact, ...]
    description: dict[str, Json]
    """The manifest's entry for this environment, container fields included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything the outside world contributed to a compile."""

    inputs: Mapping[str, InputFact]
    code: CodeFact | None
    environments: Mapping[str, EnvironmentFact]
    runtime: tuple[FileFact, ...]
    """All files of specc_runtime; `render` picks the rooms that the bundle needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShape:
    """What one attempt of one task needs."""

    gpus: float
    gpu_memory_bytes: int | None
    cpus: int
    memory_bytes: int | None
    estimate_s: float | None
    time_limit_s: float | None
    stall_limit_s: float | None = None
    nodes: int = 1
    processes_per_node: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobShape:
    """What one array element asks Slurm for."""

    nodes: int
    gpus_per_node: int
    cpus_per_node: int | None
    memory_bytes: int | None
    """Per node; None leaves it to the partition's default."""
    time_limit_s: float
    max_running: int | None
    exclusive: bool
    partition: str | None
    sbatch: tuple[tuple[str, str], ...]
    """Further #SBATCH options, allow-listed by the schema; an empty value is a bare flag."""


@dataclass(frozen=True, slots=True)
class Task:
    """One point of the matrix in one repetition. Ten thousand of these must stay light."""

    task_id: str
    index: int
    axes: dict[str, Json]
    repetition: int
    settings: dict[str, Json]
    environment: str | None
    task: TaskShape
    job: JobShape
    not_run: str | None
    """Why this task is kept in the matrix but not run; None when it runs."""
    sharing: bool = False
    """True: a measuring kind may run this task beside others."""
    attempts: int = 0
    """Attempts that bundles before this one used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A point that `exclude` took out of the matrix."""

    axes: dict[str, Json]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """All tasks of a spec, and the points that are not among them."""

    tasks: tuple[Task, ...]
    removed: tuple[Removed, ...]
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """Something that a shard starts before its tasks and stops after them."""

    type: str
    """"warm_parent" | "server" | "mps"."""
    options: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The tasks of one array element, in the order in which they start."""

    shard_id: str
    index: int
    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """One sbatch script: a Slurm array over neighbouring shards of a shape."""

    script: str
    first: int
    """Index of the shard that element 0 runs. Slurm bounds an element's number, so a further
    array starts again at 0."""
    count: int
    max_running: int | None
    """Elements of it that run at the same time; None: as many as Slurm grants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All shards that share one task shape, job shape and environment."""

    name: str
    """"1-cpu", "2-gpu", …: CPU first."""
    script: str
    """That of its first array; with --here it runs every shard of the shape."""
    arrays: tuple[Array, ...]
    """More than one only where Slurm takes no array that large."""
    environment: str | None
    condition_id: str
    task: TaskShape
    job: JobShape
    slots: int
    """Tasks at a time in one array element."""
    waves: int
    """Rounds of tasks in the fullest shard."""
    fixtures: tuple[Fixture, ...]
    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will run where."""

    spec: Spec
    facts: Facts
    expansion: Expansion
    shapes: tuple[Shape, ...]
    gpu_hours: float | None
    """Upper bound from estimates; None when a task has no estimate."""
    core_hours: float | None
    pilot: bool = False
    """True: a few tasks of the spec, run to learn what all of them need."""
