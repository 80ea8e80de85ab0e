"""The door to `sensors/`: describing and sampling the hardware never stops a run."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional, Protocol

from ..log import Log, say

_INTERVAL_S = 1.0


class Sampler(Protocol):
    """A process that samples until it is stopped."""

    @property
    def pid(self) -> Optional[int]: ...

    def stop(self) -> None: ...


def describe_hardware() -> Dict[str, Any]:
    """Describe this machine for launch.json; the reason where that can't be done."""
    try:
        from ..sensors import machine

        return machine.describe()
    except Exception as error:
        say(f"warning: the machine can't be described: {error}")
        reason = f"{type(error).__name__}: {error}"
        return {"unavailable": [{"sensor": "machine", "reason": reason}]}


def start_sampler(path: str, log: Log) -> Optional[Sampler]:
    """Start sampling this process and its descendants; None, and a log line, where that fails."""
    try:
        from ..sensors import sampler

        started: Sampler = sampler.start(path, _INTERVAL_S, os.getpid())
    except Exception as error:
        log.warning(f"no hardware samples: {type(error).__name__}: {error}")
        return None
    return started
