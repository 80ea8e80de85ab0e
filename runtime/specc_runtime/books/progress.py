"""Tell how far a launch is: progress.json in its folder, and lines on the terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, Dict, List, Mapping, Optional

_FIRST_S = 2.0
_LAST_S = 600.0


class Progress:
    """Counts of one launch; `show` decides how often anything is written.

    progress.json is replaced ever more rarely as the launch grows older, since each time costs
    metadata operations on a shared file system.
    """

    def __init__(self, path: str, *, total: int, done: int, mode: str, label: str) -> None:
        self._path = path
        self._mode = mode
        """"json", "tty" or "plain"."""
        self._label = label
        self._started = time.monotonic()
        self._last_end = self._started
        self._next_file = 0.0
        self._next_line = 0.0
        self._last_news: Any = None
        self.total = total
        self.completed = done
        self._settled_before = done
        self.failed = 0
        self.stopped = 0
        self.not_run = 0

    def task_completed(self) -> None:
        """Count a task that completed just now."""
        self.completed += 1
        self._last_end = time.monotonic()

    def task_failed(self) -> None:
        """Count a task that failed just now and isn't tried again by this launch."""
        self.failed += 1
        self._last_end = time.monotonic()

    def task_stopped(self) -> None:
        """Count a task that was stopped: a later launch goes on with it."""
        self.stopped += 1

    def give_up(self, tasks: int) -> None:
        """Count tasks that failed in earlier launches and aren't tried again."""
        self.failed += tasks
        self._settled_before += tasks

    def due(self, now: float) -> bool:
        """True when `show` would write something."""
        return now >= min(self._next_file, self._next_line)

    def show(self, slots: List[Dict[str, Any]], *, last: bool = False) -> None:
        """Write what is due; everything when `last`."""
        now = time.monotonic()
        state = self._state(slots, now)
        if last or now >= self._next_file:
            self._next_file = now + min(_LAST_S, max(_FIRST_S, (now - self._started) / 10))
            self._replace(state)
        if last or now >= self._next_line:
            self._next_line = now + (0.2 if self._mode == "tty" else 1.0)
            self._line(state, last)

    def _state(self, slots: List[Dict[str, Any]], now: float) -> Dict[str, Any]:
        share = 100.0 * self.completed / self.total if self.total else 100.0
        return {
            "total": self.total,
            "completed": self.completed,
            "failed": self.failed,
            "stopped": self.stopped,
            "running": sum(slot["state"] == "running" for slot in slots),
            "not_run": self.not_run,
            "percent": round(share, 2),
            "eta_s": self._eta(now),
            "slots": slots,
        }

    def _eta(self, now: float) -> Optional[float]:
        """Return seconds left at the pace up to the last end; they run down until the next one.

        None before the first end, and once tasks were stopped or put off, which this launch
        won't end.
        """
        left = self.total - self.completed - self.failed
        here = self.completed + self.failed - self._settled_before
        if left <= 0:
            return 0.0
        if here <= 0 or self.not_run or self.stopped:
            return None
        pace_s = (self._last_end - self._started) / here
        return round(max(0.0, left * pace_s - (now - self._last_end)), 1)

    def _replace(self, state: Mapping[str, Any]) -> None:
        draft = self._path + ".new"
        try:
            with open(draft, "w", encoding="utf-8") as file:
                json.dump(state, file)
                file.write("\n")
            os.replace(draft, self._path)
        except OSError:
            return  # the journal is what counts

    def _line(self, state: Mapping[str, Any], last: bool) -> None:
        if self._mode == "none":
            return
        news = self._news(state, last)
        if news == self._last_news:
            return
        self._last_news = news
        if self._mode == "json":
            text = json.dumps({"progress": {"shard": self._label, **state}}) + "\n"
        elif self._mode == "tty":
            text = "\r\x1b[K" + self._sentence(state) + ("\n" if last else "")
        else:
            text = self._sentence(state) + "\n"
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            return

    def _news(self, state: Mapping[str, Any], last: bool) -> Any:
        """Return what must differ for a line to be written; a log gets none for the time left."""
        if self._mode == "tty":
            return self._sentence(state), last
        if self._mode == "json":
            return {name: value for name, value in state.items() if name != "eta_s"}
        ended = tuple(state[name] for name in ("completed", "failed", "stopped", "not_run"))
        if self._last_news is None and not (state["running"] or last):
            return None  # nothing has started: the first line should say what runs
        return ended

    def _sentence(self, state: Mapping[str, Any]) -> str:
        most = 100 if state["completed"] == state["total"] else 99
        percent = min(most, round(state["percent"]))
        parts = [f"[{state['completed']}/{state['total']}] {percent} %"]
        if state["eta_s"]:
            parts.append("eta " + _clock(state["eta_s"]))
        parts.append(f"running {state['running']}")
        if state["failed"]:
            parts.append(f"failed {state['failed']}")
        if state["stopped"]:
            parts.append(f"stopped {state['stopped']}")
        if state["not_run"]:
            parts.append(f"not run {state['not_run']}")
        return f"{self._label}  " + "  ".join(parts)


def terminal_mode(environ: Mapping[str, str]) -> str:
    """Return how to show progress: SPECC_PROGRESS, else by what stderr is."""
    asked = environ.get("SPECC_PROGRESS", "")
    if asked in ("json", "plain", "none"):
        return asked
    return "tty" if sys.stderr.isatty() else "plain"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
