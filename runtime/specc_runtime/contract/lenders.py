"""Find the bundle from which a thin bundle takes its wheels, inputs and images.

It stands beside the thin one under its id, or SPECC_PARENT names it. Only its manifest's own hash
makes a folder the lender: a name proves nothing.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Iterator, Mapping, Optional

from .fields import Damage
from .manifest import Manifest, manifest_id

PARENT = "SPECC_PARENT"
"""Where lenders are: their folders, or folders that hold them; colons between."""


def find_lender(
    bundle: "str | os.PathLike[str]", manifest: Manifest, environ: Mapping[str, str]
) -> Optional[str]:
    """Return the folder of the bundle that this one borrows from; None when there is none here.

    Only meaningful for a manifest that borrows.
    """
    wanted = manifest.borrowed_from
    if wanted is None:
        return None
    for folder in _places(os.path.abspath(bundle), wanted, environ):
        try:
            if manifest_id(folder) == wanted:
                return folder
        except (Damage, OSError):
            continue  # whatever it is, it is not the bundle that is looked for
    return None


def why_no_lender(
    bundle: "str | os.PathLike[str]", manifest: Manifest, environ: Mapping[str, str]
) -> str:
    """Say which bundle is missing, where it was looked for, and what to do."""
    wanted = manifest.borrowed_from
    files = manifest.borrowed
    size = sum(one.bytes for one in files) / 2**20
    beside = os.path.join(os.path.dirname(os.path.abspath(bundle)), str(wanted))
    asked = environ.get(PARENT)
    also = f" nor in {PARENT}={asked}" if asked else f", and {PARENT} is not set"
    return (
        f"this bundle borrows {len(files)} files ({size:.1f} MiB) from {wanted},"
        f" which is neither at {beside}{also};\n"
        f"copy {wanted} beside this bundle, or set {PARENT} to its folder,"
        " or compile again with `specc rerun --full`"
    )


def with_lender(manifest: Manifest, lender: Optional[str]) -> Manifest:
    """Return the manifest with the paths of inputs that stand in the lender made absolute."""
    if lender is None:
        return manifest
    borrowed = [one.path for one in manifest.borrowed]
    inputs = [
        {**entry, "path": os.path.join(lender, entry["path"])}
        if entry["at"] == "desk" and _holds(borrowed, entry["path"])
        else entry
        for entry in manifest.predicate["inputs"]
    ]
    return dataclasses.replace(manifest, predicate={**manifest.predicate, "inputs": inputs})


def _holds(paths: "list[str]", place: str) -> bool:
    return any(path == place or path.startswith(place + "/") for path in paths)


def _places(bundle: str, wanted: str, environ: Mapping[str, str]) -> Iterator[str]:
    for place in environ.get(PARENT, "").split(":"):
        if place:
            # tasks work in folders of their own: a relative path would mean nothing there
            yield os.path.abspath(place)
            yield os.path.abspath(os.path.join(place, wanted))
    yield os.path.join(os.path.dirname(bundle), wanted)
    # a link to the bundle may stand elsewhere than the bundle
    yield os.path.join(os.path.dirname(os.path.realpath(bundle)), wanted)
