"""report.pdf and slides.pptx: complete, bounded, the same bytes twice, safe whatever the texts."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation
from pypdf import PdfReader
from results import a_bundle, metric, process
from results_inference import a_study
from slides_template import template

from specc.collate.pipeline import collate
from specc.collate.rooms import report_room
from specc.reporting import fitting, paper, report
from specc.reporting.figures import draw
from specc.reporting.pdf import report_pdf
from specc.reporting.slides import TEMPLATE, slides_pptx
from specc.resources import template_folder

ASKED = {"analysis": {"report": {"pdf": True, "slides": True}}}
HOSTILE = "#panic() $x$ *b* _i_ <label> @ref `raw` \\u{1} // [c] ~ 'q' \x1b[31m \u202e ümlaut ≤ µ"
INCH = 914_400


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The shipped study's shape: two devices, seven batch sizes, three repetitions."""
    root = tmp_path_factory.mktemp("study")
    return collate([a_study(root, spec=ASKED).path], root / "out")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A study of hostile names and last words; half of its tasks failed."""
    root = tmp_path_factory.mktemp("hostile")
    bundle = a_bundle(
        root,
        points=[{"algo": algo, "size": n} for algo in (HOSTILE, "plain") for n in (1, 2, 4)],
        repetitions=2,
        settings={"metrics": {"time_s": {"unit": "s", "better": "lower"}}},
        spec={**ASKED, "rationale": {"size": HOSTILE}},
    )
    launch = bundle.run().launch()
    for number, task in enumerate(bundle.tasks):
        if number % 2:
            launch.fail(task, message=HOSTILE)
        else:
            launch.complete(task, [metric("time_s", 1.0 + number), process(1.0)])
    launch.end()
    return collate([bundle.path], root / "out")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A study that has not run."""
    root = tmp_path_factory.mktemp("empty")
    return collate([a_bundle(root, points=[{"size": 1}], spec=ASKED).path], root / "out")


def pages(done: Any) -> list[str]:
    return [page.extract_text() for page in PdfReader(done.out / "report.pdf").pages]


def words(text: str) -> str:
    """A text without the breaks that a page puts into it."""
    return re.sub(r"[\s\u200b]+", "", text)


def deck(done: Any) -> Any:
    return Presentation(str(done.out / "slides.pptx"))


def slide_texts(slide: Any) -> list[str]:
    found = [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
    for shape in slide.shapes:
        if shape.has_table:
            found += [cell.text for row in shape.table.rows for cell in row.cells]
    return found


# --- the paper


def test_the_paper_of_the_shipped_study_has_eight_to_fifteen_pages(study: Any):
    assert 8 <= len(pages(study)) <= 15


def test_the_first_page_holds_every_decision_with_its_interval(study: Any):
    first = words(pages(study)[0])
    decisions = json.loads((study.out / "report.json").read_text())["one_page"]
    best = decisions["best_operating_point"]
    assert words(best["text"]) in first
    assert words(best["interval"]) in first
    assert words(best["verdict"]) in first


def test_every_section_is_in_the_contents_and_in_the_outline(study: Any):
    titles = ("Findings", "Completeness", "Methodology", "Results", "Reproducibility")
    reader = PdfReader(study.out / "report.pdf")
    outline = [item.title for item in reader.outline]  # type: ignore[union-attr]
    contents = words(pages(study)[0])
    for title in titles:
        assert any(entry.endswith(title) for entry in outline)
        assert title in contents


def test_every_section_of_the_page_has_its_place_on_paper():
    assert set(report.HEADINGS) == set(paper.SECTIONS)


def test_the_paper_has_title_language_and_tags_and_no_date(study: Any):
    reader = PdfReader(study.out / "report.pdf")
    root: Any = reader.trailer["/Root"]
    assert reader.metadata is not None
    assert (reader.metadata.title, reader.metadata.creation_date) == ("distilbert", None)
    assert (root["/Lang"], root["/MarkInfo"]["/Marked"]) == ("en", True)
    assert "pdfuaid" in root["/Metadata"].get_data().decode()


def test_every_plot_stands_in_the_paper_with_words_for_it(study: Any):
    text = " ".join("".join(pages(study)).split())
    assert [f"Figure {n}" in text for n in (1, 2, 3, 4, 5)] == [True] * 4 + [False]
    assert text.count("95 % interval over them.") == 4


def test_all_fonts_are_embedded_and_only_shipped_ones_are_used(study: Any):
    names = {}
    for page in PdfReader(study.out / "report.pdf").pages:
        resources: Any = page["/Resources"]
        for font in resources.get("/Font", {}).values():
            inner = font.get_object()["/DescendantFonts"][0].get_object()
            descriptor = inner["/FontDescriptor"].get_object()
            name = str(inner["/BaseFont"]).partition("+")[2].removesuffix("-Identity-H")
            names[name] = bool({"/FontFile2", "/FontFile3"} & set(descriptor))
    # DejaVu Sans Mono comes inside typst, for commands
    assert names == {"Inter-Regular": True, "Inter-SemiBold": True, "DejaVuSansMono": True}


def test_the_bundle_is_named_on_every_page(study: Any):
    bundle = study.summary["bundles"][0]["bundle_id"]
    assert [bundle in words(text) for text in pages(study)] == [True] * len(pages(study))


def test_a_long_table_is_cut_and_says_where_the_rest_stands(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"n": n} for n in range(60)], repetitions=1, spec=ASKED)
    launch = bundle.run().launch()
    for task in bundle.tasks:
        launch.complete(task, [metric("time_s", 1.0 + task["axes"]["n"])])
    launch.end()
    done = collate([bundle.path], tmp_path / "out")
    text = " ".join("".join(pages(done)).split())
    assert "15 more rows: the rest stands in tables/cells.csv." in text
    assert len(pages(done)) <= 20


def test_signs_of_markup_stay_text_in_the_paper(hostile: Any):
    text = words("".join(pages(hostile)))
    assert words("#panic() $x$ *b* _i_ <label> @ref `raw`") in text
    assert words("ümlaut ≤ µ") in text


@pytest.mark.parametrize("words", ["漢字 😀", "x\u2028y\x00", "a" * 3000])
def test_any_sign_can_be_shown(hostile: Any, words: str):
    text = json.dumps(hostile.summary).replace("plain", json.dumps(words)[1:-1])
    summary = {**json.loads(text), "name": words, "purpose": words}
    room = report_room("command")
    drawings = draw(summary, room)
    shown = report.page(summary, room, drawings)
    assert len(PdfReader(io.BytesIO(report_pdf(shown, drawings))).pages) >= 5
    assert len(Presentation(io.BytesIO(slides_pptx(shown, drawings))).slides) == 12


def test_a_study_without_results_has_its_paper_too(empty: Any):
    text = " ".join("".join(pages(empty)).split())
    assert "No point has a value yet, so there is nothing to say." in text


# --- the slides


@pytest.mark.parametrize("name", ["study", "hostile", "empty"])
def test_every_study_has_twelve_slides_of_sixteen_to_nine(
    name: str, request: pytest.FixtureRequest
):
    made = deck(request.getfixturevalue(name))
    assert len(made.slides) == 12
    assert round(made.slide_width / made.slide_height, 3) == 1.778


def test_results_are_four_plots_whose_title_is_the_finding(study: Any):
    slides = list(deck(study).slides)
    drawn = [any(shape.shape_type == 13 for shape in slide.shapes) for slide in slides]
    assert drawn == [False] * 5 + [True] * 4 + [False] * 3
    assert slides[6].shapes.title.text_frame.text.startswith("Throughput is highest at device cuda")


def test_pictures_have_words_and_notes_name_the_source(study: Any):
    slide = deck(study).slides[6]
    picture = next(shape for shape in slide.shapes if shape.shape_type == 13)
    described = picture._element.nvPicPr.cNvPr.get("descr")
    assert described.startswith("Throughput: Throughput is highest at")
    notes = slide.notes_slide.notes_text_frame.text
    assert "plots/throughput.svg" in notes
    assert study.summary["bundles"][0]["bundle_id"] in notes
    assert re.search(r"Cells named: c\d+", notes)


def test_decisions_stand_on_the_third_slide(study: Any):
    best = json.loads((study.out / "report.json").read_text())["one_page"]["best_operating_point"]
    assert {best["text"], best["interval"], best["verdict"]} <= set(
        slide_texts(deck(study).slides[2])
    )


def test_a_study_without_plots_says_what_it_did_not_ask(empty: Any):
    titles = [slide.shapes.title.text_frame.text for slide in deck(empty).slides]
    assert "Not asked in this study" in titles
    assert "No number to decide by yet" in titles


@pytest.mark.parametrize("name", ["study", "hostile", "empty"])
def test_no_text_runs_out_of_its_box(name: str, request: pytest.FixtureRequest):
    for number, slide in enumerate(deck(request.getfixturevalue(name)).slides, 1):
        for shape in slide.shapes:
            if not shape.has_text_frame or not shape.text_frame.text or shape.is_placeholder:
                continue
            need = sum(
                fitting.lines(part.text, shape.width / INCH, part.runs[0].font.size.pt)
                * part.runs[0].font.size.pt
                * 1.2
                / 72
                for part in shape.text_frame.paragraphs
                if part.runs
            )
            assert need <= shape.height / INCH, (number, shape.text_frame.text)


def test_every_shape_lies_on_its_slide(study: Any):
    made = deck(study)
    for slide in made.slides:
        for shape in slide.shapes:
            assert 0 <= shape.left <= shape.left + shape.width <= made.slide_width
            assert 0 <= shape.top <= shape.top + shape.height <= made.slide_height


def test_signs_of_xml_and_terminals_stay_text_on_slides(hostile: Any):
    texts = "".join(text for slide in deck(hostile).slides for text in slide_texts(slide))
    assert "#panic() $x$ *b* _i_ <label> @ref" in texts
    assert "\x1b" not in texts


def test_the_template_is_what_its_recipe_makes():
    def parts(data: bytes) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    shipped = (template_folder() / "report" / TEMPLATE).read_bytes()
    assert parts(shipped) == parts(template()), "run: python tests/unit/slides_template.py"


# --- both


@pytest.mark.parametrize("name", ["report.pdf", "slides.pptx"])
def test_bytes_are_the_same_when_it_is_made_again(study: Any, name: str, tmp_path: Path):
    bundle = study.out.parent / study.summary["bundles"][0]["bundle_id"]
    again = collate([bundle], tmp_path / "again")
    assert (again.out / name).read_bytes() == (study.out / name).read_bytes()


def test_nothing_is_made_that_was_not_asked_for(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"size": 1}])
    done = collate([bundle.path], tmp_path / "out")
    assert not {"report.pdf", "slides.pptx"} & {path.name for path in done.paths}
    assert done.summary["not_written"] == []


@pytest.mark.parametrize(
    ("module", "file", "package"),
    [("typst", "report.pdf", "typst"), ("pptx", "slides.pptx", "python-pptx")],
)
def test_a_missing_library_is_named_and_all_else_is_written(
    module: str, file: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, module, None)
    bundle = a_bundle(tmp_path, points=[{"size": 1}], spec=ASKED)
    done = collate([bundle.path], tmp_path / "out")
    names = {path.name for path in done.paths}
    assert {"report.pdf", "slides.pptx"} - names == {file}
    fix = f"python -m pip install {package}"
    expected = {"file": file, "reason": f"{package} is not installed", "fix": fix}
    assert done.summary["not_written"] == [expected]
    told = f"{file} was not written: {package} is not installed ({fix})."
    assert told in (done.out / "report.md").read_text()


def test_the_command_names_the_missing_library_and_ends_well(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"size": 1}], spec=ASKED)
    code = "import sys; sys.modules['typst'] = None; from specc.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "collate", bundle.path, "--out", tmp_path / "out", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "W551" in done.stderr
    assert "python -m pip install typst" in done.stderr
    assert json.loads(done.stdout)["not_written"][0]["file"] == "report.pdf"


def test_a_table_is_set_smaller_where_a_larger_size_would_break_a_word() -> None:
    rows = [["Question", "Verdict"], ["Best operating point", "CONTAMINATED"]]
    assert fitting.kept_rows(rows, [4.0, 1.95], 5.0, (18.0, 16.0, 14.0)) == (rows, 14.0)
    assert fitting.kept_rows(rows, [4.0, 4.0], 5.0, (18.0, 16.0, 14.0)) == (rows, 18.0)
