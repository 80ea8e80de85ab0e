"""One row of hardware.jsonl: what a machine did at a moment of a launch."""

from __future__ import annotations

from typing import Any, Optional

from .fields import (
    Check,
    count,
    integer,
    list_of,
    map_of,
    nullable,
    number,
    positive,
    record,
    text,
)

SAMPLES = "hardware.jsonl"

_GPU = record(
    {"uuid": text},
    {
        "util_pct": nullable(number),
        "memory_used_bytes": nullable(count),
        "power_w": nullable(number),
        "throttle": nullable(list_of(text)),
        "foreign_processes": nullable(count),
    },
)
_DISK = record({"name": text, "read_bytes": count, "write_bytes": count, "busy_s": positive})
_NETWORK = record(
    {
        "name": text,
        "rx_bytes": count,
        "tx_bytes": count,
        "limit_bytes_per_s": nullable(positive),
    }
)
_DEVICES = {"disks": nullable(list_of(_DISK)), "networks": nullable(list_of(_NETWORK))}
_devices = record({}, _DEVICES)
_numbers = map_of(nullable(number))


def _counters(value: Any) -> Optional[str]:
    """Lists of devices, and numbers by any other name."""
    if not isinstance(value, dict):
        return "must be an object"
    rest = {name: one for name, one in value.items() if name not in _DEVICES}
    return _devices(value) or _numbers(rest)


check_sample: Check = record(
    {
        "t_ns": integer,
        "cpu_util_pct": nullable(number),
        "gpus": nullable(list_of(_GPU)),
    },
    {
        "counters": nullable(_counters),
        "memory_available_bytes": nullable(count),
        "rss_bytes": nullable(count),
        "unavailable": list_of(record({"sensor": text, "reason": text})),
    },
)
