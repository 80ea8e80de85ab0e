"""What a shard starts before its tasks and stops after them.

A fixture's type is looked up in `TYPES`; its states go into the journal. A warm parent that can't
be had costs time, never the run: attempts are then forked from the pool.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Protocol, Sequence

from .journal import Journal
from .warm import WarmParent

_HEALTHY_LIMIT_S = 600.0


class FixtureFailed(Exception):
    """A fixture that the shard can't do without did not come up."""


class Spawner(Protocol):
    """Starts attempts in the pool's stead."""

    pid: Optional[int]

    def spawn(self, order: Mapping[str, Any], fds: Sequence[int]) -> None: ...


class Fixtures:
    """All fixtures of one launch."""

    def __init__(self, stated: Sequence[Mapping[str, Any]], journal: Journal) -> None:
        self._stated = stated
        self._journal = journal
        self._warm: Optional[WarmParent] = None

    @property
    def spawner(self) -> Optional[Spawner]:
        """Who forks attempts; None: the pool itself."""
        return self._warm

    def start(
        self, env: Mapping[str, str], close: Iterable[int], stopping: Callable[[], bool]
    ) -> None:
        """Start them in their order. Raises FixtureFailed."""
        for stated in self._stated:
            start = TYPES.get(stated["type"])
            if start is None:
                self._tell(stated["type"], "failed", "this runtime does not know it")
                raise FixtureFailed(f"fixture {stated['type']}: this runtime does not know it")
            start(self, stated["options"], env, close, stopping)

    def start_warm(
        self,
        options: Mapping[str, Any],
        env: Mapping[str, str],
        close: Iterable[int],
        stopping: Callable[[], bool],
    ) -> None:
        warm = WarmParent(options.get("imports", ()), env)
        warm.start(close)
        self._tell("warm_parent", "started", {"pid": warm.pid})
        refused = warm.healthy(_HEALTHY_LIMIT_S, stopping)
        if refused is None:
            self._warm = warm
            self._tell("warm_parent", "healthy", None)
        else:
            warm.stop()
            self._tell("warm_parent", "failed", refused)

    def ended(self, pid: int) -> bool:
        """Take note of a process that ended; True when it was a fixture."""
        if self._warm is None or self._warm.pid != pid:
            return False
        self._warm.pid = None
        self._warm.stop()
        self._warm = None
        self._tell("warm_parent", "failed", "it ended; attempts are forked from the pool now")
        return True

    def stop(self) -> None:
        if self._warm is not None:
            self._warm.stop()
            self._warm = None
            self._tell("warm_parent", "stopped", None)

    def pids(self) -> List[int]:
        return [self._warm.pid] if self._warm is not None and self._warm.pid else []

    def _tell(self, kind: str, state: str, detail: Any) -> None:
        self._journal.write("fixture", type=kind, state=state, detail=detail)


TYPES: Dict[str, Callable[..., None]] = {"warm_parent": Fixtures.start_warm}
