"""Durations and sizes as people write them, to seconds and bytes and back. Pure."""

from __future__ import annotations

import math
import re
from fractions import Fraction

_MILLISECONDS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_BYTES = {"B": 1}
_BYTES |= {unit: 1000**power for power, unit in enumerate(("kB", "MB", "GB", "TB"), 1)}
_BYTES |= {unit: 1024**power for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB"), 1)}

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|min|h|d)", re.ASCII)
_CLOCK = re.compile(r"(?:([0-9]+)-)?([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])", re.ASCII)
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)", re.ASCII)


def duration_s(text: str) -> float:
    """Return the seconds of "30min", "1.5h", "01:30:00" or "1-12:00:00". Raises ValueError."""
    if found := _DURATION.fullmatch(text):
        return float(Fraction(found[1]) * _MILLISECONDS[found[2]] / 1000)
    if found := _CLOCK.fullmatch(text):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    raise ValueError(f"'{text}' is not a duration; write 30min, 12h or 01:30:00")


def size_bytes(text: str) -> int:
    """Return the bytes of "8GiB" or "1.5GB", rounded up to whole ones. Raises ValueError."""
    if found := _SIZE.fullmatch(text):
        return math.ceil(Fraction(found[1]) * _BYTES[found[2]])
    raise ValueError(f"'{text}' is not a size; write 8GiB, 512MiB or 1.5GB")


def format_duration(seconds: float) -> str:
    """Return HH:MM:SS, or D-HH:MM:SS from four days on: Slurm reads both. Rounds up to 1 s."""
    whole = math.ceil(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    if hours < 100:
        return f"{hours:02}:{minute:02}:{second:02}"
    days, hour = divmod(hours, 24)
    return f"{days}-{hour:02}:{minute:02}:{second:02}"


def format_size(size: int) -> str:
    """Return the largest binary unit that shows the size exactly, else one decimal: "8GiB"."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size >= _BYTES[unit]:
            share = size / _BYTES[unit]
            return f"{share:.0f}{unit}" if size % _BYTES[unit] == 0 else f"{share:.1f}{unit}"
    return f"{size}B"


def amount(resource: str, value: float | None) -> str:
    """Return a resource of a task as people write it: "task.memory" 2**30 -> "1GiB"."""
    if value is None:
        return "none"
    if resource.endswith("memory"):
        return format_size(int(value))
    return format_duration(value) if resource.endswith("time_limit") else f"{value:g}"
