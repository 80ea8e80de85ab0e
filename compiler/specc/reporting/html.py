"""What report.html carries with it so that it needs no network: scripts, themes, charts."""

from __future__ import annotations

import json
from typing import Any

from specc.model import Json
from specc.reporting import themes
from specc.reporting.drawings import Drawings, vega_lite_version
from specc.resources import template_folder


def page_assets(drawings: Drawings) -> dict[str, Json]:
    """Return the values only the HTML page needs. Vega is carried once for all charts."""
    from markupsafe import Markup

    drawn = [item for item in drawings.items if item.empty is None]
    charts = {
        item.figure.name: {**item.document, "width": "container", "autosize": "fit-x"}
        for item in drawn
    }
    folder = template_folder() / "report"
    return {
        "style": Markup((folder / "report.css").read_text("utf-8")),
        "script": Markup((folder / "report.js").read_text("utf-8")),
        "vega": Markup(_vega() if drawn else ""),
        "charts": Markup(_embedded(charts)),
        "themes": Markup(_embedded({"light": themes.LIGHT, "dark": themes.DARK})),
    }


def _embedded(value: Json) -> str:
    """Return JSON that can stand inside a script element, whatever texts it holds."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _vega() -> str:
    import altair as alt
    import vl_convert

    # its type stub demands a snippet that the function itself does not need
    bundle: Any = vl_convert.javascript_bundle
    version = vega_lite_version(alt.SCHEMA_VERSION)
    return str(bundle(vl_version=version)).replace("</script", "<\\/script")
