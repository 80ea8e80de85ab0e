"""What a shard starts before its tasks and stops after them.

A fixture's type is looked up in `TYPES`; its states go into the journal. A warm parent that can't
be had costs time, never the run; MPS that is not there is done without. A server must be healthy
before a task starts; one that dies is started again, once.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple

from .journal import Journal
from .log import Log
from .mps import Mps
from .server import Server
from .stage import NotUsable, Stage
from .warm import WarmParent

_WARM_LIMIT_S = 600.0
_POLL_S = 0.05
_RESTARTS = 1

Stopping = Callable[[], bool]


class FixtureFailed(Exception):
    """A fixture that the shard can't do without did not come up."""


class Spawner(Protocol):
    """Starts attempts in the pool's stead."""

    pid: Optional[int]

    def spawn(self, order: Mapping[str, Any], fds: Sequence[int]) -> None: ...


class Watched(Protocol):
    """A fixture that runs beside the tasks."""

    type: str
    name: Optional[str]

    @property
    def start_limit_s(self) -> float: ...
    @property
    def environment(self) -> Dict[str, str]: ...
    def start(self) -> Any: ...
    def healthy(self) -> bool: ...
    def ended(self, pid: int) -> bool: ...
    def stop(self) -> None: ...
    def pids(self) -> List[int]: ...
    def last_lines(self) -> List[str]: ...
    def do_without(self, reason: str) -> Optional[Dict[str, Any]]: ...


@dataclass
class _Watch:
    """One watched fixture: "starting", "up", "down", or "gone" when nobody needs it any more."""

    fixture: Watched
    state: str = "down"
    since: float = 0.0
    starts: int = 0

    @property
    def called(self) -> str:
        return f"fixture {self.fixture.name or self.fixture.type}"


class Fixtures:
    """All fixtures of one launch."""

    def __init__(
        self, stated: Sequence[Mapping[str, Any]], stage: Stage, journal: Journal, log: Log
    ) -> None:
        self._stated = stated
        self._stage = stage
        self._journal = journal
        self._log = log
        self._warm: Optional[WarmParent] = None
        self._watches: List[_Watch] = []
        self._falls: List[Tuple[float, Dict[str, Any]]] = []
        self.env: Dict[str, str] = {}
        """Variables for attempts; kept up to date."""
        self.broken: Optional[str] = None
        """Why no further task can run; None while they can."""

    @property
    def spawner(self) -> Optional[Spawner]:
        """Who forks attempts; None: the pool itself."""
        return self._warm

    @property
    def mps(self) -> bool:
        """True while an MPS daemon serves this launch."""
        return any(each.fixture.type == Mps.type and each.state == "up" for each in self._watches)

    @property
    def ready(self) -> bool:
        """True while tasks may be started."""
        return all(watch.state in ("up", "gone") for watch in self._watches)

    def start(self, stopping: Stopping) -> None:
        """Start them in their order. Raises FixtureFailed."""
        for stated in self._stated:
            start = TYPES.get(stated["type"])
            if start is None:
                self._tell(stated["type"], "failed", "this runtime does not know it")
                raise FixtureFailed(f"fixture {stated['type']}: this runtime does not know it")
            start(self, stated["options"], stopping)

    def start_warm(self, options: Mapping[str, Any], stopping: Stopping) -> None:
        """Start a warm parent and wait until it has imported everything."""
        warm = WarmParent(options.get("imports", ()), {**self._stage.env, **self.env})
        warm.start(self._stage.own_fds)
        self._tell("warm_parent", "started", {"pid": warm.pid})
        refused = warm.healthy(_WARM_LIMIT_S, stopping)
        if refused is None:
            self._warm = warm
            self._tell("warm_parent", "healthy", None)
        else:
            warm.stop()
            self._tell("warm_parent", "failed", refused)

    def start_mps(self, options: Mapping[str, Any], stopping: Stopping) -> None:
        self._start_watched(Mps(options, self._stage), stopping)

    def start_server(self, options: Mapping[str, Any], stopping: Stopping) -> None:
        self._start_watched(Server(options, self._stage), stopping)

    def _start_watched(self, fixture: Watched, stopping: Stopping) -> None:
        watch = _Watch(fixture)
        self._watches.append(watch)
        self._begin(watch)
        while watch.state == "starting" and not stopping():
            time.sleep(_POLL_S)
            for pid in fixture.pids():
                with contextlib.suppress(ChildProcessError):
                    if os.waitpid(pid, os.WNOHANG)[0] and fixture.ended(pid):
                        self._give_up(watch, "it ended before it was healthy")
            self._advance(watch)
        if self.broken is not None:
            raise FixtureFailed(self.broken)

    def _begin(self, watch: _Watch) -> None:
        watch.starts += 1
        watch.since = time.monotonic()
        try:
            detail = watch.fixture.start()
        except NotUsable as error:
            self._give_up(watch, str(error))
            return
        watch.state = "starting"
        self.env.update(watch.fixture.environment)
        self._tell(watch.fixture.type, "started", detail, watch.fixture.name)

    def _advance(self, watch: _Watch) -> None:
        if watch.state != "starting":
            return
        waited = time.monotonic() - watch.since
        if watch.fixture.healthy():
            watch.state = "up"
            detail = {"after_s": round(waited, 3)}
            self._tell(watch.fixture.type, "healthy", detail, watch.fixture.name)
        elif waited > watch.fixture.start_limit_s:
            self._give_up(watch, f"it was not healthy after {watch.fixture.start_limit_s:g} s")

    def _give_up(self, watch: _Watch, reason: str) -> None:
        """Do without a fixture, or without any further task."""
        fixture = watch.fixture
        without, lines = fixture.do_without(reason), fixture.last_lines()
        for name in fixture.environment:
            self.env.pop(name, None)
        fixture.stop()
        watch.state = "gone"
        detail = without or {"reason": reason, "tail": lines}
        self._tell(fixture.type, "failed", detail, fixture.name)
        if without is None:
            last = f"; its last line: {lines[-1]}" if lines else ""
            self.broken = self.broken or f"{watch.called}: {reason}{last}"
        else:
            self._log.warning(f"{watch.called}: {reason}; tasks share GPUs: {without['sharing']}")

    def ended(self, pid: int) -> bool:
        """Take note of a process that ended; True when it was a fixture."""
        if self._warm is not None and self._warm.pid == pid:
            self._warm.pid = None
            self._warm.stop()
            self._warm = None
            self._tell("warm_parent", "failed", "it ended; attempts are forked from the pool now")
            return True
        for watch in self._watches:
            lines = watch.fixture.last_lines()
            if watch.fixture.ended(pid):
                self._fell(watch, lines)
                return True
        return False

    def _fell(self, watch: _Watch, lines: List[str]) -> None:
        watch.state = "down"
        detail = {"reason": "it ended while tasks ran", "tail": lines}
        self._tell(watch.fixture.type, "failed", detail, watch.fixture.name)
        self._log.warning(f"{watch.called} ended while tasks ran")
        if watch.fixture.do_without("") is None:
            told = {"fixture": watch.fixture.name or watch.fixture.type, **detail}
            self._falls.append((time.monotonic(), told))

    def look(self, *, stopping: bool) -> None:
        """Start again what fell, unless the launch is ending anyway."""
        for watch in self._watches:
            if watch.state == "down" and not stopping:
                if watch.starts > _RESTARTS:
                    self._give_up(watch, "it ended again")
                else:
                    self._begin(watch)
            self._advance(watch)

    def fault_since(self, started: float) -> Optional[Dict[str, Any]]:
        """Return what fell after an attempt started [monotonic s]; None when all stood."""
        return next((told for at, told in reversed(self._falls) if at >= started), None)

    def stop(self) -> None:
        """Stop them, the last one first."""
        if self._warm is not None:
            self._warm.stop()
            self._warm = None
            self._tell("warm_parent", "stopped", None)
        for watch in reversed(self._watches):
            stood = watch.state in ("up", "starting")
            watch.fixture.stop()
            if stood:
                watch.state = "gone"
                self._tell(watch.fixture.type, "stopped", None, watch.fixture.name)

    def pids(self) -> List[int]:
        """Children of the pool that are no attempts."""
        warm = [self._warm.pid] if self._warm is not None and self._warm.pid else []
        return warm + [pid for watch in self._watches for pid in watch.fixture.pids()]

    def _tell(self, kind: str, state: str, detail: Any, name: Optional[str] = None) -> None:
        named = {} if name is None else {"name": name}
        self._journal.write("fixture", type=kind, state=state, detail=detail, **named)


TYPES: Dict[str, Callable[[Fixtures, Mapping[str, Any], Stopping], None]] = {
    "warm_parent": Fixtures.start_warm,
    "mps": Fixtures.start_mps,
    "server": Fixtures.start_server,
}
