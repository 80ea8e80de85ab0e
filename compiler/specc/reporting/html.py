"""What report.html carries with it so that it needs no network: scripts, themes, charts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence

from specc.kinds.sentences import all_visible
from specc.model import Json
from specc.reporting import themes
from specc.reporting.drawings import Drawings
from specc.reporting.vega import vega_script
from specc.resources import template_folder


def page_assets(drawings: Drawings) -> dict[str, Json]:
    """Return the values only the HTML page needs. Vega is carried once for all charts."""
    from markupsafe import Markup

    drawn = [item for item in drawings.items if item.empty is None]
    charts = {item.figure.name: all_visible(_without_title(item.document)) for item in drawn}
    vega = vega_script() if drawn else ""
    first, script = page_text("report.first.js"), page_text("report.js")
    return {
        "style": Markup(page_text("report.css")),
        "policy": content_policy((first, vega, script)),
        "first": Markup(first),
        "vega": Markup(vega),
        "script": Markup(script),
        "charts": Markup(embedded(charts)),
        "themes": Markup(embedded({"light": themes.LIGHT, "dark": themes.DARK})),
    }


def _without_title(document: Mapping[str, Json]) -> dict[str, Json]:
    """Return a chart that fits its place; its title is text of the page, which wraps."""
    kept = {name: value for name, value in document.items() if name != "title"}
    return {**kept, "width": "container", "autosize": "fit-x"} if "width" in kept else kept


def page_text(name: str) -> str:
    """Return a file of templates/report as it stands inside its element."""
    return (template_folder() / "report" / name).read_text("utf-8").strip()


def content_policy(scripts: Sequence[str]) -> str:
    """Return a Content-Security-Policy: these scripts and no others, and nothing from a network.

    Vega makes functions of its expressions, hence unsafe-eval; its tooltips set styles.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'"
        for one in scripts
        if one
    )
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def embedded(value: Json) -> str:
    """Return JSON that can stand inside a script element, whatever texts it holds."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
