"""Turn a summary into test cases: one for each point's completeness, one for each limit. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specc.comparing.junit import Case, limit_cases
from specc.kinds.sentences import point
from specc.model import Json


def cases(summary: Mapping[str, Json]) -> list[Case]:
    """Return the limits that the spec declares, then every point of every run."""
    return [*limit_cases(summary), *_completeness(summary)]


def _completeness(summary: Mapping[str, Json]) -> Iterator[Case]:
    for cell in summary["cells"]:
        counts = cell["repetitions"]
        wrong = {name: counts[name] for name in ("failed", "invalid", "missing") if counts[name]}
        told = ", ".join(f"{count} {name}" for name, count in wrong.items())
        left_out = counts["not_run"] == counts["expected"]
        reason = f": {cell['verdict_reason']}" if cell["verdict_reason"] else ""
        done = f"{counts['completed']} of {counts['expected']} repetitions completed"
        where = (cell["bundle_id"], cell["run_id"] or "not run", cell["condition_id"] or "")
        yield Case(
            suite=" ".join(("completeness", *where)).rstrip(),
            name=point(cell["axes"]),
            verdict="FAIL" if wrong else "SKIPPED" if left_out else "PASS",
            text=f"{done}; {told}{reason}" if wrong else f"{done}{reason if left_out else ''}",
        )
