"""What every sensor shares: a value with its reason, an absent sensor, small files.

A sensor module has `open(...) -> Sensor or Unavailable`. No read raises and no read gives 0 for
what could not be read: it gives None and a reason. Roots of file trees are arguments, so that a
test brings its own tree.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Union

Number = Union[int, float]


@dataclass(frozen=True)
class Unavailable:
    """A sensor that cannot be used here, and why."""

    sensor: str
    """Name of the sensor: "nvml", "powercap", …"""
    reason: str
    """One sentence for the reader of a report."""

    def as_dict(self) -> Dict[str, str]:
        """Give the entry of launch.json `hardware.unavailable`."""
        return {"sensor": self.sensor, "reason": self.reason}


class Value(NamedTuple):
    """One reading. Exactly one of the two is None."""

    value: Optional[Number]
    """The number in the unit that the reader's name states; None when it was not measured."""
    reason: Optional[str]
    """Why there is no value; None when there is one."""


class Text(NamedTuple):
    """The content of a small file. Exactly one of the two is None."""

    text: Optional[str]
    reason: Optional[str]


def missing(reason: str) -> Value:
    return Value(None, reason)


def present(value: Number) -> Value:
    return Value(value, None)


def energy(
    scope: str,
    source: str,
    joules: Optional[float],
    *,
    reason: Optional[str],
    detail: Optional[Dict[str, Any]] = None,
) -> Dict[str, Any]:
    """Build one Energy of the contract.

    scope: device, package or node. source: rapl, pyrapl, nvml, slurm, estimate or none.
    joules: energy of the window [J]; None together with a reason when it was not measured.
    """
    return {
        "scope": scope,
        "source": source,
        "joules": joules,
        "reason": reason,
        "detail": detail or {},
    }


def add_value(row: Dict[str, Any], name: str, value: Value) -> None:
    """Put a reading into a row: the value under `name`, and `<name>_reason` when there is none."""
    row[name] = value.value
    if value.value is None:
        row[name + "_reason"] = value.reason


def why(error: BaseException) -> str:
    """Say in one line what an OSError or any other exception means, without its traceback."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def read_text(path: str) -> Text:
    """Read a small text file without its outer blanks."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return Text(file.read().strip(), None)
    except OSError as error:
        return Text(None, why(error))


def read_text_or_none(path: str) -> Optional[str]:
    """Read a small text file where absence needs no reason (a description, not a measurement)."""
    return read_text(path).text


def read_int(path: str) -> Value:
    """Read a file that holds one integer."""
    text, reason = read_text(path)
    if text is None:
        return missing(reason or "unreadable")
    try:
        return present(int(text))
    except ValueError:
        return missing(f"{path}: not a number: {text[:40]!r}")


def parse_cpu_list(text: str) -> List[int]:
    """Read the kernel's list format, "0-3,8": [0, 1, 2, 3, 8]. Empty for anything else."""
    cpus: List[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or not (last.isdigit() or not last):
            return []
        cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


def format_cpu_list(cpus: List[int]) -> str:
    """Write CPU numbers in the kernel's list format: [0, 1, 2, 8] is "0-2,8"."""
    parts: List[str] = []
    ordered = sorted(cpus)
    start = 0
    for place in range(1, len(ordered) + 1):
        if place == len(ordered) or ordered[place] != ordered[place - 1] + 1:
            first, last = ordered[start], ordered[place - 1]
            parts.append(str(first) if first == last else f"{first}-{last}")
            start = place
    return ",".join(parts)


def allowed_cpus() -> List[int]:
    """List the CPUs this process may run on, in rising order."""
    try:
        return sorted(os.sched_getaffinity(0))
    except OSError:
        return list(range(os.cpu_count() or 1))


class OpenFile:
    """A small kernel file kept open and read again from its start: one call per sample."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd: Optional[int] = None

    def read(self, size: int = 65536) -> Text:
        """Read up to `size` bytes from the start; after an error open the file anew next time."""
        try:
            if self._fd is None:
                self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            return Text(os.pread(self._fd, size, 0).decode("utf-8", "replace"), None)
        except OSError as error:
            self.close()
            if error.filename is None:
                return Text(None, f"{self.path}: {why(error)}")
            return Text(None, why(error))

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
