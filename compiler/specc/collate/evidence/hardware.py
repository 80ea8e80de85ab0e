"""Read hardware.jsonl: what a machine did while it measured. A door of collate.

The samples vouch for no number, so what can't be read of them is left out and told as damage.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from specc.collate.values import Damage, TaskResult
from specc.model import Json
from specc_runtime.contract import fields
from specc_runtime.contract.samples import SAMPLES, check_sample


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
    memory_available_bytes: tuple[int | None, ...] = ()
    counters: tuple[Mapping[str, Json] | None, ...] = ()
    """Of each row; None between two readings, and empty for runtimes that read none."""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Sensor -> why it gives nothing here."""


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
            rows, _ = fields.read_lines(str(path), path.read_bytes(), check_sample)
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
            memory_available_bytes=tuple(row.get("memory_available_bytes") for row in rows),
            counters=tuple(row.get("counters") for row in rows),
            unavailable={
                one["sensor"]: one["reason"] for row in rows for one in row.get("unavailable", ())
            },
        )
    return found, tuple(damage)
