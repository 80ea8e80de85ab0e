"""Which job of Slurm runs which shard, and what is known of that job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specc.model import Json
from specc.watching.life import lives_here
from specc.watching.queue import Element, Queue, array_of
from specc.watching.shards import Word
from specc_runtime.contract.fields import Damage
from specc_runtime.contract.launches import list_launches, read_launch
from specc_runtime.contract.leases import read_holder
from specc_runtime.contract.runs import LaunchState
from specc_runtime.contract.slurm import Words, read_words, recorded_jobs
from specc_runtime.contract.slurm_words import JobWords


@dataclass(frozen=True, slots=True, kw_only=True)
class _Array:
    job: str
    shape: str
    first: int
    """Index of the shard that its element 0 runs."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """The jobs of a run, the newest submission last."""

    ids: tuple[str, ...]
    arrays: tuple[_Array, ...]
    recorded: Words
    """What status.sh and submit.sh wrote down of Slurm's words."""

    def word(self, run: str, shard_id: str, launches: Sequence[LaunchState], queue: Queue) -> Word:
        """Tell what is known of a shard's job beside its journals."""
        elements = self._elements(shard_id, launches)
        told = [each for each in (queue.of(job, index) for job, index in elements) if each]
        active = [each for each in told if each.running] or [each for each in told if each.waiting]
        if active:
            return _active(active[-1])
        last = launches[-1] if launches and launches[-1].ended is None else None
        alive = None if last is None else lives_here(read_holder(run, shard_id))
        if alive:
            return Word(verdict="running", words="a process of this machine")
        job = "_".join(map(str, elements[-1])) if elements else None
        if told:
            return Word(job=told[-1].job_id, verdict="over", words=f"Slurm says {told[-1].words}")
        said = self._recorded(last, job)
        if said is not None and said.over:
            return Word(job=said.job, verdict="over", words=f"{said.sentence()} (recorded)")
        if alive is False:
            return Word(job=job, verdict="over", words="its process is gone")
        return Word(job=job, words=_silence(job, queue))

    def in_queue(self, shard_id: str, launches: Sequence[LaunchState], queue: Queue) -> bool:
        """Tell whether the queue names a job of this shard that runs or will start."""
        told = (queue.of(job, index) for job, index in self._elements(shard_id, launches))
        return any(each.running or each.waiting for each in told if each)

    def _recorded(self, last: LaunchState | None, job: str | None) -> JobWords | None:
        if last is not None and last.info is not None:
            return self.recorded.of_launch(last.info["slurm"], newest=True)
        return None if job is None else self.recorded.of_element(job)

    def _elements(self, shard_id: str, launches: Sequence[LaunchState]) -> list[tuple[str, int]]:
        """Return (array, index) of the jobs that ran or will run a shard, the newest last."""
        shape, _, digits = shard_id.rpartition("-")
        ran = [array_of(launch.info["slurm"]) for launch in launches if launch.info is not None]
        submitted = [
            (array.job, int(digits) - array.first)
            for array in self.arrays
            if array.shape == shape and 0 <= int(digits) - array.first < array.count
        ]
        return list(dict.fromkeys([*(each for each in ran if each is not None), *submitted]))


def _active(element: Element) -> Word:
    return Word(
        job=element.job_id,
        verdict="running" if element.running else "queued",
        words=element.words,
        node=element.node or None,
    )


def _silence(job: str | None, queue: Queue) -> str:
    if job is None:
        return ""
    return queue.silence or f"job {job} is not in the queue"


def find_jobs(run: Path, shapes: Sequence[Mapping[str, Json]]) -> Jobs:
    """Find the jobs of a run: as submit.sh noted them down, and as its launches name them."""
    by_script = {
        part["script"]: (shape["name"], part["first"], part["count"])
        for shape in shapes
        for part in shape.get("arrays")
        or ({"script": shape["script"], "first": 0, "count": shape["shards"]},)
    }
    arrays = tuple(
        _Array(job=job, shape=by_script[script][0], first=by_script[script][1],
               count=by_script[script][2])
        for script, job in recorded_jobs(run)
        if script in by_script
    )  # fmt: skip
    ids = [array.job for array in arrays] or _ids_of_launches(run)
    return Jobs(ids=tuple(dict.fromkeys(ids)), arrays=arrays, recorded=read_words(run))


def _ids_of_launches(run: Path) -> list[str]:
    """Return the arrays in which shards ran last: a bare `sbatch` notes none down."""
    newest = {folder.shard_id: folder for folder in list_launches(run)}
    found = []
    for folder in newest.values():
        try:
            info = read_launch(folder)
        except Damage:
            continue
        element = None if info is None else array_of(info["slurm"])
        if element is not None:
            found.append(element[0])
    return found
