"""Say how a task failed whose rank failed: which one, where, and in which words. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from ..causes.classify import CRASHES


class RankFailed(Exception):
    """A rank of a wide task failed. `report` is the attempt's own report of it."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        super().__init__(report["message"])
        self.report = dict(report)


def describe_end(
    rank: int,
    end: Mapping[str, Any],
    node: Mapping[str, Any],
    *,
    world_size: int,
    others: Mapping[str, str],
    port_taken: bool,
) -> Dict[str, Any]:
    """Return the fields of the attempt's report `failed`.

    end: what the node's process told of the rank's end; `lost` when the node itself was lost.
    node: `node`, `host` of the rank. others: how each other rank ended, by number.
    """
    last = end.get("last") or {}
    evidence: Dict[str, Any] = {**(last.get("evidence") or {}), "rank": rank, **node}
    for name in ("signal", "exit_code"):
        if end.get(name) is not None and last.get("what") != "failed":
            evidence.setdefault(name, end[name])
    tail: List[str] = list(end.get("tail") or ())
    if end.get("oom_kills"):
        evidence["oom_kills"] = end["oom_kills"]
    evidence["other_ranks"] = dict(others)
    category, transient = _category(end, last, evidence)
    if port_taken:
        category, transient = "node", True
        evidence["port_taken"] = True
    where = f"rank {rank} of {world_size} on {node['node']}"
    return {
        "category": category,
        "transient": transient,
        "suggestion": _suggestion(last, port_taken=port_taken),
        "type": last.get("type"),
        "types": last.get("types") or [],
        "message": f"{where}: {_words(end, last)}",
        "trace": tail or list(last.get("trace") or ()),
        "evidence": evidence,
    }


def _category(
    end: Mapping[str, Any], last: Mapping[str, Any], evidence: Dict[str, Any]
) -> "tuple[Optional[str], Optional[bool]]":
    if end.get("lost") is not None:
        return "node", None
    if end.get("sync_errno") is not None:
        evidence["errno"] = end["sync_errno"]
        return None, None
    if evidence.get("signal") == "SIGKILL" and end.get("oom_kills"):
        return "oom_host", None
    if last.get("what") == "failed":
        return last.get("category"), last.get("transient")
    if last.get("what") == "stopped":
        return "unknown", None  # a SIGTERM that nobody here sent
    named = end.get("signal") in CRASHES or end.get("exit_code")
    return ("program" if named else "unknown"), None


def _words(end: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    if end.get("lost") is not None:
        return f"its node was lost ({end['lost']})"
    if end.get("sync_errno") is not None:
        return "its rows could not be brought to the disk"
    if last.get("what") == "failed":
        return str(last["message"])
    if last.get("what") == "stopped":
        return "somebody else than the runtime asked it to stop"
    if end.get("signal"):
        return f"its process was ended by {end['signal']}"
    return f"its process ended with code {end.get('exit_code')} and without a result"


def _suggestion(last: Mapping[str, Any], *, port_taken: bool) -> Optional[str]:
    if port_taken:
        return "another program took the port at which the ranks meet: start the job again"
    return last.get("suggestion")
