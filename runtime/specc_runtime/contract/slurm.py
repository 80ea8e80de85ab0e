"""Read what Slurm itself said about the jobs of a run, as status.sh recorded it.

The texts stand in `<run>/slurm/<job id>.<sacct|scontrol|squeue>.txt`. Nothing here asks Slurm, and
nothing here fails: silence is no end.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple

from .down_nodes import DownNodes, read_down_nodes, took_along
from .slurm_text import parse
from .slurm_words import JobWords

Scripts = Mapping[str, Tuple[str, int]]
"""Job script -> its shape, and the number of the shard that its element 0 runs."""

FOLDER = "slurm"
_FILE = re.compile(r"([0-9]+)\.(sacct|scontrol|squeue)\.txt")


@dataclass(frozen=True)
class Words:
    """All that was recorded of a run's jobs."""

    starts: Mapping[str, Tuple[JobWords, ...]]
    """Job or array element -> its starts, the first one first."""
    down: DownNodes = field(default_factory=dict)

    def of_launch(self, slurm: Mapping[str, str], *, newest: bool) -> Optional[JobWords]:
        """Return what was said of the start that a launch belongs to; None for nothing.

        slurm: the SLURM_ variables of its launch.json.   newest: no later launch of its shard is
        known; what was said without naming a start counts only then.
        """
        job = _element(slurm)
        found = self.starts.get(job, ()) if job is not None else ()
        count = slurm.get("SLURM_RESTART_COUNT", "0")
        restart = int(count) if count.isdigit() else 0
        mine = [words for words in found if words.restart == restart]
        if mine and mine[0].over:
            return mine[0]
        if found and (found[-1].restart or 0) > restart:
            # seen while it ran, or not at all: that there is a later start tells its end
            return self._requeued(found, restart, slurm)
        if mine:
            return mine[0]
        return found[-1] if found and newest and found[-1].restart is None else None

    def _requeued(
        self, found: Tuple[JobWords, ...], restart: int, slurm: Mapping[str, str]
    ) -> JobWords:
        """Return what a later start tells of this one; a node that went down then is its cause."""
        said = JobWords(found[0].job, found[0].how, "REQUEUED", restart=restart)
        after = [words for words in found if words.restart == restart + 1]
        names = slurm.get("SLURM_JOB_NODELIST", "").split(",")
        nodes = [slurm.get("SLURMD_NODENAME", ""), *names]
        down = took_along(self.down, nodes, after[0].submitted if after else None)
        return replace(said, node_down=down)

    def of_element(self, job: str) -> Optional[JobWords]:
        """Return the last that was said of a job or array element; None for nothing."""
        found = self.starts.get(job, ())
        return found[-1] if found else None


def read_words(run: "str | os.PathLike[str]") -> Words:
    """Read a run's recorded texts; without any, nothing was said."""
    folder = os.path.join(os.fspath(run), FOLDER)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return Words({})
    said: Dict[str, Dict[str, Tuple[JobWords, ...]]] = {}
    for name in names:
        match = _FILE.fullmatch(name)
        if match is None:
            continue
        try:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        for job, starts in parse(text, match.group(2)).items():
            said.setdefault(job, {})[match.group(2)] = starts
    words = {job: _best(by_how) for job, by_how in said.items()}
    return Words(words, read_down_nodes(folder))


def recorded_jobs(run: "str | os.PathLike[str]") -> Tuple[Tuple[str, str], ...]:
    """Return (script, job id) of every submission of a run, in their order."""
    try:
        with open(os.path.join(os.fspath(run), "jobs.tsv"), encoding="utf-8") as file:
            lines = [line.rstrip("\n").split("\t") for line in file]
    except (OSError, ValueError):
        return ()
    return tuple((line[0], line[1]) for line in lines if len(line) >= 2 and line[1].isdigit())


def scripts_of(shapes: Iterable[Mapping[str, Any]]) -> Scripts:
    """Return the job scripts of a manifest's shapes."""
    found: Dict[str, Tuple[str, int]] = {}
    for shape in shapes:
        found[shape["script"]] = (shape["name"], 0)
        for array in shape.get("arrays") or ():
            found[array["script"]] = (shape["name"], int(array["first"]))
    return found


def shard_words(
    run: "str | os.PathLike[str]", words: Words, scripts: Scripts
) -> Dict[str, JobWords]:
    """Return shard_id -> what was said of the element last submitted for it."""
    if not words.starts:
        return {}
    elements: Dict[str, Dict[int, str]] = {}
    for job in words.starts:
        array, _, index = job.partition("_")
        elements.setdefault(array, {})[int(index or 0)] = job
    found: Dict[str, JobWords] = {}
    for script, submitted in recorded_jobs(run):
        if script not in scripts:
            continue
        shape, first = scripts[script]
        for number, job in elements.get(submitted, {}).items():
            found[f"{shape}-{first + number:04d}"] = words.starts[job][-1]
    return found


def _best(by_how: Mapping[str, Tuple[JobWords, ...]]) -> Tuple[JobWords, ...]:
    """Prefer the command that tells most, unless only another has seen the end."""
    order = [by_how[how] for how in ("sacct", "scontrol", "squeue") if how in by_how]
    ended = [starts for starts in order if starts[-1].over]
    return (ended or order)[0]


def _element(slurm: Mapping[str, str]) -> Optional[str]:
    array, index = slurm.get("SLURM_ARRAY_JOB_ID"), slurm.get("SLURM_ARRAY_TASK_ID")
    if array and index:
        return f"{array}_{index}"
    return slurm.get("SLURM_JOB_ID")
