"""Read hardware.jsonl: what a machine did while it measured. A door of collate.

The samples vouch for no number, so what can't be read of them is left out and told as damage.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from specc.collate.values import Damage, TaskResult
from specc.model import Json
from specc_runtime.contract import fields

SAMPLES = "hardware.jsonl"

_check_gpu = fields.record({"uuid": fields.text})
_check_sample = fields.record(
    {
        "t_ns": fields.integer,
        "cpu_util_pct": fields.nullable(fields.number),
        "gpus": fields.nullable(fields.list_of(_check_gpu)),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What one launch sampled, in time."""

    t_ns: tuple[int, ...]
    """On the clock of the records' t_ns."""
    cpu_util_pct: tuple[float | None, ...]
    """Busy share of the CPUs the launch may use, since the sample before [0..100]."""
    gpus: tuple[tuple[Mapping[str, Json], ...], ...]
    """Entries of each visible GPU; empty between two readings."""
    rss_bytes: tuple[int | None, ...] = ()
    """Resident memory of the pool and all of its descendants together."""


def read_samples(
    tasks: Iterable[TaskResult],
) -> tuple[dict[tuple[str, str], Samples], tuple[Damage, ...]]:
    """Read the samples of every launch in which one of the tasks was completed or failed.

    Keys are (folder of the run, `<shard_id>/<launch>`); a launch without samples has no entry.
    """
    found: dict[tuple[str, str], Samples] = {}
    damage = []
    wanted = {(t.run_path, t.launch): t for t in tasks if t.state in ("completed", "failed")}
    for run, launch in wanted:
        if run is None or launch is None:
            continue
        path = Path(run) / launch / SAMPLES
        try:
            rows, _ = fields.read_lines(str(path), path.read_bytes(), _check_sample)
        except FileNotFoundError:
            continue
        except (fields.Damage, OSError) as wrong:
            damage.append(
                Damage(
                    file=os.path.relpath(path, Path(run).parent),
                    line=wrong.line if isinstance(wrong, fields.Damage) else None,
                    message=wrong.message
                    if isinstance(wrong, fields.Damage)
                    else f"can't be read: {wrong.strerror}",
                    consequence="nothing is known of what else used the machine in this launch",
                )
            )
            continue
        found[run, launch] = Samples(
            t_ns=tuple(row["t_ns"] for row in rows),
            cpu_util_pct=tuple(row["cpu_util_pct"] for row in rows),
            gpus=tuple(tuple(row["gpus"] or ()) for row in rows),
            rss_bytes=tuple(row.get("rss_bytes") for row in rows),
        )
    return found, tuple(damage)
