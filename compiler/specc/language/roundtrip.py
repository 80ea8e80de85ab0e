"""Edit a YAML text of the user's and keep its comments, quotes, order and indentation."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from specc.model import Json

if TYPE_CHECKING:
    from ruamel.yaml import YAML

_INDENTS = ((2, 2, 0), (2, 4, 2), (4, 4, 2), (4, 6, 4), (4, 4, 0), (2, 3, 1))
"""Ways to indent: mapping, sequence, and the dash within the sequence's."""


class Editable:
    """A YAML text as nested containers that remember how they were written."""

    def __init__(self, text: str) -> None:
        self._yaml = min(
            (_writer(indent) for indent in _INDENTS), key=lambda yaml: _changed(yaml, text)
        )
        self.data: Json = self._yaml.load(text)
        """Change it in place; new mappings come from `flow`."""

    def text(self) -> str:
        """Return the text with the changes."""
        return _dumped(self._yaml, self.data)

    @staticmethod
    def flow(values: dict[str, Json]) -> Json:
        """Return a mapping that is written on one line: {a: 1, b: 2}."""
        from ruamel.yaml.comments import CommentedMap

        made = CommentedMap(values)
        made.fa.set_flow_style()
        return made

    @staticmethod
    def flow_list(values: list[Json]) -> Json:
        """Return a list that is written on one line: [1, 2]."""
        from ruamel.yaml.comments import CommentedSeq

        made = CommentedSeq(values)
        made.fa.set_flow_style()
        return made


def _writer(indent: tuple[int, int, int]) -> YAML:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 30
    mapping, sequence, offset = indent
    yaml.indent(mapping=mapping, sequence=sequence, offset=offset)
    return yaml


def _changed(yaml: YAML, text: str) -> int:
    """Return how many lines a round trip without any edit would change."""
    before, after = text.splitlines(), _dumped(yaml, yaml.load(text)).splitlines()
    return sum(a != b for a, b in zip(before, after, strict=False)) + abs(len(before) - len(after))


def _dumped(yaml: YAML, data: Json) -> str:
    stream = io.StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()
