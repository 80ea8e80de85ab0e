"""Read events.jsonl, the journal of one launch.

A torn last line is cut off and counted; any other damage is an error with file and line.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from .categories import CATEGORIES
from .fields import (
    HEX16,
    HEX64,
    SAFE_PATH,
    Check,
    Damage,
    anything,
    boolean,
    count,
    integer,
    list_of,
    map_of,
    nullable,
    number,
    one_of,
    ordinal,
    positive,
    read_lines,
    record,
    text,
)
from .segments import LAUNCH_NAME, LAUNCH_PATH, SEGMENT

_TASK = {"task_id": HEX16, "attempt": ordinal, "slot": count}
_OUTPUT = {"output": record({"file": SAFE_PATH, "offset": count, "bytes": count})}
_USAGE = {"usage": record({"max_rss_bytes": count, "user_s": positive, "system_s": positive})}
_ARTEFACT = record({"path": SAFE_PATH, "bytes": count, "sha256": HEX64})
_BESIDE = {"beside": list_of(HEX16)}

EVENTS: Dict[str, Check] = {
    "launch_started": record({"launch": LAUNCH_NAME, "tasks": count, "done": count}),
    "task_started": record(
        {**_TASK, "pid": ordinal, "gpu": nullable(text), "neighbours": list_of(HEX16)}, _OUTPUT
    ),
    "task_checkpoint": record(
        {**_TASK, "segments": list_of(SEGMENT), "progress": map_of(anything)}
    ),
    "task_completed": record(
        {
            **_TASK,
            "segments": list_of(SEGMENT),
            "duration_s": positive,
            "artefacts": list_of(_ARTEFACT),
        },
        {**_OUTPUT, **_USAGE, **_BESIDE},
    ),
    "task_failed": record(
        {
            **_TASK,
            "category": one_of(*CATEGORIES),
            "transient": boolean,
            "type": nullable(text),
            "message": text,
            "exit_code": nullable(integer),
            "signal": nullable(text),
            "stderr_tail": list_of(text),
            "evidence": map_of(anything),
            "suggestion": nullable(text),
            "will_retry": boolean,
            "duration_s": nullable(positive),
        },
        {**_OUTPUT, **_USAGE, **_BESIDE},
    ),
    "task_reused": record({"task_id": HEX16, "launch": LAUNCH_PATH}),
    "task_not_run": record({"task_id": HEX16, "reason": text}),
    "fixture": record(
        {
            "type": text,
            "state": one_of("started", "healthy", "failed", "stopped"),
            "detail": anything,
        },
        {"name": text},
    ),
    "gpu_set_aside": record({"gpu": text, "reason": text}),
    "requeue": record({"granted": boolean, "detail": text}),
    "signal": record({"name": text, "seconds_left": nullable(number)}),
    "launch_ended": record({"exit_code": count, "reason": nullable(text), "counts": map_of(count)}),
}
"""Fields of each event, beside those that every line has."""

_EVERY = record({"event": one_of(*EVENTS), "seq": count, "t_ns": integer, "epoch_ns": integer})


def check_event(value: Any) -> Optional[str]:
    """Check one line of a journal."""
    wrong = _EVERY(value)
    return wrong if wrong is not None else EVENTS[value["event"]](value)


@dataclass(frozen=True)
class Journal:
    """The events of one launch in their order, and what a crash tore off."""

    events: Tuple[Dict[str, Any], ...]
    torn_bytes: int
    """Bytes of an unfinished last line that were left out."""


def parse_journal(data: bytes, *, file: str = "events.jsonl") -> Journal:
    """Parse a journal. Raises Damage with file and line."""
    values, torn = read_lines(file, data, check_event)
    return Journal(tuple(values), torn)


def read_journal(path: "str | os.PathLike[str]") -> Journal:
    """Read a journal; a missing file is an empty one (the launch died before its first line).

    Raises Damage.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            return parse_journal(file.read(), file=name)
    except FileNotFoundError:
        return Journal((), 0)
    except OSError as error:
        raise Damage(name, None, f"can't be read: {error.strerror}") from None
