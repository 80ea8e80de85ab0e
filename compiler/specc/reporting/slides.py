"""Write twelve slides with python-pptx, on our own 16:9 template.

Real text boxes, native tables, plots with alternative texts, notes that name the sources. Equal
input gives equal bytes: the archive is written anew without its times.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from specc.reporting import fitting
from specc.reporting.blocks import cut, printable
from specc.reporting.deck import deck
from specc.reporting.drawings import Drawings, themed_svg_png
from specc.reporting.fitting import column_widths, kept, kept_rows, largest
from specc.resources import template_folder

if TYPE_CHECKING:
    from pptx.slide import Slide

Box = tuple[float, float, float, float]

TEMPLATE = "slides.pptx"
BOXES: Mapping[str, Box] = {
    "full": (0.6, 1.5, 12.13, 5.3),
    "left": (0.6, 1.5, 8.3, 5.3),
    "right": (9.05, 1.5, 3.68, 5.3),
    "upper": (0.6, 1.5, 12.13, 2.3),
    "lower": (0.6, 3.95, 12.13, 2.85),
}
"""Left, top, width, height of the places of a slide [inch]."""
_TITLE: Box = (0.6, 0.4, 12.13, 0.95)
_TEXT_SIZES = (20.0, 18.0, 16.0, 14.0, 12.0, 11.0)
_TABLE_SIZES = (18.0, 16.0, 14.0, 12.0, 11.0, 10.0)
_TITLE_SIZES = (28.0, 24.0, 20.0, 18.0)
_FIRST_SIZES = (40.0, 32.0, 28.0, 24.0)
_RIGHT_SIZES = (16.0, 14.0, 13.0, 12.0, 11.0)
_CODE_SIZES = (14.0, 12.0, 11.0, 10.0)
_MORE = 0.35
"""Room for the line that says what was left out [inch]."""
_PLOT_WIDTH, _PLOT_HEIGHT = 600, 330
_MOST_IN_FACTS = 250
"""The format takes 255 letters."""
_TIME = (1980, 1, 1, 0, 0, 0)


def slides_pptx(page: Mapping[str, Any], drawings: Drawings) -> bytes:
    """Return slides.pptx.  page: what all documents are made from."""
    from pptx import Presentation

    made = Presentation(str(template_folder() / "report" / TEMPLATE))
    first, other = made.slide_layouts.get_by_name("first"), made.slide_layouts.get_by_name("other")
    slides = deck(page, drawings.items)
    foot = (
        f"{page['name']} · {page['bundles'][0]['bundle_id']}" if page["bundles"] else page["name"]
    )
    for number, one in enumerate(slides, 1):
        slide = made.slides.add_slide(first if number == 1 else other)
        _head(slide, printable(one["title"]), _FIRST_SIZES if number == 1 else _TITLE_SIZES)
        for part in one["parts"]:
            _WRITERS[part["type"]](slide, _clean(part))
        if number > 1:
            _foot(slide, printable(foot), f"{number} / {len(slides)}")
        slide.notes_slide.notes_text_frame.text = printable(one["notes"])
    facts = made.core_properties
    facts.title, facts.subject = (
        cut(printable(page[name] or ""), _MOST_IN_FACTS) for name in ("title", "purpose")
    )
    facts.author, facts.last_modified_by, facts.language = "specc", "specc", "en"
    buffer = io.BytesIO()
    made.save(buffer)
    return without_times(buffer.getvalue())


def without_times(archive: bytes) -> bytes:
    """Return a zip archive with the same members, in order of their names and at one time."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w") as new:
        # readers look for the list of content types first
        for name in sorted(old.namelist(), key=lambda n: (n != "[Content_Types].xml", n)):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return made.getvalue()


def _clean(value: Any) -> Any:
    """Return a part with every text fit for XML; its plot is only drawn, never written."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {k: v if k == "document" else _clean(v) for k, v in value.items()}
    return value


def _head(slide: Slide, title: str, sizes: Sequence[float]) -> None:
    from pptx.util import Pt

    shape: Any = slide.shapes.title
    frame = shape.text_frame
    frame.text = title
    _, _, width, height = _TITLE
    needed = partial(fitting.height, [title], width)
    frame.paragraphs[0].font.size = Pt(largest(needed, height, sizes) or sizes[-1])


def _subtitle(slide: Slide, part: Mapping[str, Any]) -> None:
    frame = slide.placeholders[1].text_frame
    frame.text = part["text"]
    for line in part["small"]:
        _paragraph(frame, "", line, 14)


def _text(slide: Slide, part: Mapping[str, Any]) -> None:
    left, top, width, height = BOXES[part["place"]]
    frame = _frame(slide, (left, top, width, height))
    items = part["items"]
    texts = [f"{one['term']}. {one['text']}" if one["term"] else one["text"] for one in items]
    sizes = _RIGHT_SIZES if part["place"] == "right" else _TEXT_SIZES
    chosen, size, out = kept(texts, width, height, sizes)
    if out:
        chosen, size, out = kept(texts, width, height - _MORE, sizes)
    for at, words in enumerate(chosen):
        term = f"{items[at]['term']}. " if items[at]["term"] else ""
        _paragraph(frame, term, words.removeprefix(term), size, first=at == 0)
    if out:
        _paragraph(frame, "", f"{out} more in the report.", _TEXT_SIZES[-1])


def _code(slide: Slide, part: Mapping[str, Any]) -> None:
    box = BOXES[part["place"]]
    chosen, size, _ = kept(part["lines"], box[2] * 0.9, box[3], _CODE_SIZES)
    frame = _frame(slide, box)
    for at, line in enumerate(chosen):
        _paragraph(frame, "", line, size, first=at == 0, face="Courier New")


def _frame(slide: Slide, box: Box) -> Any:
    from pptx.enum.text import MSO_AUTO_SIZE
    from pptx.util import Inches

    frame = slide.shapes.add_textbox(*map(Inches, box)).text_frame
    frame.word_wrap = True
    frame.auto_size = MSO_AUTO_SIZE.NONE
    return frame


def _paragraph(
    frame: Any, term: str, words: str, size: float, *, first: bool = False, face: str = ""
) -> None:
    from pptx.util import Pt

    paragraph = frame.paragraphs[0] if first else frame.add_paragraph()
    paragraph.space_after = Pt(size * 0.45)
    for text, bold in ((term, True), (words, False)):
        if text:
            run = paragraph.add_run()
            run.text, run.font.bold, run.font.size = text, bold, Pt(size)
            if face:
                run.font.name = face


def _table(slide: Slide, part: Mapping[str, Any]) -> None:
    from pptx.util import Inches, Pt

    left, top, width, height = BOXES[part["place"]]
    cells = [part["columns"], *part["rows"]]
    widths = column_widths(cells, width)
    rows, size = kept_rows(cells, widths, height, _TABLE_SIZES)
    frame: Any = slide.shapes.add_table(
        len(rows), len(widths), *map(Inches, (left, top, width, 0.3 * len(rows)))
    )
    for at, each in enumerate(widths):
        frame.table.columns[at].width = Inches(each)
    for y, row in enumerate(rows):
        for x, text in enumerate(row):
            cell = frame.table.cell(y, x)
            cell.text = text
            for paragraph in cell.text_frame.paragraphs:
                paragraph.font.size = Pt(size)
    out = len(cells) - len(rows)
    described = f"{len(rows) - 1} rows" + (f"; {out} more in the report" if out else "")
    frame._element.nvGraphicFramePr.cNvPr.set("descr", f"Table: {described}")


def _picture(slide: Slide, part: Mapping[str, Any]) -> None:
    """Put a plot on a slide, without its title: the slide's is the same."""
    from pptx.util import Inches

    bare = {k: v for k, v in part["document"].items() if k != "title"}
    _, png = themed_svg_png({**bare, "width": _PLOT_WIDTH, "height": _PLOT_HEIGHT})
    left, top, width, height = BOXES[part["place"]]
    shape: Any = slide.shapes.add_picture(io.BytesIO(png), Inches(left), Inches(top), Inches(width))
    if shape.height > Inches(height):
        ratio = Inches(height) / shape.height
        shape.width, shape.height = int(shape.width * ratio), Inches(height)
    shape._element.nvPicPr.cNvPr.set("descr", part["alt"])


def _foot(slide: Slide, text: str, number: str) -> None:
    for words, box in ((text, (0.6, 6.95, 10.5, 0.35)), (number, (11.6, 6.95, 1.13, 0.35))):
        frame = _frame(slide, box)
        _paragraph(frame, "", words, 10, first=True)
        if words == number:
            from pptx.enum.text import PP_ALIGN

            frame.paragraphs[0].alignment = PP_ALIGN.RIGHT


_WRITERS = {
    "subtitle": _subtitle,
    "text": _text,
    "code": _code,
    "table": _table,
    "picture": _picture,
}
