"""The recipe of templates/report/slides.pptx: `python tests/unit/slides_template.py` writes it.

python-pptx brings a template of 4:3 with eleven layouts. Ours is 16:9 with two: the first slide
and any other. Its type is Arial, which every program that shows slides has or has a twin of.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.text import MSO_ANCHOR
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls
from pptx.util import Inches, Pt

from specc.reporting.slides import TEMPLATE, without_times
from specc.resources import template_folder

INK = RGBColor(0x1C, 0x20, 0x24)
COLOURS = {"dk2": "1c2024", "accent1": "0072b2", "accent2": "d55e00", "accent3": "009e73"}
COLOURS |= {"accent4": "cc79a7", "accent5": "e69f00", "accent6": "56b4e9", "hlink": "0072b2"}
TITLE = (0.6, 0.4, 12.13, 0.95)
FIRST_TITLE = (0.9, 2.0, 11.5, 1.5)
SUBTITLE = (0.9, 3.7, 11.5, 2.6)
BAR = f"""<p:sp {nsdecls("p", "a")}><p:nvSpPr><p:cNvPr id="99" name="bar"/><p:cNvSpPr/>
<p:nvPr userDrawn="1"/></p:nvSpPr><p:spPr><a:xfrm><a:off x="0" y="0"/>
<a:ext cx="{Inches(13.333)}" cy="{Inches(0.1)}"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/>
</a:prstGeom><a:solidFill><a:schemeClr val="accent1"/></a:solidFill><a:ln><a:noFill/></a:ln>
</p:spPr></p:sp>"""
KEPT = {"Title Slide": "first", "Title Only": "other"}


def template() -> bytes:
    made = Presentation()
    made.slide_width, made.slide_height = Inches(13.333), Inches(7.5)
    _keep_layouts(made)
    _themed(made)
    for owner in (made.slide_master, *made.slide_layouts):
        for shape in list(owner.placeholders):
            if shape.placeholder_format.type in (16, 13, 15):  # date, slide number, footer
                shape._element.getparent().remove(shape._element)
    _placed(made.slide_master.placeholders[0], TITLE, 28)
    _placed(made.slide_master.placeholders[1], (0.6, 1.5, 12.13, 5.3), 18)
    first = made.slide_layouts.get_by_name("first")
    _placed(first.placeholders[0], FIRST_TITLE, 40)
    _placed(first.placeholders[1], SUBTITLE, 20)
    _placed(made.slide_layouts.get_by_name("other").placeholders[0], TITLE, 28)
    for owner in (made.slide_master, *made.slide_layouts):
        for element in owner._element.iter():
            if element.get("algn") == "ctr":
                element.set("algn", "l")
    style = made.slide_master._element.find(".//{*}titleStyle/{*}lvl1pPr/{*}defRPr")
    style.set("sz", "2800")
    style.set("b", "1")
    made.slide_master._element.cSld.spTree.append(parse_xml(BAR))
    facts = made.core_properties
    facts.title, facts.author, facts.last_modified_by = "specc", "specc", "specc"
    buffer = io.BytesIO()
    made.save(buffer)
    return without_times(buffer.getvalue())


def _keep_layouts(made: Any) -> None:
    for layout in list(made.slide_layouts):
        if layout.name in KEPT:
            layout.name = KEPT[layout.name]
            layout._element.cSld.set("name", layout.name)
        else:
            made.slide_layouts.remove(layout)


def _themed(made: Any) -> None:
    part = next(
        rel.target_part for rel in made.slide_master.part.rels.values() if "theme" in rel.reltype
    )
    xml = part.blob.decode()
    for name, colour in COLOURS.items():
        xml = re.sub(
            rf'(<a:{name}>)<a:srgbClr val="[0-9A-Fa-f]{{6}}"/>',
            rf'\1<a:srgbClr val="{colour}"/>',
            xml,
        )
    xml = re.sub(r'<a:latin typeface="[^"]*"', '<a:latin typeface="Arial"', xml)
    part._blob = xml.encode()


def _placed(shape: Any, box: tuple[float, float, float, float], size: int) -> None:
    shape.left, shape.top, shape.width, shape.height = map(Inches, box)
    frame = shape.text_frame
    frame.word_wrap = True
    frame.vertical_anchor = MSO_ANCHOR.TOP
    for paragraph in frame.paragraphs:
        paragraph.font.size = Pt(size)
        paragraph.font.color.rgb = INK


if __name__ == "__main__":
    Path(template_folder() / "report" / TEMPLATE).write_bytes(template())
