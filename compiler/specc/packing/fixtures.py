"""What a shape starts before its tasks: the fixtures that a spec states, for one of its points.

Pure. Axes are filled into what a server is started with; its ports are left for the node.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from specc.language.semantics import dotted
from specc.language.suggest import did_you_mean
from specc.language.units import duration_s
from specc.matrix.conditions import compile_condition
from specc.matrix.substitute import spell
from specc.model import Document, Fixture, Json, JsonPath, Task
from specc.problems import Problem, error

PORT_PREFIX = "port:"
"""Start of a placeholder that the node fills in: ${port:api}."""
_TOKEN = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_FILLED = ("argv", "env")
_WAITING = ("healthy", "start_limit_s", "stop")
"""Options that decide how a fixture is waited for, not what tasks measure beside it."""


def fixtures_of(
    stated: Sequence[Json], task: Task, own: tuple[Fixture, ...]
) -> tuple[Fixture, ...]:
    """Return the fixtures of a point. own: what its kind starts in any case."""
    found: list[Fixture] = []
    names = list(task.axes)
    for each in stated:
        condition = each.get("if")
        if condition and not compile_condition(condition, names)(list(task.axes.values())):
            continue
        if each["type"] == "mps" and not task.task.gpus:
            continue
        found.append(Fixture(type=each["type"], options=_options(each, task.axes)))
    return _one_warm_parent((*found, *own))


def measured_beside(fixture: Fixture) -> list[Json]:
    """Return what of a fixture is part of the condition under which tasks are measured."""
    options = {name: value for name, value in fixture.options.items() if name not in _WAITING}
    return [fixture.type, options]


def port_variable(port: str) -> str:
    """Return the part after SPECC_ of the variable that carries a port."""
    return re.sub(r"[^A-Z0-9_]", "_", port.upper()) + "_PORT"


def servers(data: Mapping[str, Json]) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """Yield the servers of a spec with their places in `fixtures`."""
    for place, each in enumerate(data.get("fixtures") or ()):
        if each["type"] == "server":
            yield place, each


def check_fixtures(data: Mapping[str, Json], document: Document) -> Iterator[Problem]:
    """Yield names and ports that clash, ports that are not declared, and code that is not there."""
    names, variables = {"mps"}, set[str]()
    for place, server in servers(data):
        path: JsonPath = ("fixtures", place)
        if server["name"] in names:
            yield _taken(f"the name '{server['name']}'", (*path, "name"), document)
        names.add(server["name"])
        for index, port in enumerate(server["ports"]):
            if port_variable(port) in variables:
                what = f"the variable SPECC_{port_variable(port)} of port '{port}'"
                yield _taken(what, (*path, "ports", index), document)
            variables.add(port_variable(port))
        yield from _check_ports(server, path, document)
        if server["workdir"] == "code" and not data.get("code"):
            yield error(
                "E233",
                f"workdir of the server '{server['name']}' is code, but this spec ships none",
                mark=document.mark(*path, "workdir"),
                path=f"fixtures[{place}].workdir",
                hint="add `code: {path: .}` or use `workdir: scratch`",
            )


def _taken(what: str, path: JsonPath, document: Document) -> Problem:
    return error(
        "E232",
        f"{what} is taken by another fixture",
        mark=document.mark(*path),
        path=dotted(path),
        hint="rename one of them",
    )


def _check_ports(
    server: Mapping[str, Json], path: JsonPath, document: Document
) -> Iterator[Problem]:
    for port, at in _named_ports(server):
        if port not in server["ports"]:
            yield error(
                "E231",
                f"the server '{server['name']}' has no port '{port}'",
                mark=document.mark(*path, *at),
                path=dotted((*path, *at)),
                hint=did_you_mean(port, server["ports"], noun="ports")
                if server["ports"]
                else f"add `ports: [{port}]`",
            )


def _named_ports(server: Mapping[str, Json]) -> Iterator[tuple[str, JsonPath]]:
    healthy = server.get("healthy") or {}
    if "tcp" in healthy:
        yield healthy["tcp"], ("healthy", "tcp")
    if "http" in healthy:
        yield healthy["http"]["port"], ("healthy", "http", "port")
    places: list[tuple[JsonPath, Json]] = [(("argv", i), v) for i, v in enumerate(server["argv"])]
    places += [(("env", name), value) for name, value in server["env"].items()]
    places += [(("healthy", "argv", i), v) for i, v in enumerate(healthy.get("argv") or ())]
    for at, value in places:
        for found in _TOKEN.finditer(str(value)):
            if found[1] is not None and found[1].startswith(PORT_PREFIX):
                yield found[1].removeprefix(PORT_PREFIX), at


def _options(stated: Mapping[str, Json], axes: Mapping[str, Json]) -> dict[str, Json]:
    options = {name: value for name, value in stated.items() if name not in ("type", "if")}
    if stated["type"] != "server":
        return options
    healthy = options.get("healthy")
    if healthy is None:
        healthy = {"tcp": options["ports"][0]} if options["ports"] else {}
    if "argv" in healthy:
        healthy = {"argv": _filled(healthy["argv"], axes)}
    stop = options["stop"]
    del options["start_limit"]
    return {
        **options,
        **{name: _filled(options[name], axes) for name in _FILLED},
        "healthy": healthy,
        "start_limit_s": duration_s(stated["start_limit"]),
        "stop": {"signal": stop["signal"], "grace_s": duration_s(stop["grace"])},
    }


def _filled(value: Json, axes: Mapping[str, Json]) -> Json:
    """Fill `${axis}` into every text; numbers become text, as a program reads them."""
    if isinstance(value, list):
        return [_filled(each, axes) for each in value]
    if isinstance(value, dict):
        return {name: _filled(each, axes) for name, each in value.items()}

    def replace(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return "${"
        return found[0] if name.startswith(PORT_PREFIX) else spell(axes[name])

    return _TOKEN.sub(replace, spell(value))


def _one_warm_parent(fixtures: tuple[Fixture, ...]) -> tuple[Fixture, ...]:
    """Let one warm parent import what several were asked to."""
    warm = [each for each in fixtures if each.type == "warm_parent"]
    if len(warm) < 2:
        return fixtures
    imports = dict.fromkeys(name for each in warm for name in each.options["imports"])
    one = Fixture(type="warm_parent", options={"imports": list(imports)})
    return (*(each for each in fixtures if each.type != "warm_parent"), one)
