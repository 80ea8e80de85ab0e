"""Check the shape of a JSON value with small functions that compose.

A check takes a value and returns None when it fits, else one line that says where inside the
value and what is wrong. Fields that no table names are let through: the contract may grow.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Mapping, Optional, Sequence

Check = Callable[[Any], Optional[str]]


class Damage(Exception):
    """A file that is not what the contract says: which file, which line, what is wrong."""

    def __init__(self, file: str, line: Optional[int], message: str) -> None:
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {message}")
        self.file = file
        self.line = line
        """Counted from 1; None when the whole file is meant."""
        self.message = message


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# json.loads would build a decoder for every line
_decode = json.JSONDecoder(parse_constant=_refuse).decode


def parse_json(text: "str | bytes") -> Any:
    """Parse one JSON value; NaN and infinities are refused. Raises ValueError."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    return _decode(text)


def anything(value: Any) -> Optional[str]:
    del value
    return None


def text(value: Any) -> Optional[str]:
    return None if isinstance(value, str) else "must be text"


def boolean(value: Any) -> Optional[str]:
    return None if isinstance(value, bool) else "must be true or false"


def _is_number(value: Any) -> bool:
    # 1e999 is JSON, and read as infinity: what is less itself is 0 only where it is finite
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value - value == 0


def number(value: Any) -> Optional[str]:
    return None if _is_number(value) else "must be a number"


def positive(value: Any) -> Optional[str]:
    """A number that is 0 or more."""
    return None if _is_number(value) and value >= 0 else "must be a number that is not negative"


def integer(value: Any) -> Optional[str]:
    if type(value) is int:  # the common case, at a third of the price
        return None
    return None if _is_number(value) and value == int(value) else "must be a whole number"


def count(value: Any) -> Optional[str]:
    """A whole number that is 0 or more."""
    if type(value) is int:  # the common case, at a third of the price
        return None if value >= 0 else "must be a whole number that is not negative"
    whole = _is_number(value) and value == int(value) and value >= 0
    return None if whole else "must be a whole number that is not negative"


def ordinal(value: Any) -> Optional[str]:
    """A whole number that is 1 or more."""
    return None if count(value) is None and value >= 1 else "must be a whole number from 1 on"


def matching(pattern: str, what: str) -> Check:
    """Text that matches the whole of a regular expression; `what` completes "must be …"."""
    found = re.compile(pattern).fullmatch

    def check(value: Any) -> Optional[str]:
        fits = isinstance(value, str) and found(value) is not None
        return None if fits else f"must be {what}"

    return check


def one_of(*values: Any) -> Check:
    # True == 1 in Python, so the types are compared as well
    known = {(type(value), value) for value in values}

    def check(value: Any) -> Optional[str]:
        try:
            fits = (type(value), value) in known
        except TypeError:  # a list or an object is none of them
            fits = False
        return None if fits else "must be one of " + ", ".join(map(str, values))

    return check


def nullable(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def list_of(check: Check) -> Check:
    def check_list(value: Any) -> Optional[str]:
        if not isinstance(value, list):
            return "must be a list"
        for index, item in enumerate(value):
            wrong = check(item)
            if wrong is not None:
                return f"[{index}]: {wrong}"
        return None

    return check_list


def map_of(check: Check) -> Check:
    """An object whose values all pass `check`."""

    def check_map(value: Any) -> Optional[str]:
        if not isinstance(value, dict):
            return "must be an object"
        for key, item in value.items():
            wrong = check(item)
            if wrong is not None:
                return f"{key}: {wrong}"
        return None

    return check_map


def record(required: Mapping[str, Check], optional: Optional[Mapping[str, Check]] = None) -> Check:
    """An object with these fields; others may stand beside them."""
    needed, extra = tuple(required.items()), tuple((optional or {}).items())

    def check(value: Any) -> Optional[str]:
        if not isinstance(value, dict):
            return "must be an object"
        for name, field in needed:
            try:  # costs nothing where it is there
                found = value[name]
            except KeyError:
                return f"{name}: is missing"
            wrong = field(found)
            if wrong is not None:
                return f"{name}: {wrong}"
        for name, field in extra:
            if name in value:
                wrong = field(value[name])
                if wrong is not None:
                    return f"{name}: {wrong}"
        return None

    return check


HEX16 = matching("[0-9a-f]{16}", "16 hex digits")
HEX64 = matching("[0-9a-f]{64}", "64 hex digits")
SAFE_PATH = matching(
    r"(?!/)(?!(?:.*/)?\.{1,2}(?:/|$))(?!.*//)[^\x00-\x1f\x7f]+(?<!/)",
    "a relative path without . or .. parts",
)


def read_document(path: str, data: bytes, check: Check) -> Any:
    """Parse and check a file that holds one JSON value. Raises Damage."""
    try:
        value = parse_json(data)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise Damage(path, line, f"not JSON: {error}") from None
    wrong = check(value)
    if wrong is not None:
        raise Damage(path, None, wrong)
    return value


def read_lines(path: str, data: bytes, check: Check) -> "tuple[list[Any], int]":
    """Parse a file of JSON lines; a torn last line is cut off.

    Returns the values and the number of bytes cut off. Raises Damage that names the line.
    """
    end = data.rfind(b"\n") + 1
    values = _all_at_once(data[:end], check)
    if values is None:
        values = _one_by_one(path, data[:end], check)
    return values, len(data) - end


def _all_at_once(data: bytes, check: Check) -> "Optional[list[Any]]":
    """Parse lines as the items of one list, in half the time; None where anything is odd."""
    lines = data.split(b"\n")[:-1]
    # a whole object on each line, so that none begins on one line and ends on another
    if not all(line[:1] == b"{" and line[-1:] == b"}" for line in lines):
        return None
    try:
        values: list[Any] = parse_json(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        return None
    fits = len(values) == len(lines) and all(check(value) is None for value in values)
    return values if fits else None


def _one_by_one(path: str, data: bytes, check: Check) -> "list[Any]":
    values: list[Any] = []
    for line, raw in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            value = parse_json(raw)
        except (ValueError, RecursionError) as error:
            raise Damage(path, line, f"not a JSON line: {error}") from None
        wrong = check(value)
        if wrong is not None:
            raise Damage(path, line, wrong)
        values.append(value)
    return values


def first_wrong(checks: Sequence[Check], value: Any) -> Optional[str]:
    """Return the first complaint of several checks."""
    for check in checks:
        wrong = check(value)
        if wrong is not None:
            return wrong
    return None
