"""Write what a comparison came to: comparison.json, its pages and plots, junit.xml."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from specc.comparing.junit import comparison_cases, junit
from specc.model import Json
from specc.reporting.comparison_page import comparison_files


def write_comparison(comparison: Mapping[str, Json], out: Path) -> list[Path]:
    """Write all files of a comparison below `out` and return their paths, sorted."""
    text = json.dumps(comparison, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    files = {"comparison.json": text.encode(), **comparison_files(comparison)}
    if comparison["comparable"]:
        name = f"{comparison['current']['bundle']} {comparison['current']['run']}"
        files["junit.xml"] = junit(comparison_cases(comparison), name=name).encode()
    for name, data in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return sorted(out / name for name in files)
