"""Durations and sizes."""

from __future__ import annotations

import re

import pytest

from specc.language.units import duration_s, format_duration, format_size, size_bytes
from specc.resources import schema

DURATIONS = {
    "90s": 90.0,
    "30min": 1800.0,
    "1.5h": 5400.0,
    "12 h": 43200.0,
    "2d": 172800.0,
    "250ms": 0.25,
    "0.1s": 0.1,
    "01:30:00": 5400.0,
    "100:00:00": 360000.0,
    "1-12:00:00": 129600.0,
}
SIZES = {
    "0B": 0,
    "8GiB": 8589934592,
    "1.5GB": 1500000000,
    "512 MiB": 536870912,
    "1kB": 1000,
    "0.5B": 1,
    "2TiB": 2199023255552,
}
NOT_DURATIONS = ["", "90", "1 hour", "1:30", "-1s", "1e3s", "01:60:00", "٣s", "30min\n", "x2"]
NOT_SIZES = ["", "8", "8 gb", "8Gi", "-1GiB", "1e3GiB", "8GiB ", "8GiB\n"]


@pytest.mark.parametrize("text", DURATIONS)
def test_duration_in_seconds(text: str) -> None:
    assert duration_s(text) == DURATIONS[text]


@pytest.mark.parametrize("text", SIZES)
def test_size_in_bytes(text: str) -> None:
    assert size_bytes(text) == SIZES[text]


@pytest.mark.parametrize("text", NOT_DURATIONS)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration_s(text)


@pytest.mark.parametrize("text", NOT_SIZES)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        size_bytes(text)


@pytest.mark.parametrize("text", [*DURATIONS, *NOT_DURATIONS])
def test_schema_and_reader_agree_on_durations(text: str) -> None:
    pattern = schema("spec")["properties"]["job"]["properties"]["time_limit"]["pattern"]
    assert bool(re.search(pattern, text)) == (text in DURATIONS)


@pytest.mark.parametrize("text", [*SIZES, *NOT_SIZES])
def test_schema_and_reader_agree_on_sizes(text: str) -> None:
    pattern = schema("spec")["properties"]["task"]["properties"]["memory"]["pattern"]
    assert bool(re.search(pattern, text)) == (text in SIZES)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00:00"), (0.2, "00:00:01"), (46200, "12:50:00"), (86400, "24:00:00"),
     (359999, "99:59:59"), (360000, "4-04:00:00")],
)  # fmt: skip
def test_duration_as_text(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
    assert duration_s(text) >= seconds


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (1023, "1023B"), (1024, "1KiB"), (8589934592, "8GiB"), (1500000000, "1.4GiB")],
)
def test_size_as_text(size: int, text: str) -> None:
    assert format_size(size) == text
