"""What a compile ends in: the files of a bundle, and the bundle that they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from specc.model import Plan

Content: TypeAlias = bytes
"""The bytes of a file; a name of its own, for a field `bytes` hides the type in its class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFile:
    """One file of a bundle: small ones as content, large ones as a path to copy from."""

    path: str
    mode: int
    bytes: int
    sha256: str
    content: Content | None
    source: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A sealed bundle, not yet written."""

    bundle_id: str
    files: tuple[BundleFile, ...]
    """Sorted by path; manifest.json and manifest-sha256.txt included, compile.json not."""
    plan: Plan
