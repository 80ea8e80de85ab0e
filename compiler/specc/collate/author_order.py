"""Put metrics into the order that a spec's author gave them: what stands first, decides first.

Canonical JSON sorts its keys, so that the manifest and the tasks have lost that order; the bundle's
spec.resolved.yaml has it. A bundle without that file keeps the order of the alphabet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from specc.kinds.base import Metric
from specc.model import Json, SourceFile
from specc.problems import SpecInvalid
from specc.stages.parse import parse

_SPEC = "spec.resolved.yaml"
_BLOCK = "settings:"


def declared_settings(bundle: Path) -> Mapping[str, Json]:
    """Return `settings` of a bundle's spec in their author's order; empty when it can't be read."""
    path = bundle / _SPEC
    try:
        lines = path.read_text("utf-8").splitlines(keepends=True)
        # the block alone: a matrix of ten thousand named points would be read for seconds
        block = SourceFile(path=path, shown=_SPEC, text="".join(_block(lines)))
        read = parse(block).data
    except (OSError, ValueError, SpecInvalid):
        return {}
    settings = read.get("settings")
    return settings if isinstance(settings, dict) else {}


def ordered_like(model: Json, value: Json) -> Json:
    """Return a value whose mappings have their keys in the order of a model's, at every depth."""
    if not isinstance(model, dict) or not isinstance(value, dict):
        return value
    return {
        # most values are plain or have one key at most, and there are ten thousand points of them
        name: ordered_like(model.get(name), part) if part and isinstance(part, dict) else part
        for name in _order(tuple(model), tuple(value))
        for part in (value[name],)
    }


@lru_cache(maxsize=256)
def _order(model: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names in the order of a model's, behind them those that it doesn't have."""
    there = set(names)
    return tuple(dict.fromkeys([*(name for name in model if name in there), *names]))


def load_first(metrics: Sequence[Metric], analysis: Mapping[str, Json]) -> tuple[Metric, ...]:
    """Return the metrics with the throughput of `analysis.load` first: the study is about it."""
    named = (analysis.get("load") or {}).get("throughput")
    # stable: all others keep their order
    return tuple(sorted(metrics, key=lambda metric: metric.name != named))


def _block(lines: Sequence[str]) -> list[str]:
    """Return the lines of the top-level key `settings`; all that belongs to it is indented."""
    found: list[str] = []
    for line in lines:
        if found and line[:1] not in (" ", "\n"):
            break
        if found or line.startswith(_BLOCK):
            found.append(line)
    return found
