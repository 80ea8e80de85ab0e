"""The structured log of a launch, and the few lines that people see on the terminal.

Logging never stops a run: a log line that can't be written is dropped.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, Optional


def say(message: str) -> None:
    """Write one line to the terminal (stderr)."""
    try:
        sys.stderr.write(f"specc: {message}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return


class Log:
    """log.jsonl of one launch: one JSON object on each line."""

    def __init__(self, path: Optional[str]) -> None:
        self._fd: Optional[int] = None
        if path is not None:
            try:
                self._fd = os.open(
                    path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644
                )
            except OSError as error:
                say(f"no log: {error}")

    def write(self, level: str, message: str, **fields: Any) -> None:
        """Append a line; warnings and errors are shown on the terminal as well."""
        if level != "info":
            say(f"{level}: {message}")
        if self._fd is None:
            return
        line = {
            "epoch_ns": time.time_ns(),
            "t_ns": time.monotonic_ns(),
            "level": level,
            "message": message,
            **fields,
        }
        try:
            os.write(self._fd, json.dumps(line, default=str, ensure_ascii=False).encode() + b"\n")
        except (OSError, ValueError):
            return

    def info(self, message: str, **fields: Any) -> None:
        self.write("info", message, **fields)

    def warning(self, message: str, **fields: Any) -> None:
        self.write("warning", message, **fields)

    def error(self, message: str, **fields: Any) -> None:
        self.write("error", message, **fields)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
