"""Read declared numbers out of what a program printed or wrote.

Pure but for the JSON file it opens. A number that is not there is no error here: it is a reason,
and one that is not finite keeps its place among the others, so that none of them stands in for it.
Lines longer than LONGEST_LINE are no metrics and are passed over.
"""

from __future__ import annotations

import json
import math
import os
import re
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

LONGEST_LINE = 1 << 20
"""Bytes of one line that are searched at most."""

LARGEST_FILE = 64 << 20
"""Bytes of a JSON file that are read at most."""

_NUMBER = re.compile(
    r"[+-]?(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
)
"""A number as programs print it; commas stand between groups of three digits and nowhere else."""

_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


class Value(NamedTuple):
    """One occurrence of a metric: its number, or why it is none."""

    number: Optional[float]
    reason: Optional[str]


class Reading(NamedTuple):
    """What was found of one metric: its occurrences in order, or why there are none."""

    values: List[Value]
    reason: Optional[str]

    @property
    def complaint(self) -> Optional[str]:
        """Why there is no number at all; None when there is one."""
        if any(value.number is not None for value in self.values):
            return None
        return self.values[-1].reason if self.values else self.reason


class LineReader:
    """Looks for the metrics of one output stream in its lines, as they arrive."""

    def __init__(self, metrics: Mapping[str, Mapping[str, Any]], stream: str) -> None:
        self.found: Dict[str, List[Value]] = {}
        self.reasons: Dict[str, str] = {}
        self._json: List[Tuple[str, str]] = []
        self._regex: List[Tuple[str, re.Pattern[str]]] = []
        for name, metric in metrics.items():
            if metric["from"] == "json_lines" and stream == "stdout":
                self._json.append((name, metric.get("key") or name))
                self.reasons[name] = "no line of standard output is a JSON object with this key"
            elif metric["from"] == "regex" and metric.get("stream", "stdout") == stream:
                self._regex.append((name, re.compile(metric["pattern"])))
                self.reasons[name] = "no line of " + stream + " matches the pattern"

    @property
    def wanted(self) -> bool:
        """Whether any metric is to be found in this stream at all."""
        return bool(self._json or self._regex)

    def line(self, raw: bytes) -> None:
        """Take one line, with or without its newline."""
        if len(raw) > LONGEST_LINE:
            return
        if self._json and raw.lstrip().startswith(b"{"):
            self._json_line(raw)
        if self._regex:
            text = raw.decode("utf-8", "replace").rstrip("\r\n")
            for name, pattern in self._regex:
                match = pattern.search(text)
                if match:
                    self._take(name, _group(match))

    def _json_line(self, raw: bytes) -> None:
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            return
        for name, key in self._json:
            present, value = lookup(document, key)
            if present:
                self._take(name, value)

    def _take(self, name: str, value: Any) -> None:
        self.found.setdefault(name, []).append(as_number(value))


def collect(
    metrics: Mapping[str, Mapping[str, Any]], readers: Iterable[LineReader], folder: str
) -> Dict[str, Reading]:
    """Put together what all sources gave, in the order of declaration."""
    found: Dict[str, List[Value]] = {}
    reasons: Dict[str, str] = {}
    for reader in readers:
        found.update(reader.found)
        reasons.update(reader.reasons)
    readings = {}
    for name, metric in metrics.items():
        if metric["from"] == "json_file":
            reading = from_file(os.path.join(folder, metric["file"]), metric.get("key") or name)
        else:
            # a copy: a descendant that outlives the program may print on
            reading = Reading(list(found.get(name, [])), reasons.get(name))
        readings[name] = _take(reading, metric.get("take", "all"))
    return readings


def from_file(path: str, key: str) -> Reading:
    """Read one number, or a list of numbers, out of a JSON file."""
    name = os.path.basename(path)
    try:
        with open(path, "rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        return Reading([], name + " cannot be read: " + (error.strerror or str(error)))
    if len(raw) > LARGEST_FILE:
        return Reading([], name + " is larger than 64 MiB")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return Reading([], name + " is not JSON: " + str(error))
    present, value = lookup(document, key)
    if not present:
        return Reading([], name + " has no key " + key)
    values = [as_number(item) for item in (value if isinstance(value, list) else [value])]
    return Reading(values, None if values else name + " has an empty list there")


def lookup(document: Any, key: str) -> Tuple[bool, Any]:
    """Find `a.b.c` in nested mappings; a whole key that contains dots goes first."""
    if not isinstance(document, dict):
        return False, None
    if key in document:
        return True, document[key]
    head, dot, rest = key.partition(".")
    if dot and head in document:
        return lookup(document[head], rest)
    return False, None


def as_number(value: Any) -> Value:
    """Read a finite number. Text is one only when nothing about it needs guessing."""
    if isinstance(value, str):
        # a comma behind it is punctuation that a generous pattern took along
        return _from_text(value.strip().removesuffix(","))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Value(None, "the value found is not a number: " + json.dumps(value)[:80])
    return _finite(value)


def _from_text(text: str) -> Value:
    if _NUMBER.fullmatch(text):
        return _finite(text.replace(",", ""))
    if _NOT_FINITE.fullmatch(text):
        return Value(None, "the value found is not finite: " + text)
    # 1,5 is one and a half to some and fifteen to nobody
    hint = " (commas only group thousands)" if "," in text else ""
    return Value(None, "the value found is not a number: " + text[:80] + hint)


def _finite(value: "int | float | str") -> Value:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        return Value(None, "the value found is not finite: " + str(value)[:80])
    return Value(number, None)


def _group(match: re.Match[str]) -> Optional[str]:
    if "value" in match.re.groupindex:
        return match.group("value")
    return match.group(1)


def _take(reading: Reading, which: str) -> Reading:
    if reading.values:
        kept = {"first": reading.values[:1], "last": reading.values[-1:]}
        return Reading(kept.get(which, reading.values), None)
    return reading
