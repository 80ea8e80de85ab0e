"""Write a study's numbers in Prometheus' text format, for a node exporter's text files.

Pure, without timestamps. What was not measured is left out: the format knows no reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from specc.model import Json

_SUFFIXES = ("", "_low", "_high")
_NO_METRIC_NAME = re.compile(r"[^a-zA-Z0-9_:]")
_NO_LABEL_NAME = re.compile(r"[^a-zA-Z0-9_]")


def exposition(summary: Mapping[str, Json]) -> str:
    """Return the counts of tasks by state and, for each cell, each metric with its interval."""
    wanted = [
        f"specc_{metric['name']}{suffix}" for metric in summary["metrics"] for suffix in _SUFFIXES
    ]
    fixed = ["specc_tasks", "specc_verdict"]
    tasks, verdict, *names = _unique([*fixed, *wanted], _NO_METRIC_NAME)
    lines = [*_states(summary, tasks), *_verdicts(summary, verdict)]
    for place, metric in enumerate(summary["metrics"]):
        first = place * len(_SUFFIXES)
        lines += _families(summary, metric, names[first : first + len(_SUFFIXES)])
    return "".join(f"{line}\n" for line in lines)


def _states(summary: Mapping[str, Json], name: str) -> Iterator[str]:
    yield f"# HELP {name} Tasks of the study by what became of them."
    yield f"# TYPE {name} gauge"
    for state in ("completed", "failed", "not_run", "missing", "invalid"):
        labels = {"study": str(summary["name"]), "state": state}
        yield _sample(name, labels, summary["completeness"][state])


def _verdicts(summary: Mapping[str, Json], name: str) -> Iterator[str]:
    yield f"# HELP {name} 1 for the verdict of each cell: whether its numbers may be relied on."
    yield f"# TYPE {name} gauge"
    labels = _axis_labels(summary)
    for cell in summary["cells"]:
        yield _sample(name, {**_labels(summary, cell, labels), "verdict": cell["verdict"]}, 1)


def _axis_labels(summary: Mapping[str, Json]) -> dict[str, str]:
    axes = list(dict.fromkeys(axis for cell in summary["cells"] for axis in cell["axes"]))
    return dict(zip(axes, _unique([f"axis_{a}" for a in axes], _NO_LABEL_NAME), strict=True))


def _families(
    summary: Mapping[str, Json], metric: Mapping[str, Json], names: Sequence[str]
) -> Iterator[str]:
    labels = _axis_labels(summary)
    unit = f" [{metric['unit']}]" if metric["unit"] else ""
    texts = (
        f"{metric['label']}{unit}. {metric['definition']}",
        f"The lower end of the 95 % interval of {names[0]}.",
        f"The upper end of the 95 % interval of {names[0]}.",
    )
    for name, key, text in zip(names, ("value", "low", "high"), texts, strict=True):
        samples = [
            _sample(name, _labels(summary, cell, labels), cell["metrics"][metric["name"]][key])
            for cell in summary["cells"]
            if cell["metrics"].get(metric["name"], {}).get(key) is not None
        ]
        if samples:
            yield f"# HELP {name} {_escaped(text)}"
            yield f"# TYPE {name} gauge"
            yield from samples


def _labels(
    summary: Mapping[str, Json], cell: Mapping[str, Json], names: Mapping[str, str]
) -> dict[str, str]:
    found = {
        "study": str(summary["name"]),
        "bundle_id": str(cell["bundle_id"]),
        "run_id": str(cell["run_id"]),
        "condition_id": str(cell["condition_id"] or ""),
        "cell": str(cell["cell"]),
    }
    for axis, value in cell["axes"].items():
        found[names[axis]] = value if isinstance(value, str) else json.dumps(value)
    return found


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{_quoted(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value!r}"


def _unique(names: Sequence[str], fit: re.Pattern[str]) -> list[str]:
    """Return names of which no two become the same: two are told apart by a number."""
    found: list[str] = []
    for name in names:
        made = fit.sub("_", name)
        number = 2
        while made in found:
            made = f"{fit.sub('_', name)}_{number}"
            number += 1
        found.append(made)
    return found


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")
