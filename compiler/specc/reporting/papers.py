"""The documents a study asks for beside the page: report.pdf and slides.pptx.

Their libraries are an extra. Where one is missing its document is left out, and the summary, the
report and the command's answer say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from specc.model import Json

if TYPE_CHECKING:
    from specc.reporting.drawings import Drawings


class _Paper(NamedTuple):
    file: str
    key: str
    """Its name in the spec, below analysis.report."""
    module: str
    """The library it is made with, and what pip calls that."""
    package: str


_PAPERS = (
    _Paper("report.pdf", "pdf", "typst", "typst"),
    _Paper("slides.pptx", "slides", "pptx", "python-pptx"),
)


def not_written(summary: Mapping[str, Json]) -> list[dict[str, str]]:
    """Return the documents that are asked for and can't be made: file, reason, fix."""
    return [
        {
            "file": paper.file,
            "reason": f"{paper.package} is not installed",
            "fix": f"python -m pip install {paper.package}",
        }
        for paper in _asked(summary)
        if not _installed(paper.module)
    ]


def paper_files(
    summary: Mapping[str, Json], page: Callable[[], Mapping[str, Any]], drawings: Drawings
) -> dict[str, bytes]:
    """Return file name -> content of every document that is asked for and can be made.

    page: gives what all documents are made from; called only when there is one to make.
    """
    left_out = {one["file"] for one in summary.get("not_written") or ()}
    wanted = [paper for paper in _asked(summary) if paper.file not in left_out]
    if not wanted:
        return {}
    from specc.reporting.pdf import report_pdf
    from specc.reporting.slides import slides_pptx

    makers = {"pdf": report_pdf, "slides": slides_pptx}
    shown = page()
    return {paper.file: makers[paper.key](shown, drawings) for paper in wanted}


def told(one: Mapping[str, str]) -> str:
    """Return in a sentence that a document is missing, why, and what helps."""
    return f"{one['file']} was not written: {one['reason']} ({one['fix']})."


def _asked(summary: Mapping[str, Json]) -> list[_Paper]:
    analysis = (summary.get("design") or {}).get("analysis") or {}
    wanted = analysis.get("report") or {}
    return [paper for paper in _PAPERS if wanted.get(paper.key)]


def _installed(module: str) -> bool:
    try:
        import_module(module)
    except ImportError:
        return False
    return True
