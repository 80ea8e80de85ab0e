"""What the compiler must know of commands: parameters are part of a task's identity.

A command does not claim the node for itself: most programs that people sweep want all cores busy,
and only the author knows whether two may run side by side. One who measures asks for the whole
node in `task` and `job`; every attempt names its neighbours anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from specc.kinds.base import settled
from specc.language.semantics import dotted
from specc.language.suggest import did_you_mean
from specc.model import Fixture, Json, Mark, Spec
from specc.problems import Problem, error, warning

IDENTITY_VERSION = 1
MEASURES = False
WIDE = True
RUNTIME_ROOMS = ("kinds/command",)

PROCESS_METRICS = ("process.wall_s", "process.cpu_s", "process.max_rss_bytes")
"""What comes with every run, declared or not."""
RESERVED = ("TASK_ID", "REPETITION", "BUNDLE", "SCRATCH", "CODE", "RUN", "RESULTS", "ENV_DIR")


def derive(settings: dict[str, Json], axes: Mapping[str, Json]) -> dict[str, Json]:
    """Write the axes into `parameters`: they reach the program, so they are its settings."""
    return {**settings, "parameters": {**settings.get("parameters", {}), **axes}}


def check(spec: Spec) -> Iterator[Problem]:
    """Yield wrong regular expressions, parameters that collide, and folders that do not exist."""
    settings = spec.data.get("settings", {})
    yield from _check_metrics(spec, settled(settings.get("metrics")))
    yield from _check_analysis(spec, settled(settings.get("metrics")))
    yield from _check_parameters(spec, settled(settings.get("parameters")))
    if settings.get("workdir") == "code" and not spec.data.get("code"):
        yield error(
            "E601",
            "workdir is code, but this spec ships none",
            mark=spec.document.mark("settings", "workdir"),
            path="settings.workdir",
            hint="add `code: {path: .}` or use `workdir: scratch`",
        )
    if not settings.get("metrics"):
        yield warning(
            "W601",
            "no metrics are declared: only exit code, times and memory will be recorded",
            mark=spec.document.key_mark("settings"),
            path="settings.metrics",
            hint="declare under settings.metrics what the program prints",
        )


def fixtures(settings: Mapping[str, Json]) -> tuple[Fixture, ...]:
    """Return nothing: a program brings what it needs."""
    del settings
    return ()


def variable(name: str) -> str:
    """Return the part after SPECC_ of the environment variable that carries a parameter."""
    return re.sub(r"[^A-Z0-9_]", "_", name.upper())


def _check_metrics(spec: Spec, metrics: Mapping[str, Json]) -> Iterator[Problem]:
    for name, metric in metrics.items():
        if "pattern" not in settled(metric):
            continue
        place = ("settings", "metrics", name, "pattern")
        mark = spec.document.mark(*place)
        try:
            groups = re.compile(metric["pattern"]).groups
        except re.error as wrong:
            yield error(
                "E602",
                f"not a regular expression: {wrong}",
                mark=mark,
                path=".".join(place),
                hint="Python's syntax; put it in single quotes so that backslashes stay",
            )
        else:
            if not groups:
                yield error(
                    "E603",
                    "the expression has no group that holds the number",
                    mark=mark,
                    path=".".join(place),
                    hint="put the number in parentheses: 'rate: ([0-9.]+)'",
                )


def _check_analysis(spec: Spec, declared: Mapping[str, Json]) -> Iterator[Problem]:
    """Yield metrics of the analysis that no run will have."""
    known = (*declared, *PROCESS_METRICS)
    analysis = settled(spec.data.get("analysis"))
    named: list[tuple[tuple[str | int, ...], Json]] = [
        (("analysis", "load", key), settled(analysis.get("load")).get(key))
        for key in ("throughput", "latency", "errors", "in_flight")
    ]
    for block in ("slo", "gates"):
        for place, limit in enumerate(analysis.get(block) or ()):
            named.append((("analysis", block, place, "metric"), limit.get("metric")))
    for path, metric in named:
        if metric is not None and metric not in known:
            yield error(
                "E606",
                f"there is no metric '{metric}'",
                mark=spec.document.mark(*path),
                path=dotted(path),
                hint=did_you_mean(metric, known, noun="metrics"),
            )


def _check_parameters(spec: Spec, constants: Mapping[str, Json]) -> Iterator[Problem]:
    """Axes and constants share one name space, and end as SPECC_<NAME>."""
    taken: dict[str, str] = {}
    ports = [p for fixture in spec.data["fixtures"] for p in fixture.get("ports", ())]
    reserved = {*RESERVED, *(variable(port) + "_PORT" for port in ports)}
    matrix = spec.data.get("matrix") or {}
    for name, mark, path in _parameter_names(spec, matrix, constants):
        wanted = variable(name)
        if wanted in reserved or wanted.startswith("INPUT_"):
            yield error(
                "E604",
                f"{name!r} would become SPECC_{wanted}, which specc sets itself",
                mark=mark,
                path=path,
                hint="give the parameter another name",
            )
        elif wanted in taken:
            yield error(
                "E605",
                f"{name!r} and {taken[wanted]!r} both become SPECC_{wanted}",
                mark=mark,
                path=path,
                hint="rename one of them",
            )
        taken[wanted] = name


def _parameter_names(
    spec: Spec, matrix: Mapping[str, Json], constants: Mapping[str, Json]
) -> Iterator[tuple[str, Mark | None, str]]:
    for group in ("axes", "points"):
        for name in matrix.get(group) or {}:
            yield name, spec.document.key_mark("matrix", group, name), f"matrix.{group}.{name}"
    for name in constants:
        mark = spec.document.key_mark("settings", "parameters", name)
        yield name, mark, f"settings.parameters.{name}"
