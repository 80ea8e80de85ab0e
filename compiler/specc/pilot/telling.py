"""Say what a pilot found, as text for a terminal and as data. Pure."""

from __future__ import annotations

from dataclasses import asdict

from specc.describe import table
from specc.language.units import format_duration, format_size
from specc.model import Json
from specc.pilot.proposals import Proposal
from specc.pilot.reading import Measured, Reading


def reading_text(reading: Reading, *, applied: bool) -> str:
    """Return the proposals with their arithmetic, the edits, the checks, and the answer last."""
    parts: list[str] = []
    for one in reading.measured:
        parts += [f"{one.shape} of {one.bundle_id}: {_count(one)}", *_proposals(one), ""]
    if reading.edits:
        parts.append("written into the spec:" if applied else "--apply would write into the spec:")
        parts += [f"  {edit.line}" for edit in reading.edits]
    if reading.by_hand:
        parts.append("to be written by hand:")
        parts += [f"  {each.line}" for each in reading.by_hand]
    if reading.edits or reading.by_hand:
        parts.append("")
    parts += [check.line for check in reading.checks]
    if reading.open_tasks:
        parts.append(f"unknown: {len(reading.open_tasks)} tasks have not ended")
    return "\n".join([*parts, reading.answer])


def reading_json(reading: Reading, *, applied: bool) -> dict[str, Json]:
    """Return the same as one JSON object."""
    return {
        "answer": reading.answer,
        "checks": [asdict(check) for check in reading.checks],
        "shapes": [
            {
                "bundle_id": one.bundle_id,
                "shape": one.shape,
                "attempts": one.attempts,
                "proposals": [asdict(p) | {"differs": p.differs} for p in one.proposals],
            }
            for one in reading.measured
        ],
        "edits": [
            {**asdict(edit), "at": list(edit.at), "line": edit.line} for edit in reading.edits
        ],
        "by_hand": [asdict(each) | {"line": each.line} for each in reading.by_hand],
        "open_tasks": list(reading.open_tasks),
        "applied": applied,
    }


def _count(one: Measured) -> str:
    return f"{one.attempts} attempt{'' if one.attempts == 1 else 's'}"


def _proposals(one: Measured) -> list[str]:
    rows = [
        (
            proposal.field,
            _asked(proposal),
            "-" if proposal.text is None else proposal.text if proposal.differs else "as asked",
            proposal.why,
        )
        for proposal in one.proposals
    ]
    return table(("field", "asked", "proposed", "because"), rows)


def _asked(proposal: Proposal) -> str:
    if proposal.asked is None:
        return "open"
    if proposal.field.endswith("memory"):
        return format_size(proposal.asked)
    if proposal.field == "task.estimate":
        return format_duration(proposal.asked)
    return f"{proposal.asked:g}"
