"""Set a report as PDF with typst: our template, the shipped font, no clock.

Equal input gives equal bytes. The file is tagged (PDF/UA-1), so that screen readers can read it;
one with signs that the shipped font has not (Chinese, say) takes the system's fonts for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from specc.reporting import blocks
from specc.reporting.drawings import Drawings
from specc.reporting.paper import paper
from specc.resources import template_folder

_STANDARD = "ua-1"
_NO_GLYPH = "could not be displayed with font"


def report_pdf(page: Mapping[str, Any], drawings: Drawings) -> bytes:
    """Return report.pdf.

    page: what all documents are made from.   drawings: its plots, whose SVG is put in.
    """
    import typst

    content = _printable(paper(page))
    shown = {
        block["path"]
        for section in content["sections"]
        for block in section["blocks"]
        if block["type"] == "figure"
    }
    sources = {
        "main": (template_folder() / "report" / "report.typ").read_bytes(),
        "page.json": json.dumps(content, allow_nan=False, ensure_ascii=False).encode(),
        **{path: drawings.files[path] for path in sorted(shown)},
    }
    # its type stub does not know that sources may be given by name
    compile_sources: Any = typst.compile
    common = {"format": "pdf", "font_paths": [str(template_folder() / "fonts")]}
    try:
        made: bytes = compile_sources(
            sources, ignore_system_fonts=True, pdf_standards=_STANDARD, **common
        )
    except typst.TypstError as error:
        if _NO_GLYPH not in str(error):
            raise
        # signs that the shipped font has not: the standard forbids to show them as boxes
        made = compile_sources(sources, ignore_system_fonts=False, **common)
    return made


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return blocks.printable(value)
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    return value
