"""The JavaScript that draws the charts of report.html: bundled once, remembered on disk.

vl-convert takes over a second to bundle Vega, Vega-Lite and vega-embed, and gives the same text
each time; so it is kept in the user's cache, under the versions it was made by and with its hash.
A cache that can't be read or written costs that second and nothing else.
"""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from specc.bundling.hashing import cache_root, sha256_bytes
from specc.reporting.drawings import vega_lite_version


def vega_script() -> str:
    """Return the bundle as text that can stand inside a script element."""
    import altair as alt
    import vl_convert

    lite = vega_lite_version(alt.SCHEMA_VERSION)
    place = cache_root() / f"vega-{version('vl-convert-python')}-{lite}.js"
    known = _remembered(place)
    if known is not None:
        return known
    # its type stub demands a snippet that the function itself does not need
    bundle: Any = vl_convert.javascript_bundle
    script = str(bundle(vl_version=lite)).replace("</script", "<\\/script")
    _remember(place, script)
    return script


def _remembered(place: Path) -> str | None:
    """Return a kept text whose first line is the hash of the rest; None for any other."""
    try:
        head, _, text = place.read_bytes().partition(b"\n")
    except OSError:
        return None
    return text.decode() if text and head.decode("ascii", "replace") == sha256_bytes(text) else None


def _remember(place: Path, script: str) -> None:
    data = script.encode()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        number, part = tempfile.mkstemp(dir=place.parent, prefix=place.name)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(sha256_bytes(data).encode() + b"\n" + data)
            Path(part).replace(place)
        except OSError:
            Path(part).unlink(missing_ok=True)
    except OSError:
        return
