"""Builders: specs from a few lines of text, so that a test shows only what matters."""

from __future__ import annotations

import tempfile
from pathlib import Path

from specc.model import Expansion, Json, Plan, Task
from specc.pipeline import Checked, check_spec

HEAD = "schema_version: 1\nname: study\n"
KIND = "kind: command\n"
SETTINGS = "settings: {argv: [prog], metrics: {t: {from: json_lines, unit: s, better: lower}}}\n"
TASK = "task: {estimate: 1min}\n"


def a_study(
    text: str = "", *, only: dict[str, tuple[Json, ...]] | None = None, reason: str | None = None
) -> Checked:
    """Check a spec made of `text` and of defaults for the blocks it lacks."""
    blocks = {"kind:": KIND, "settings:": SETTINGS, "task:": TASK}
    present = {line.split(" ", 1)[0] for line in text.splitlines()}
    rest = "".join(block for key, block in blocks.items() if key not in present)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(HEAD + rest + text, encoding="utf-8")
        return check_spec(path, only=only, only_reason=reason)


def expansion(text: str) -> Expansion:
    return a_study(text).expansion


def tasks(text: str) -> tuple[Task, ...]:
    return expansion(text).tasks


def points(text: str) -> list[tuple[Json, ...]]:
    return [tuple(task.axes.values()) for task in tasks(text)]


def ids(text: str) -> list[str]:
    return [task.task_id for task in tasks(text)]


def plan(text: str) -> Plan:
    return a_study(text).plan


def argv(placed: str) -> str:
    """Return a settings block whose argv holds `placed`."""
    metrics = "metrics: {t: {from: json_lines, unit: s, better: lower}}"
    return f"settings: {{argv: [prog, {placed}], {metrics}}}\n"
