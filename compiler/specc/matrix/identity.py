"""What makes two tasks the same work: the task id, and the condition under which it was done.

Both are hashes of canonical JSON. Nothing here looks at comments, order, purpose or job shapes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from specc.bundling.canonical import canonical, canonical_fast
from specc.language.defaults import choose_branch
from specc.model import Json, Plan, TaskShape

ID_DIGITS = 16

_INPUT = re.compile(r"input:([A-Za-z0-9][A-Za-z0-9_.-]{0,62})")


def input_name(text: str) -> str | None:
    """Return the input that a string names ("input:model" -> "model"); None when it names none."""
    found = _INPUT.fullmatch(text)
    return found[1] if found else None


class Identity:
    """Computes the task ids of one spec."""

    def __init__(
        self,
        *,
        kind: str,
        version: int,
        schema: dict[str, Json],
        pins: Mapping[str, str | None],
        code_tree: str | None,
    ) -> None:
        """Take what all tasks of a spec share.

        schema: of the settings; says which defaults and descriptions are left out. pins: input
        name to pin; None for an unpinned input, which then counts by its name. code_tree: hash of
        the code; None when there is none or `code.identity` is `record`.
        """
        self._schema, self._pins = schema, pins
        # the keys of the hashed document in canonical order: code, …, repetition, settings
        head = canonical({"code": code_tree, "identity_version": version, "kind": kind})
        self._head = head[:-1] + b',"repetition":'
        self._last: dict[str, tuple[Json, bytes]] = {}

    def stem(self, settings: dict[str, Json]) -> bytes:
        """Return the canonical bytes of a point's settings, without their defaults.

        A setting that is the very object of the point before is not spelled again: most are.
        """
        parts = []
        for key in sorted(settings, key=_utf16):
            value = settings[key]
            last = self._last.get(key)
            if last is None or last[0] is not value:
                last = self._last[key] = (value, self._spelled(key, value))
            if last[1]:
                parts.append(last[1])
        return b"{" + b",".join(parts) + b"}"

    def task_id(self, stem: bytes, repetition: int) -> str:
        """Return the id of one repetition of the point that `stem` stands for."""
        body = b'%b%d,"settings":%b}' % (self._head, repetition, stem)
        return hashlib.sha256(body).hexdigest()[:ID_DIGITS]

    def _spelled(self, key: str, value: Json) -> bytes:
        """Return one setting as canonical `"key":value`; empty when it equals its default."""
        own = strip_defaults(self._schema, {key: self._pinned(value)})
        return canonical_fast(_numbers(own))[1:-1]

    def _pinned(self, value: Json) -> Json:
        if isinstance(value, str):
            name = input_name(value) if value.startswith("input:") else None
            if name is None or name not in self._pins:
                return value
            return self._pins[name] or f"unpinned:{name}"
        if isinstance(value, dict):
            return {key: self._pinned(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._pinned(item) for item in value]
        return value


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be")


def declared_pins(inputs: list[dict[str, Json]]) -> dict[str, str | None]:
    """Return the pins that the spec itself states, as "sha256:…", "tree:…" or "size:…"."""
    return {
        declared["name"]: next(
            (f"{how}:{what}" for how, what in (declared.get("pin") or {}).items()), None
        )
        for declared in inputs
    }


def strip_defaults(schema: dict[str, Json], value: Json) -> Json:
    """Return `value` without what equals its schema default or only describes, at every depth.

    A mapping that becomes empty goes only where the schema's default says that absent means the
    same: `compile: {}` may switch something on.
    """
    if isinstance(value, list):
        items = schema.get("items")
        return [strip_defaults(items, one) for one in value] if items else value
    if not isinstance(value, dict):
        return value
    for word in ("oneOf", "anyOf"):
        if word in schema and "properties" not in schema:
            branch = choose_branch(schema[word], value)
            return strip_defaults(branch, value) if branch else value
    properties = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    kept: dict[str, Json] = {}
    for key, item in value.items():
        sub = properties.get(key) or (others if isinstance(others, dict) else None)
        if sub is None:
            kept[key] = item
            continue
        if sub.get("x-descriptive"):
            continue
        own = strip_defaults(sub, item)
        if (
            "default" in sub
            and key in properties
            and _same(own, strip_defaults(sub, sub["default"]))
        ):
            continue
        kept[key] = own
    return kept


def condition_id(
    *,
    environment: Json,
    task: TaskShape,
    job: Mapping[str, Json],
    slots: int,
    fixtures: Json,
    cluster: str | None,
) -> str:
    """Return the id of the condition that a shape's tasks are measured under.

    Estimates and time limits are no part of it: they decide when a task is stopped, not what it
    measures, and a longer limit must not cut a series in two.
    """
    body = {
        "environment": environment,
        "task": {
            "gpus": task.gpus,
            "gpu_memory_bytes": task.gpu_memory_bytes,
            "cpus": task.cpus,
            "memory_bytes": task.memory_bytes,
            "nodes": task.nodes,
            "processes_per_node": task.processes_per_node,
        },
        "job": job,
        "slots": slots,
        "fixtures": fixtures,
        "cluster": cluster,
    }
    return hashlib.sha256(canonical(_numbers(body))).hexdigest()[:ID_DIGITS]


def _same(left: Json, right: Json) -> bool:
    """Equal as JSON, at every depth: true is not 1."""
    if left != right:
        return False
    if isinstance(left, dict):
        return all(_same(item, right[key]) for key, item in left.items())
    if isinstance(left, list):
        return all(_same(a, b) for a, b in zip(left, right, strict=True))
    return isinstance(left, bool) == isinstance(right, bool)


def _numbers(value: Json) -> Json:
    """Write whole floats as integers, so that 1.0 and 1 are one value at every size."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return value


def conditions(plan: Plan) -> dict[str, str]:
    """Return the condition of each task of a plan that runs, by task_id."""
    return {
        task_id: shape.condition_id
        for shape in plan.shapes
        for shard in shape.shards
        for task_id in shard.task_ids
    }
