"""Fill `${axis}` into JSON values. Pure, and quick enough for ten thousand points.

A string that is nothing but one placeholder takes the axis value with its type; inside a longer
string the value stands as the source spelled it (`1e-4` stays `1e-4`). `$${` is a literal `${`.
Strings that the schema marks `x-literal` are never touched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from specc.model import Json, JsonPath

_TOKEN = re.compile(r"\$\$\{|\$\{([^}]*)\}")

Literal = Callable[[JsonPath], bool]
"""Says of a path whether its string is taken as it is."""

Render = Callable[[Mapping[str, Json]], Json]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One `${axis}` in a value."""

    path: JsonPath
    """Where the string stands that holds it."""
    axis: str
    whole: bool
    """True when the string is nothing else, so that the value keeps its type."""


@dataclass(frozen=True, slots=True)
class Template:
    """A value with holes. Parts without holes are shared between the rendered values."""

    axes: frozenset[str]
    """Axes it needs."""
    render: Render


def placeholders(value: Json, literal: Literal, path: JsonPath = ()) -> Iterator[Placeholder]:
    """Yield every placeholder of `value`, in document order."""
    if isinstance(value, str):
        if literal(path):
            return
        whole = _TOKEN.fullmatch(value)
        for found in _TOKEN.finditer(value):
            if found[1] is not None:
                yield Placeholder(path, found[1], whole is not None)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from placeholders(item, literal, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from placeholders(item, literal, (*path, place))


def template(value: Json, literal: Literal, spelled: Callable[[str, Json], str]) -> Template:
    """Prepare `value` for many renderings.

    spelled: (axis, value) -> how the value is written inside a longer string.
    """
    axes = frozenset(p.axis for p in placeholders(value, literal))
    return Template(axes, _renderer(value, literal, spelled, ()) or (lambda _: value))


def spell(value: Json) -> str:
    """Return how a value is written inside text when its source spelling is not known."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _renderer(
    value: Json, literal: Literal, spelled: Callable[[str, Json], str], path: JsonPath
) -> Render | None:
    """Return how to render `value`; None when it has no holes."""
    if isinstance(value, str):
        return None if literal(path) else _string_renderer(value, spelled)
    if isinstance(value, dict):
        holes = {
            key: made
            for key, item in value.items()
            if (made := _renderer(item, literal, spelled, (*path, key))) is not None
        }
        return _dict_renderer(value, holes) if holes else None
    if isinstance(value, list):
        makers = [_renderer(v, literal, spelled, (*path, i)) for i, v in enumerate(value)]
        return _list_renderer(value, makers) if any(makers) else None
    return None


def _dict_renderer(value: dict[str, Json], holes: dict[str, Render]) -> Render:
    pairs = tuple(holes.items())

    def render(axes: Mapping[str, Json]) -> Json:
        filled = value.copy()
        for key, make in pairs:
            filled[key] = make(axes)
        return filled

    return render


def _list_renderer(value: list[Json], makers: list[Render | None]) -> Render:
    holes = tuple((i, make) for i, make in enumerate(makers) if make is not None)

    def render(axes: Mapping[str, Json]) -> Json:
        filled = value.copy()
        for place, make in holes:
            filled[place] = make(axes)
        return filled

    return render


def _string_renderer(text: str, spelled: Callable[[str, Json], str]) -> Render | None:
    found = list(_TOKEN.finditer(text))
    if not found:
        return None
    if len(found) == 1 and found[0].span() == (0, len(text)) and found[0][1] is not None:
        name = found[0][1]
        return lambda axes: axes[name]
    parts: list[str | tuple[str]] = []
    end = 0
    for token in found:
        parts += [text[end : token.start()], "${" if token[1] is None else (token[1],)]
        end = token.end()
    parts.append(text[end:])

    def render(axes: Mapping[str, Json]) -> Json:
        return "".join(
            part if isinstance(part, str) else spelled(part[0], axes[part[0]]) for part in parts
        )

    return render
