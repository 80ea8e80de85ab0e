"""Fill `${axis}` into JSON values. Pure, and quick enough for ten thousand points.

A string that is nothing but one placeholder takes the axis value with its type; inside a longer
string, and where a program reads it, the value stands as the source spelled it (`1e-4` stays
`1e-4`). `$${` is a literal `${`. Strings that the schema marks `x-literal` are never touched.
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

Spelled = Callable[[str, Json], str]
"""(axis, value) -> how the value is written inside a longer string."""

Whole = Callable[[JsonPath, str, Json], Json]
"""(path, axis, value) -> what a string that is nothing but "${axis}" becomes."""


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


def template(value: Json, literal: Literal, spelled: Spelled, whole: Whole) -> Template:
    """Prepare `value` for many renderings."""
    axes = frozenset(p.axis for p in placeholders(value, literal))
    return Template(axes, _Maker(literal, spelled, whole).renderer(value, ()) or (lambda _: value))


def spell(value: Json) -> str:
    """Return how a value is written inside text when its source spelling is not known."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the renderer of one template."""

    literal: Literal
    spelled: Spelled
    whole: Whole

    def renderer(self, value: Json, path: JsonPath) -> Render | None:
        """Return how to render `value`; None when it has no holes."""
        if isinstance(value, str):
            return None if self.literal(path) else self._string(value, path)
        if isinstance(value, dict):
            holes = {
                key: made
                for key, item in value.items()
                if (made := self.renderer(item, (*path, key))) is not None
            }
            return _dict_renderer(value, holes) if holes else None
        if isinstance(value, list):
            makers = [self.renderer(item, (*path, i)) for i, item in enumerate(value)]
            return _list_renderer(value, makers) if any(makers) else None
        return None

    def _string(self, text: str, path: JsonPath) -> Render | None:
        found = list(_TOKEN.finditer(text))
        if not found:
            return None
        if len(found) == 1 and found[0].span() == (0, len(text)) and found[0][1] is not None:
            name, whole = found[0][1], self.whole
            return lambda axes: whole(path, name, axes[name])
        return _text_renderer(text, found, self.spelled)


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


def _text_renderer(text: str, found: list[re.Match[str]], spelled: Spelled) -> Render:
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
