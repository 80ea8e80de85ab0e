"""Who compiled what, when: compile.json, the one file of a bundle that stands outside its hash."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from specc.model import Document, Json
from specc.stages.seal import specc_version
from specc.surveying.code import git_state


def provenance(document: Document) -> dict[str, Json]:
    """Return what compile.json says beside the bundle's id."""
    commit, dirty = git_state(document.source.path.parent)
    return {
        "compiled_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command_line": list(sys.argv),
        "specc_version": specc_version(),
        "git": {"commit": commit, "dirty": dirty},
        "spec_text": document.source.text,
    }
