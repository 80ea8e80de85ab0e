"""Write proposed values into a spec, or leave it as it was. The door of `specc pilot --apply`.

The edited text is checked as any spec is before it takes the old one's place: it must be valid and
must still mean the same tasks.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from specc.language.roundtrip import Editable
from specc.model import Json
from specc.pilot.places import Edit
from specc.pipeline import check_spec
from specc.problems import SpeccError, SpecInvalid


def apply(spec: Path, edits: Sequence[Edit]) -> None:
    """Change a spec in its place. Raises SpeccError and changes nothing when it would break."""
    raw = spec.read_bytes()
    document = Editable(raw.decode("utf-8-sig").replace("\r\n", "\n"))
    for edit in edits:
        _write(document, edit)
    edited = _spelled_as(raw, document.text())
    # relative paths in the spec start at its folder, so the draft lies there
    with _draft(spec, edited) as draft:
        _compare(spec, draft)
    # a link stays one: what it points to is written
    with _draft(spec.resolve(), edited) as draft:
        draft.chmod(spec.stat().st_mode & 0o777)
        draft.replace(spec.resolve())


@contextmanager
def _draft(beside: Path, data: bytes) -> Iterator[Path]:
    draft = beside.with_name(f".{beside.stem}.{os.getpid()}.yaml")
    try:
        draft.write_bytes(data)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _spelled_as(before: bytes, text: str) -> bytes:
    """Return the text with the byte order mark and the line ends that the file had."""
    if b"\n" in before and before.count(b"\n") == before.count(b"\r\n"):
        text = text.replace("\n", "\r\n")
    return (BOM_UTF8 if before.startswith(BOM_UTF8) else b"") + text.encode()


def _write(document: Editable, edit: Edit) -> None:
    value: Json = float(edit.text) if edit.field == "task.gpus" else edit.text
    if edit.field == "task.gpus" and value == int(value):
        value = int(value)
    if edit.condition is not None:
        _add_rule(document, edit, value)
        return
    target = document.data
    for key in edit.at[:-1]:
        if isinstance(key, str) and key not in target:
            target[key] = document.flow({})
        target = target[key]
    target[edit.at[-1]] = value


def _add_rule(document: Editable, edit: Edit, value: Json) -> None:
    rules = document.data.setdefault("when", [])
    condition = {
        name: document.flow({k: document.flow_list(v) for k, v in test.items()})
        if isinstance(test, dict)
        else test
        for name, test in (edit.condition or {}).items()
    }
    for rule in rules:
        if rule["if"] == edit.condition:
            rule["set"][edit.field] = value
            return
    rule = {"if": document.flow(condition), "set": document.flow({edit.field: value})}
    rules.append(document.flow(rule))


def _compare(spec: Path, draft: Path) -> None:
    """Raise SpeccError unless the draft is valid and has the tasks of the spec."""
    before = [task.task_id for task in check_spec(spec).expansion.tasks]
    try:
        after = [task.task_id for task in check_spec(draft).expansion.tasks]
    except SpecInvalid as wrong:
        told = "; ".join(f"{each.code} {each.message}" for each in wrong.problems)
        raise SpeccError(
            f"with the proposed values {spec} would not be valid: {told}",
            hint="nothing was changed; write in by hand what fits",
        ) from None
    if before != after:
        raise SpeccError(
            f"the edited {spec} would have other tasks; nothing was changed",
            hint="please report this with the spec: it is a mistake of specc",
        )
