"""Put together what a summary says of resources: the right-sizing rows, and a pilot's answer.

Pure. Proposals stand beside what was measured, each with its arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from specc.collate.evidence.hardware import Samples
from specc.collate.finding.read import Found
from specc.collate.values import Source
from specc.kinds import plan_room
from specc.model import Json
from specc.pilot.measured import shapes_used
from specc.pilot.proposals import advice, propose
from specc.pilot.verdict import judge

MARGINS = {"time": 1.2, "memory": 1.3}
"""For bundles of before the spec could state margins; the schema's defaults."""
NO_ACCEPT = ({"metric": "failed", "le": 0},)


def sizing(found: Found, samples: Mapping[tuple[str, str], Samples]) -> dict[str, Json]:
    """Return the summary's fields `right_sizing` and `pilot` (null without a pilot bundle)."""
    sources = {source.bundle_id: source for source in found.sources}
    rows = [_with_advice(row, sources[row["bundle_id"]]) for row in shapes_used(found, samples)]
    pilots = [source for source in found.sources if source.manifest.get("pilot")]
    return {
        "right_sizing": rows,
        "pilot": _answer(pilots, rows, complete=_have_ended(found, pilots)) if pilots else None,
    }


def _have_ended(found: Found, pilots: Sequence[Source]) -> bool:
    """Say whether every task of these bundles has completed or failed in some run of theirs."""
    for source in pilots:
        states = [run.tasks for run in found.runs if run.source is source]
        for row in source.tasks:
            ended = (tasks[row.task_id].state in ("completed", "failed") for tasks in states)
            if row.not_run is None and not any(ended):
                return False
    return True


def _with_advice(row: dict[str, Json], source: Source) -> dict[str, Json]:
    spec = source.manifest["spec"]
    margins = {**MARGINS, **((spec.get("pilot") or {}).get("margins") or {})}
    alone = plan_room(str(source.manifest["kind"])).MEASURES and not spec.get("sharing")
    proposals = propose(row, margins, alone=alone)
    return {
        **row,
        "proposals": [asdict(one) | {"differs": one.differs} for one in proposals],
        "advice": list(advice(row, proposals)),
    }


def _answer(
    pilots: Sequence[Source], rows: Sequence[Mapping[str, Json]], *, complete: bool
) -> dict[str, Json]:
    """Judge the shapes of all pilots by the limits that the last of them states."""
    ids = {source.bundle_id for source in pilots}
    mine = [row for row in rows if row["bundle_id"] in ids]
    accept = (pilots[-1].manifest["spec"].get("pilot") or {}).get("accept") or NO_ACCEPT
    answer, checks = judge(mine, accept, complete=complete)
    return {
        "bundles": sorted(ids),
        "answer": answer,
        "checks": [asdict(check) | {"line": check.line} for check in checks],
    }


def flat(rows: Sequence[Mapping[str, Json]]) -> list[dict[str, Json]]:
    """Return one flat row for each shape, for tables/right_sizing."""
    made = []
    for row in rows:
        proposed = {one["field"].replace(".", "_"): one["text"] for one in row["proposals"]}
        made.append(
            {
                **{k: row[k] for k in ("bundle_id", "shape", "tasks", "attempts", "failed", "oom")},
                "slots": row["slots"],
                **{f"asked_{name}": value for name, value in row["asked"].items()},
                **{f"used_{name}": value for name, value in row["used"].items()},
                **{f"proposed_{name}": value for name, value in proposed.items()},
                "advice": "; ".join(row["advice"]),
                "reasons": "; ".join(f"{k}: {why}" for k, why in row["reasons"].items()),
            }
        )
    return made
