"""What a plain YAML scalar means: the core schema of YAML 1.2, and nothing else. Pure.

`yes`, `on` and 12:30:00 are text, 010 is ten. Values that JSON cannot hold are refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from specc.model import Json

MAX_DIGITS = 40
"""Far above 2**64; int() of a 5,000-digit text is refused by Python itself."""

_WORDS: dict[str, Json] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", re.ASCII)
_NUMERIC_START = frozenset("+-.0123456789")


@dataclass(frozen=True, slots=True)
class Refused:
    """A scalar that has no JSON value."""

    code: str
    message: str
    hint: str


def plain_value(text: str) -> Json | Refused:
    """Return the value of an unquoted scalar, or why it has none."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC_START:
        return text
    if _INTEGER.fullmatch(text) or _BASED.fullmatch(text):
        if len(text) > MAX_DIGITS:
            message = f"an integer of {len(text)} characters; at most {MAX_DIGITS} are read"
            return Refused("E020", message, "quote it if it is text")
        return int(text, 0) if text[1:2] in ("o", "x") else int(text)
    if _NOT_FINITE.fullmatch(text):
        hint = "leave the value out, use null, or quote it if it is text"
        return Refused("E021", f"{text} is not a finite number", hint)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
        return Refused("E021", "this number is too large for a double", "quote it if it is text")
    if _DATE.fullmatch(text):
        return Refused("E022", f"{text} is an unquoted date", f'quote it: "{text}"')
    return text
