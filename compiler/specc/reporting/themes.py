"""Colours and type of the plots, on a white page and on a dark one.

Eight series colours that people with colour-blindness can tell apart (Okabe and Ito, 2008), each
with a lighter partner for dark pages.
"""

from __future__ import annotations

from specc.model import Json

FONT = "Inter, system-ui, sans-serif"
_ON_WHITE = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7a3db8", "#555555",
)  # fmt: skip
_ON_DARK = (
    "#5ab4f0", "#ff9248", "#3fd4a8", "#f0a6cf", "#e8c34a", "#a5dcff", "#b98cf0", "#bbbbbb",
)  # fmt: skip


def _theme(ink: str, faint: str, grid: str, colours: tuple[str, ...]) -> dict[str, Json]:
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 13}
    return {
        "font": FONT,
        "background": "transparent",
        "view": {"stroke": None},
        "range": {"category": list(colours)},
        "title": {"color": ink, "fontSize": 15, "fontWeight": 600},
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "domainColor": faint,
            "tickColor": faint,
            "gridColor": grid,
            "titlePadding": 10,
        },
        "axisX": {"grid": False},
        "legend": {**text, "orient": "top", "titleFontWeight": "normal", "symbolSize": 90},
        "mark": {"color": colours[0]},
        "line": {"strokeWidth": 2},
        "text": {"color": ink, "font": FONT},
    }


LIGHT = _theme("#1c2024", "#8b939c", "#e6e9ec", _ON_WHITE)
DARK = _theme("#e6e8eb", "#6b737c", "#2b3138", _ON_DARK)
