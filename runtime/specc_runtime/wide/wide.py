"""Lead a task that is wider than one process: gather its nodes, start its ranks, see them end.

The leader is the one process of the attempt that the pool knows. Ranks write rows of their own;
the leader adds who they were and how far their clocks are apart, and vouches for all.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ..attempts.attempt import Attempt, TaskError
from ..pool.usage import together
from . import clock_offset
from .clock_offset import ClockOffset
from .gathering import Gathering, Node
from .link import LinkLost, Message
from .rank_failure import RankFailed, describe_end

_SETTLE_S = 0.3
"""How long the first failure is not judged: another rank may have been its cause."""
_OTHERS_GRACE_S = 5.0
"""The most that ranks get to end in when another one failed."""
_LAST_WORDS_S = 2.0
_SHOWN_LINES = 18

End = Dict[str, Any]


class Outcome(NamedTuple):
    """What the ranks leave to vouch for."""

    segments: List[Dict[str, Any]]
    artefacts: List[Dict[str, Any]]
    usage: Optional[Dict[str, Any]]
    """What the ranks have used; None when that is not known."""


def lead(order: Mapping[str, Any], attempt: Attempt) -> Outcome:
    """Run the ranks of a task to their end. Raises RankFailed, TaskError."""
    with Gathering(order, attempt.private_fds) as gathering:
        team = Team(order, attempt, gathering)
        try:
            team.start()
            team.watch()
        except (RankFailed, TaskError):
            raise
        except BaseException:
            # asked to stop, a second time would only cut the ranks short
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            team.stop(float(order["span"]["grace_s"]))
            raise
        return team.outcome()


class Team:
    """The ranks of one attempt, as their leader sees them."""

    def __init__(self, order: Mapping[str, Any], attempt: Attempt, gathering: Gathering) -> None:
        self._attempt = attempt
        self._gathering = gathering
        self._span = order["span"]
        self._resume = order["resume"]
        self._nodes: List[Node] = []
        self._offsets: Dict[int, ClockOffset] = {}
        self._ends: Dict[int, End] = {}
        self._pids: Dict[int, int] = {}
        self._saved: Dict[int, List[Dict[str, Any]]] = {}
        self._started = False
        self._selector = selectors.DefaultSelector()
        self._per_node = int(self._span["per_node"])
        self._world = self._per_node * len(self._span["nodes"])

    def start(self) -> None:
        """Gather the nodes, compare clocks, find everybody a place, then start all ranks."""
        self._nodes = self._gathering.wait()
        emulated = self._gathering.emulated
        if emulated:
            self._attempt.log(f"warning: one machine stands for {len(self._nodes)} nodes")
        for node in self._nodes:
            self._offsets[node.rank] = clock_offset.measure(node.link)
        gpus: List[Optional[str]] = []
        for node in self._nodes:
            pretended = [node.rank, len(self._nodes)] if emulated else [0, 1]
            told = node.link.ask(do="prepare", pretended=pretended)
            if told["unfit"] is not None:
                raise TaskError("node", str(told["unfit"]), transient=True, evidence=node.fields())
            gpus.extend(told["gpus"])
        env = {
            "WORLD_SIZE": str(self._world),
            "LOCAL_WORLD_SIZE": str(self._per_node),
            "MASTER_ADDR": self._gathering.master_address(),
            "MASTER_PORT": str(self._nodes[0].link.ask(do="port")["port"]),
        }
        self._started = True
        for node in self._nodes:
            node.link.send(do="start", env=env)
            self._selector.register(node.link, selectors.EVENT_READ, node)
        while len(self._pids) < self._world and not self._ends:
            self._listen(1.0)
        self._write_ranks("start", gpus)
        told_ranks = [
            {"rank": rank, "node": self._node_of(rank).name, "pid": pid}
            for rank, pid in sorted(self._pids.items())
        ]
        self._attempt.log(f"{self._world} ranks on {len(self._nodes)} nodes", ranks=told_ranks)

    def watch(self) -> None:
        """Wait for all ranks; the first that fails ends all. Raises RankFailed."""
        while len(self._ends) < self._world:
            self._listen(1.0)
            if any(not _is_done(end) for end in self._ends.values()):
                self._fail()
        self._write_ranks("end", [])

    def stop(self, grace_s: float) -> None:
        """Ask all ranks to end, and wait for them as long as they are given."""
        if not self._started:
            return
        for node in self._nodes:
            try:
                node.link.send(do="stop", grace_s=grace_s)
            except LinkLost:
                continue
        end = time.monotonic() + grace_s + _LAST_WORDS_S
        while len(self._ends) < self._world and time.monotonic() < end:
            self._listen(max(0.0, end - time.monotonic()))

    def outcome(self) -> Outcome:
        """Return the segments and artefacts of all ranks, rank 0's first."""
        lasts = [self._ends[rank]["last"] for rank in range(self._world)]
        return Outcome(
            segments=[segment for last in lasts for segment in last["segments"]],
            artefacts=[artefact for last in lasts for artefact in last["artefacts"]],
            usage=self._used(),
        )

    def _used(self) -> Optional[Dict[str, Any]]:
        nodes: List[List[Dict[str, Any]]] = [[] for _ in self._nodes]
        for rank, end in self._ends.items():
            if end.get("usage") is not None:
                nodes[rank // self._per_node].append(end["usage"])
        return together(nodes)

    def _fail(self) -> None:
        """Find out who failed first, end the others, and say so."""
        settled = time.monotonic() + _SETTLE_S
        while time.monotonic() < settled and len(self._ends) < self._world:
            self._listen(settled - time.monotonic())
        failed = {rank: end for rank, end in self._ends.items() if not _is_done(end)}
        first = min(failed, key=lambda rank: (failed[rank]["ended_ns"], rank))
        self.stop(min(_OTHERS_GRACE_S, float(self._span["grace_s"])))
        taken = self._port_is_taken()
        end, node = failed[first], self._node_of(first)
        self._show_output(first, end)
        others = self._others(first)
        report = describe_end(
            first, end, node.fields(), world_size=self._world, others=others, port_taken=taken
        )
        raise RankFailed({**report, "usage": self._used()})

    def _show_output(self, rank: int, end: End) -> None:
        """Repeat a rank's last lines in the output of the task, where people look first."""
        tail = list(end.get("tail") or ())[-_SHOWN_LINES:]
        name = f"output.{self._attempt.slot}.rank{rank}.log"
        text = "".join(f"{line}\n" for line in [f"== the end of {name}", *tail])
        with contextlib.suppress(OSError):
            os.write(self._attempt.output_fd, text.encode())

    def _others(self, first: int) -> Dict[str, str]:
        found = {}
        for rank in range(self._world):
            if rank != first:
                end = self._ends.get(rank)
                found[str(rank)] = "never ended" if end is None else str(_how(end))
        return found

    def _port_is_taken(self) -> bool:
        """Tell whether a stranger has the port at which the ranks were to meet."""
        try:
            node = self._nodes[0]
            node.link.send(do="port_taken")
            end = time.monotonic() + _LAST_WORDS_S
            while time.monotonic() < end:
                for message in node.link.receive():
                    if message["what"] == "port_taken":
                        return bool(message["taken"])
        except LinkLost:
            pass
        return False

    def _node_of(self, rank: int) -> Node:
        return self._nodes[rank // self._per_node]

    def _listen(self, seconds: float) -> None:
        """Take in what the nodes say within so long, at least one message."""
        for key, _ in self._selector.select(max(0.0, seconds)):
            node: Node = key.data
            try:
                for message in node.link.receive():
                    self._take(node, message)
            except LinkLost as error:
                self._selector.unregister(node.link)
                self._lose(node, str(error))

    def _take(self, node: Node, message: Message) -> None:
        what, rank = message["what"], message.get("rank", 0)
        if what == "started":
            self._pids[rank] = message["pid"]
        elif what == "ended":
            # by the leader's clock: that of the node may be ahead or behind
            message["ended_ns"] = message["t_ns"] - self._offsets[node.rank].offset_ns
            self._ends[rank] = message
        elif what == "broken":
            last = {"what": "failed", "category": None, "evidence": {"errno": message["errno"]}}
            told = {**last, "message": message["message"], "types": ["OSError"], "type": "OSError"}
            self._ends[rank] = {"ended_ns": time.monotonic_ns(), "last": told}
            self._lose(node, "its node could not start it")
        elif what == "report":
            self._pass_on(rank, message["report"])

    def _pass_on(self, rank: int, report: Message) -> None:
        if report["what"] == "log":
            self._attempt.log(report["message"], rank=rank, **report["fields"])
        elif report["what"] == "checkpoint":
            self._saved[rank] = report["segments"]
            if rank == 0:
                segments = self._attempt.segments()
                for _, others in sorted(self._saved.items()):
                    segments.extend(others)
                # ranks see each other's rows on the disk before anybody counts on them
                self._attempt.vouch(segments, report["progress"])

    def _lose(self, node: Node, why: str) -> None:
        """Count all ranks of a node as ended."""
        for local_rank in range(self._per_node):
            rank = node.rank * self._per_node + local_rank
            lost = {"ended_ns": time.monotonic_ns(), "last": None, "lost": why}
            self._ends.setdefault(rank, lost)

    def _write_ranks(self, phase: str, gpus: List[Optional[str]]) -> None:
        """Record who the ranks are and how their clocks stand."""
        for rank in sorted(self._pids):
            node = self._node_of(rank)
            offset = self._offsets[node.rank]
            if phase == "end" and rank % self._per_node == 0:
                offset = self._offsets[node.rank] = clock_offset.measure(node.link)
            self._attempt.record(
                "rank",
                phase=phase,
                rank=rank,
                local_rank=rank % self._per_node,
                node_rank=node.rank,
                world_size=self._world,
                node=node.name,
                host=node.host,
                pid=self._pids[rank],
                gpu=gpus[rank] if gpus else None,
                launcher=self._span["launcher"],
                emulated=self._gathering.emulated,
                **offset.fields(),
            )


def _is_done(end: End) -> bool:
    last = end.get("last") or {}
    return last.get("what") == "done" and end.get("sync_errno") is None


def _how(end: End) -> Optional[str]:
    if end.get("lost") is not None:
        return f"lost: {end['lost']}"
    if end.get("signal"):
        return str(end["signal"])
    last = end.get("last") or {}
    return str(last.get("what") or f"exit code {end.get('exit_code')}")
