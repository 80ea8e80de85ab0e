"""Give a program its parameters: as text in its arguments, and as environment variables.

Nothing is interpreted on the way: values go to execve as they are.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Dict, List, Mapping, Sequence

INPUT = "input:"
PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


def text(value: Any) -> str:
    """Write a value the way a program expects it on a command line.

    Text stays as it is, true and false become 1 and 0, null becomes nothing, lists and mappings
    become JSON.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)


def arguments(values: Sequence[Any], resolve: Callable[[str], Any]) -> List[str]:
    """Turn argv elements into strings; "input:<name>" becomes that input's path."""
    return [_resolved(value, resolve) for value in values]


def variables(
    settings: Mapping[str, Any], resolve: Callable[[str], Any], *, plain_names: bool
) -> Dict[str, str]:
    """Return the variables that carry the parameters, then the spec's own `env` on top.

    With `plain_names` a parameter whose name is a lower-case identifier also arrives under that
    name, for scripts; upper-case names are left to the system.
    """
    found: Dict[str, str] = {}
    for name, value in settings.get("parameters", {}).items():
        shown = _resolved(value, resolve)
        found["SPECC_" + sanitise(name)] = shown
        if plain_names and PLAIN_NAME.match(name):
            found[name] = shown
    for name, value in settings.get("env", {}).items():
        found[name] = _resolved(value, resolve)
    return found


def sanitise(name: str) -> str:
    """Spell a name so that it can be part of an environment variable's name."""
    return re.sub(r"[^A-Z0-9_]", "_", name.upper())


def _resolved(value: Any, resolve: Callable[[str], Any]) -> str:
    if isinstance(value, str) and value.startswith(INPUT):
        return str(resolve(value))
    return text(value)
