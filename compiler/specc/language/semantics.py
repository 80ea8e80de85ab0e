"""What can be wrong with references between the blocks of a spec. Pure; yields Problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from specc.bundling.portable import safe_name
from specc.language.suggest import did_you_mean
from specc.language.units import duration_s, size_bytes
from specc.matrix.identity import input_name
from specc.matrix.recipes import schemas_at
from specc.matrix.substitute import Placeholder, placeholders
from specc.model import Document, Json, JsonPath
from specc.problems import Problem, error, warning

CURES: dict[str, frozenset[str]] = {
    "oom_host": frozenset({"task.memory"}),
    "oom_gpu": frozenset({"task.gpu_memory"}),
    "timeout": frozenset({"task.time_limit", "task.cpus"}),
    "stalled": frozenset({"task.time_limit"}),
    "health_check": frozenset({"task.time_limit", "task.memory", "task.gpu_memory"}),
    "model_load": frozenset({"task.memory", "task.gpu_memory"}),
    "dataset_load": frozenset({"task.memory"}),
}
"""Failure category to the resources whose lack can be its cause. Any other category has none."""


def dotted(path: JsonPath) -> str:
    """Return a path as diagnostics show it: settings.argv[2]."""
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return shown.removeprefix(".")


def value_blocks(data: Mapping[str, Json]) -> Iterator[tuple[JsonPath, JsonPath, Json]]:
    """Yield (where it is written, what it becomes, value) of every block that may use an axis."""
    for block in ("settings", "task", "job"):
        yield (block,), (block,), data[block]
    yield ("fixtures",), ("fixtures",), data.get("fixtures") or []
    for axis, points in ((data.get("matrix") or {}).get("points") or {}).items():
        for point, overrides in points.items():
            for target, value in overrides.items():
                origin = ("matrix", "points", axis, point, target)
                yield origin, tuple(target.split(".")), value
    for place, rule in enumerate(data.get("when") or ()):
        for target, value in rule["set"].items():
            yield ("when", place, "set", target), tuple(target.split(".")), value


def find_placeholders(
    data: Mapping[str, Json], schema: Mapping[str, Json]
) -> Iterator[Placeholder]:
    """Yield every `${axis}` of a spec, with the path where it is written."""
    for origin, target, value in value_blocks(data):

        def literal(path: JsonPath, target: JsonPath = target) -> bool:
            full = target + path
            if full[0] != "settings":
                return False
            return any(node.get("x-literal") for node in schemas_at(schema, full[1:]))

        for hole in placeholders(value, literal):
            if origin[0] == "fixtures" and hole.axis.startswith("port:"):
                continue  # the node chooses ports
            yield Placeholder(origin + hole.path, hole.axis, hole.whole)


def check_placeholders(
    data: Mapping[str, Json], names: list[str], schema: Mapping[str, Json], document: Document
) -> Iterator[Problem]:
    """Yield every `${axis}` that names no axis."""
    for hole in find_placeholders(data, schema):
        if hole.axis not in names:
            yield error(
                "E201",
                f"there is no axis '{hole.axis}' for ${{{hole.axis}}}",
                mark=document.mark(*hole.path),
                path=dotted(hole.path),
                hint=f"{did_you_mean(hole.axis, names, noun='axes')}"
                f" ($${{{hole.axis}}} stands for the text itself)",
            )


def check_axes_used(
    data: Mapping[str, Json], schema: Mapping[str, Json], document: Document
) -> Iterator[Problem]:
    """Yield axes that no setting, resource or rule uses. Not for kinds that hand over all axes."""
    used = {hole.axis for hole in find_placeholders(data, schema)}
    for rule in (*data["when"], *data["fixtures"]):
        used.update(rule.get("if") or ())
    for name in data["matrix"]["axes"]:
        if name not in used:
            yield warning(
                "W201",
                f"axis '{name}' is used nowhere",
                mark=document.key_mark("matrix", "axes", name),
                path=f"matrix.axes.{name}",
                hint=f'write "${{{name}}}" where its value belongs, or take the axis out',
            )


def check_inputs(data: Mapping[str, Json], document: Document) -> Iterator[Problem]:
    """Yield inputs that are used but not declared, declared but not used, or declared twice."""
    declared = [each["name"] for each in data.get("inputs") or ()]
    for place, name in enumerate(declared):
        if name in declared[:place]:
            at = ("inputs", place, "name")
            message = f"input '{name}' is declared twice"
            hint = "give one of them another name"
            yield error("E221", message, mark=document.mark(*at), path=dotted(at), hint=hint)
    used: set[str] = set()
    blocks = [(origin, value) for origin, _, value in value_blocks(data)]
    axes = (data.get("matrix") or {}).get("axes") or {}
    blocks += [(("matrix", "axes", name), values) for name, values in axes.items()]
    blocks += [
        (("matrix", "include", i), extra)
        for i, extra in enumerate((data.get("matrix") or {}).get("include") or ())
    ]
    for origin, value in blocks:
        for path, text in _strings(value, origin):
            if not text.startswith("input:") or (name := input_name(text)) is None:
                continue
            used.add(name)
            if name not in declared:
                yield error(
                    "E213",
                    f"input '{name}' is not declared under inputs",
                    mark=document.mark(*path),
                    path=dotted(path),
                    hint=did_you_mean(name, declared, noun="inputs"),
                )
    for place, name in enumerate(declared):
        if name not in used and not _builds_input_names(blocks):
            unused = ("inputs", place)
            message = f"input '{name}' is used by no setting"
            hint = f'name it in settings as "input:{name}", or take it out'
            mark = document.mark(*unused)
            yield warning("W203", message, mark=mark, path=dotted(unused), hint=hint)


def check_environments(data: Mapping[str, Json], document: Document) -> Iterator[Problem]:
    """Yield environments that overrides name but nothing declares."""
    known = data["environment"]
    for origin, target, value in value_blocks(data):
        if target != ("environment",) or not isinstance(value, str) or "${" in value:
            continue
        if value not in known:
            yield error(
                "E215",
                f"there is no environment '{value}'",
                mark=document.mark(*origin),
                path=dotted(origin),
                hint=did_you_mean(value, known, noun="environments"),
            )


def check_names(data: Mapping[str, Json], document: Document) -> Iterator[Problem]:
    """Yield names that would share a file: they differ in case only, or not once made safe."""
    groups: list[tuple[str, list[tuple[str, JsonPath]]]] = [
        ("input", [(e["name"], ("inputs", i, "name")) for i, e in enumerate(data["inputs"])]),
        ("environment", [(name, ("environment", name)) for name in data["environment"]]),
    ]
    for axis, points in ((data.get("matrix") or {}).get("points") or {}).items():
        groups.append(("point", [(name, ("matrix", "points", axis, name)) for name in points]))
    for noun, names in groups:
        seen: dict[str, str] = {}
        for name, path in names:
            # macOS and Windows hold equal what differs in case only
            other = seen.setdefault(safe_name(name).casefold(), name)
            if other != name:
                yield error(
                    "E212",
                    f"the {noun}s '{other}' and '{name}' would share one file name",
                    mark=document.mark(*path) if noun == "input" else document.key_mark(*path),
                    path=dotted(path),
                    hint="let them differ in more than case",
                )


def check_cures(
    data: Mapping[str, Json], profile: Mapping[str, Json] | None, document: Document
) -> Iterator[Problem]:
    """Yield cures that cannot help against their cause, or go beyond what the cluster allows."""
    limits = (profile or {}).get("limits") or {}
    for category, cure in (data.get("on_failure") or {}).items():
        helps = CURES.get(category, frozenset())
        for resource, asked in cure.items():
            if resource == "attempts":
                continue
            at = ("on_failure", category, resource)
            if resource not in helps:
                better = " or ".join(sorted(helps)) or "attempts alone"
                yield error(
                    "E214",
                    f"{resource} is no cure for {category}",
                    mark=document.key_mark(*at),
                    path=dotted(at),
                    hint=f"for {category} set {better}",
                )
            elif resource in limits and _amount(asked) > _amount(limits[resource]):
                yield warning(
                    "W205",
                    f"the cure asks for {asked}; the cluster profile allows {limits[resource]}",
                    mark=document.mark(*at),
                    path=dotted(at),
                    hint=None,
                )


def _amount(value: Any) -> float:
    """Return a size, duration or number as a number; 0 for a factor, which depends on the task."""
    if not isinstance(value, str):
        return float(value)
    for read in (size_bytes, duration_s):
        try:
            return float(read(value))
        except ValueError:
            continue
    return 0.0


def _strings(value: Json, path: JsonPath) -> Iterator[tuple[JsonPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _strings(item, (*path, place))


def _builds_input_names(blocks: list[tuple[JsonPath, Json]]) -> bool:
    """Say whether a name is put together from an axis: "input:${model}"."""
    return any(
        text.startswith("input:${")
        for origin, value in blocks
        for _, text in _strings(value, origin)
    )
