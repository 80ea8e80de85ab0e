"""What every plot of a report has: a frame, a theme, and the files made of it.

Each plot is a Vega-Lite document without a theme: files take the light one, the page its own.
vl-convert renders them without a browser and without network.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from specc.kinds.base import Figure
from specc.kinds.sentences import all_visible
from specc.model import Json
from specc.reporting import themes
from specc.resources import template_folder

if TYPE_CHECKING:
    import altair as alt

PNG_SCALE = 2.0
WIDTH, HEIGHT = 560, 320
"""Of what stands between the axes [px]."""
_TITLE_LETTERS = 72
_NOTE_LETTERS = 84
_NOTICE_LINE = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One plot, drawn."""

    figure: Figure
    document: Mapping[str, Json]
    """Vega-Lite, without a theme: the page adds its own, light or dark."""
    empty: str | None
    """Why there is nothing to draw; None when there is."""
    points: int
    caption: str
    """What its marks mean: centre, band or bar, hollow points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawings:
    """All plots of a report."""

    items: tuple[Drawing, ...]
    files: Mapping[str, bytes]
    """Path below the output folder -> content."""


def framed(
    chart: alt.Chart | alt.LayerChart | alt.FacetChart,
    subject: str,
    title: str,
    *,
    note: str = "",
    height: int = HEIGHT,
) -> dict[str, Json]:
    """Return a chart as Vega-Lite, with its frame and without any theme of Altair's.

    subject: what is drawn, in two or three words.   title: the finding; wrapped.
    note: a second line, smaller: what a reader must know of the marks; empty for none.
    """
    import altair as alt

    words = alt.TitleParams(wrapped(title, _TITLE_LETTERS), anchor="start", offset=14)
    if note:
        words.subtitle = wrapped(note, _NOTE_LETTERS)
    # the panels of a chart with facets have sizes of their own
    sizes = {} if isinstance(chart, alt.FacetChart) else {"width": WIDTH, "height": height}
    whole: Any = chart.properties(title=words, description=f"{subject}: {title}", **sizes)
    with alt.theme.enable("none"):
        document: dict[str, Json] = whole.to_dict()
    return document


def notice(subject: str, reason: str) -> dict[str, Json]:
    """Return the plot of what was not measured: its reason, in words."""
    import altair as alt

    lines = wrapped(reason, 76)
    chart = (
        alt.Chart(alt.InlineData([{"text": line} for line in lines]))
        .transform_window(line="row_number()")
        .mark_text(align="center", fontSize=14)
        .encode(alt.Y("line:O").axis(None), alt.Text("text:N"))
    )
    height = _NOTICE_LINE * len(lines)
    return framed(chart, subject, f"{subject}: not measured", height=height)


def themed_svg_png(document: Mapping[str, Json]) -> tuple[bytes, bytes]:
    """Render a Vega-Lite document in the light theme; the PNG is made from the SVG, at 2x."""
    import altair as alt
    import vl_convert

    _register_fonts()
    version = vega_lite_version(alt.SCHEMA_VERSION)
    # a control character in an SVG ends the whole process inside the renderer
    themed = {**all_visible(document), "config": themes.LIGHT, "background": "white", "padding": 8}
    svg = str(vl_convert.vegalite_to_svg(themed, vl_version=version))
    return svg.encode(), bytes(vl_convert.svg_to_png(svg, scale=PNG_SCALE))


def vega_lite_version(schema_version: str) -> str:
    """Return the version of a schema ("v6.4.1") as vl-convert names it ("6.4")."""
    return ".".join(schema_version.removeprefix("v").split(".")[:2])


@cache
def _register_fonts() -> None:
    import vl_convert

    vl_convert.register_font_directory(str(template_folder() / "fonts"))


def wrapped(text: str, width: int) -> list[str]:
    """Return a text as lines of at most `width` letters; one empty line for no text."""
    return textwrap.wrap(text, width) or [""]
