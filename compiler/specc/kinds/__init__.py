"""The kinds that the desk knows: name to package. A room is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from specc.kinds.base import PlanRoom

KINDS = {
    "command": "specc.kinds.command",
    "inference": "specc.kinds.inference",
    "training": "specc.kinds.training",
}


def plan_room(kind: str) -> PlanRoom:
    """Return what the compiler must know of a kind. Raises KeyError for an unknown one."""
    return cast("PlanRoom", import_module(f"{KINDS[kind]}.plan"))
