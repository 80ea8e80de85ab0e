"""Colours and type of the plots, on a white page and on a dark one.

Seven series colours after Okabe and Ito (2008) that people with colour-blindness can tell apart
(a test computes it), each with a partner for dark pages. Colour is never the only channel: lines
differ in their dashes and points in their shapes too.
"""

from __future__ import annotations

from specc.model import Json

FONT = "Inter, system-ui, sans-serif"
ON_WHITE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1c2024")
ON_DARK = ("#2b8dd8", "#f47236", "#1ca26e", "#cd85b2", "#ebdb36", "#88dcff", "#ffffff")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
DASHES = ((1, 0), (7, 3), (2, 2), (9, 3, 2, 3), (4, 2))


def _theme(ink: str, faint: str, grid: str, colours: tuple[str, ...]) -> dict[str, Json]:
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 13}
    return {
        "font": FONT,
        "background": "transparent",
        "view": {"stroke": None},
        "range": {"category": list(colours), "symbol": list(SHAPES)},
        "title": {
            "color": ink,
            "fontSize": 15,
            "fontWeight": 600,
            "lineHeight": 19,
            "subtitleColor": ink,
            "subtitleFontSize": 12,
            "subtitleLineHeight": 16,
            "subtitlePadding": 5,
        },
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "domainColor": faint,
            "tickColor": faint,
            "gridColor": grid,
            "titlePadding": 10,
        },
        "axisX": {"grid": False},
        "legend": {
            **text,
            "orient": "top",
            "titleFontWeight": "normal",
            "symbolSize": 90,
            "symbolStrokeWidth": 2,
            "labelLimit": 300,
        },
        "mark": {"color": colours[0]},
        "line": {"strokeWidth": 2},
        "rule": {"color": ink},
        "text": {"color": ink, "font": FONT},
    }


LIGHT = _theme("#1c2024", "#8b939c", "#e6e9ec", ON_WHITE)
DARK = _theme("#e6e8eb", "#6b737c", "#2b3138", ON_DARK)
