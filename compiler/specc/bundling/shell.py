"""Values on their way into shell scripts: quoted, or allow-listed where no shell reads them."""

from __future__ import annotations

import re
import shlex

from specc.model import Array, Json, Shape

_OPTION = re.compile(r"[a-z][a-z0-9-]*")
_VALUE = re.compile(r"[A-Za-z0-9 _.,:;@%+=/*\[\]()|&!-]*")
_SIGNAL_LEAD_S = 120


class Directive(str):
    """A whole `#SBATCH` line: sbatch reads it, no shell does, so it must not be quoted."""

    __slots__ = ()


def shell_value(value: Json) -> str:
    """Spell a value for a shell script; anything but text and whole numbers is our mistake."""
    if isinstance(value, Directive):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"a {type(value).__name__} has no place in a shell script: {value!r}")
    if isinstance(value, str) and "\0" in value:
        raise TypeError("a shell value cannot hold a NUL character")
    return shlex.quote(str(value))


def directives(name: str, shape: Shape, array: Array) -> tuple[Directive, ...]:
    """Return the #SBATCH lines of the script of one array of a shape."""
    job = shape.job
    last = array.count - 1
    at_most = "" if array.max_running is None else f"%{array.max_running}"
    lead_s = min(_SIGNAL_LEAD_S, max(1, int(job.time_limit_s) // 4))
    chosen = {
        "job-name": f"{name}-{shape.name}",
        "output": "slurm-%A_%a.out",
        "open-mode": "append",
        "array": f"0-{last}{at_most}",
        "nodes": str(job.nodes),
        "ntasks-per-node": "1",
        "time": slurm_time(job.time_limit_s),
        "signal": f"B:USR1@{lead_s}",
        "requeue": "",
    }
    if job.cpus_per_node is not None:
        chosen["cpus-per-task"] = str(job.cpus_per_node)
    if job.memory_bytes is not None:
        chosen["mem"] = f"{-(-job.memory_bytes // 2**20)}M"
    if job.gpus_per_node:
        chosen["gpus-per-node"] = str(job.gpus_per_node)
    if job.exclusive:
        chosen["exclusive"] = ""
    if job.partition:
        chosen["partition"] = job.partition
    chosen.update(job.sbatch)
    if "no-requeue" in chosen:
        del chosen["requeue"]
    return tuple(_directive(option, value) for option, value in chosen.items())


def slurm_time(seconds: float) -> str:
    """Spell a duration for --time, rounded up to whole seconds: "1-02:03:04"."""
    whole = -int(-seconds // 1)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    clock = f"{hour:02}:{minute:02}:{second:02}"
    return f"{days}-{clock}" if days else clock


def _directive(option: str, value: str) -> Directive:
    if not _OPTION.fullmatch(option) or not _VALUE.fullmatch(value):
        raise ValueError(f"#SBATCH --{option}={value!r} is outside the allow-list")
    if " " in value:
        value = f'"{value}"'  # sbatch splits its lines at blanks, and knows quotes
    return Directive(f"#SBATCH --{option}={value}" if value else f"#SBATCH --{option}")
