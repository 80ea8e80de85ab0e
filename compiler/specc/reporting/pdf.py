"""Set a report as PDF with typst: our template, the shipped font, no clock, no system font.

Equal input gives equal bytes. The file is tagged (PDF/UA-1), so that screen readers can read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from specc.reporting.paper import paper
from specc.resources import template_folder

_STANDARD = "ua-1"


def report_pdf(page: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """Return report.pdf.

    page: what all documents are made from.   files: the plots, SVG among them, by their path.
    """
    import typst

    content = paper(page)
    shown = {
        block["path"]
        for section in content["sections"]
        for block in section["blocks"]
        if block["type"] == "figure"
    }
    sources = {
        "main": (template_folder() / "report" / "report.typ").read_bytes(),
        "page.json": json.dumps(content, allow_nan=False, ensure_ascii=False).encode(),
        **{path: files[path] for path in sorted(shown)},
    }
    made: bytes = typst.compile(
        sources,
        format="pdf",
        font_paths=[str(template_folder() / "fonts")],
        ignore_system_fonts=True,
        pdf_standards=_STANDARD,
    )
    return made
