"""Say what a rerun does with which tasks: as a table, and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from specc.kinds.sentences import point
from specc.model import Json
from specc.rerun.judge import Choice
from specc.rerun.pipeline import Rerun

_HEADS = ("tasks", "because", "cure", "first of them")


def rerun_text(found: Rerun) -> str:
    """Return the table of what goes in, what is given up and why, and what to do next."""
    going = [choice for choice in found.choices if choice.fate == "again"]
    done = sum(choice.fate == "done" for choice in found.choices)
    lines = [
        f"{len(going)} of {len(found.choices)} tasks of {found.parent}, run {found.run_id},"
        f" run again; {done} are completed"
        if going
        else f"nothing to run again: {done} of {len(found.choices)} tasks of {found.parent},"
        f" run {found.run_id}, are completed"
    ]
    if going:
        lines += ["", *_table(_grouped(going))]
    for fate, title in (("given_up", "given up"), ("running", "still running or queued, left out")):
        some = [choice for choice in found.choices if choice.fate == fate]
        if some:
            lines += ["", f"{title}: {len(some)} tasks", *_reasons(some)]
    if any(choice.fate == "given_up" and choice.cap is None for choice in found.choices):
        lines.append("  --again runs them once more")
    if found.lender is not None:
        lines += ["", f"thin: keep it beside {found.lender}, or set SPECC_PARENT to that folder"]
    if going and found.run_id != "r1":
        lines.append(f"start it as the same run: SPECC_RUN={found.run_id} ./submit.sh")
    return "\n".join(lines)


def rerun_json(found: Rerun) -> dict[str, Json]:
    """Return the same as data."""
    return {
        "bundle": None if found.path is None else str(found.path),
        "bundle_id": None if found.bundle is None else found.bundle.bundle_id,
        "parent_bundle_id": found.parent,
        "run_id": found.run_id,
        "borrows_from": found.lender,
        "tasks": [_choice(choice) for choice in found.choices if choice.fate != "done"],
        "counts": {
            fate: sum(choice.fate == fate for choice in found.choices)
            for fate in ("done", "again", "given_up", "running")
        },
    }


def _choice(choice: Choice) -> dict[str, Json]:
    row = choice.task.row
    return {
        "task_id": row.task_id,
        "axes": dict(row.axes),
        "repetition": row.repetition,
        "fate": choice.fate,
        "cause": choice.cause,
        "reason": choice.reason or choice.task.reason,
        "attempts_used": choice.task.used,
        "cure": {one.resource: [one.old or None, one.new] for one in choice.made},
    }


def _grouped(going: Iterable[Choice]) -> list[tuple[str, ...]]:
    groups: dict[tuple[str, str], list[Choice]] = {}
    for choice in going:
        cure = ", ".join(map(str, choice.made)) or "–"
        groups.setdefault((choice.cause, cure), []).append(choice)
    return [
        (str(len(some)), cause, cure, point(some[0].task.row.axes))
        for (cause, cure), some in groups.items()
    ]


def _reasons(some: Iterable[Choice]) -> list[str]:
    groups: dict[str, list[Choice]] = {}
    for choice in some:
        groups.setdefault(f"{choice.cause}: {choice.reason}", []).append(choice)
    return [
        f"  {len(them)} x {why}: {', '.join(c.task.row.task_id for c in them[:5])}"
        + (" …" if len(them) > 5 else "")
        for why, them in groups.items()
    ]


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
    return [
        "  "
        + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (_HEADS, *rows)
    ]
