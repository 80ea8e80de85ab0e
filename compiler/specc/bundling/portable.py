"""A resolved spec as it may be hashed: no path of the compiling machine in it.

What came from the desk is named by its place in the bundle; where a file once lay is no part of
what the bundle is.
"""

from __future__ import annotations

import copy
import hashlib
import re
from pathlib import PurePosixPath

from specc.model import Json, Spec

_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


def safe_name(name: str) -> str:
    """Return a file name for `name`: itself when it is safe, else a unique stand-in."""
    if _SAFE_NAME.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60]
    return f"{words or 'input'}-{digest}"


def input_path(name: str) -> str:
    """Place of a desk input inside the bundle."""
    return f"inputs/{safe_name(name)}"


def image_path(environment: str) -> str:
    """Place of a container image that the bundle carries."""
    return f"images/{safe_name(environment)}.sif"


def named_environments(data: dict[str, Json]) -> dict[str, dict[str, Json]]:
    """Return a spec's environments by name; one that stands alone is called "default"."""
    declared: dict[str, Json] = data.get("environment") or {}
    if not declared:
        return {}
    if all(isinstance(value, dict) for value in declared.values()) and "variables" not in declared:
        return declared
    return {"default": declared}


def portable_spec(spec: Spec) -> dict[str, Json]:
    """Return spec.data with places inside the bundle instead of places on this machine."""
    data: dict[str, Json] = copy.deepcopy(spec.data)
    data.pop("include", None)
    for declared in data.get("inputs") or ():
        if declared.get("at", "desk") == "desk" and declared.get("path") is not None:
            declared["path"] = input_path(declared["name"])
    if isinstance(data.get("code"), dict):
        data["code"]["path"] = "code"
    for name, environment in named_environments(data).items():
        environment.pop("find_links", None)
        if environment.get("image") and environment.get("at") == "desk":
            environment["image"] = image_path(name)
    cluster = data.get("cluster")
    if isinstance(cluster, str):
        data["cluster"] = PurePosixPath(cluster).stem
    return data
