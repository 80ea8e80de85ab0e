"""report.html in a real browser: alone, in both themes, on a phone, on paper, by keyboard."""

from __future__ import annotations

import copy
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader

sys.path.append(str(Path(__file__).parents[1] / "unit"))

from results import a_bundle, metric, process

from specc.collate.pipeline import collate
from specc.collate.rooms import report_room
from specc.reporting.drawings import Drawings
from specc.reporting.report import report_files

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None and os.environ.get("CI") != "true":
    pytest.skip("no chromium on this machine", allow_module_level=True)
# dbus, updates and the like would be requests of the browser, not of the page
SWITCHES = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
HOSTILE = "</script><img src=x onerror='window.hit=1'><b>\x1b[31mred\x1b[0m \u202eevil & </td>"
DRAWN = "document.documentElement.dataset.drawn === 'yes'"
LANDMARKS = ("header", "nav", "main")
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None, "chromium is missing: make test-deps"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield found
        found.close()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two algorithms over four sizes on two nodes; one name and one failure are hostile."""
    root = tmp_path_factory.mktemp("study")
    bundle = a_bundle(
        root,
        points=[{"algo": a, "size": s} for a in ("quick", HOSTILE) for s in (1, 2, 4, 8)],
        repetitions=3,
        settings={"metrics": {"time_s": {"unit": "s", "better": "lower"}}},
        spec={"rationale": {"size": HOSTILE}, "repetitions": {"n": 3, "order": "random"}},
        not_run={7: HOSTILE},
    )
    run = bundle.run()
    cpu = {"cpu": {"model": "another CPU"}, "gpus": []}
    for launch, of in ((run.launch(), 0), (run.launch(host="node-2", hardware=cpu), 1)):
        for number, task in enumerate(bundle.tasks):
            if number % 2 != of or task["not_run"] is not None:
                continue
            if number == 0:
                launch.fail(task, message=HOSTILE)
            else:
                seconds = task["axes"]["size"] * (1 + 0.01 * task["repetition"])
                launch.complete(task, [metric("time_s", seconds), process(seconds)])
        launch.end()
    return collate([bundle.path], root / "out")


@pytest.fixture(scope="module")
def open_page(browser: Browser, study: Any) -> Iterator[Open]:
    """Return a function that opens the report, or another file, in a browser of its own."""
    contexts = []

    def opened(file: Path = study.out / "report.html", *, width: int = 1280, **how: Any) -> Page:
        how.setdefault("color_scheme", "light")
        context = browser.new_context(viewport={"width": width, "height": 800}, offline=True, **how)
        contexts.append(context)
        page = context.new_page()
        page.goto(file.as_uri())
        page.wait_for_function(DRAWN)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def light(open_page: Open) -> Page:
    """The report as it opens, for tests that only look."""
    return open_page()


@pytest.fixture(scope="module")
def dark(open_page: Open) -> Page:
    return open_page(color_scheme="dark")


def test_the_page_asks_for_nothing_but_itself(browser: Browser, study: Any) -> None:
    asked, told = [], []
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto((study.out / "report.html").as_uri())
    page.wait_for_function(DRAWN)
    context.close()
    assert (asked, told) == ([(study.out / "report.html").as_uri()], [])


def test_every_plot_with_data_is_drawn_in_both_themes(light: Page, study: Any) -> None:
    names = sorted(path.stem for path in (study.out / "plots").glob("*.svg"))
    drawn = "places => places.filter(p => p.querySelector('svg')).map(p => p.dataset.chart).sort()"
    for theme in ("light", "dark"):
        assert light.eval_on_selector_all(f".chart.{theme}", drawn) == names


def test_hostile_texts_start_nothing_and_stay_legible(light: Page) -> None:
    assert light.evaluate("[window.hit ?? null, document.images.length]") == [None, 0]
    text = light.inner_text("#table-results")
    assert "</script><img src=x onerror='window.hit=1'>" in text
    assert "\\u202eevil" in text
    assert "\u202e" not in light.content()


def test_a_script_that_is_not_the_page_s_own_is_refused(open_page: Open) -> None:
    page = open_page()
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        "{textContent: 'window.hit = 1'}))"
    )
    assert page.evaluate("window.hit ?? null") is None


def column(page: Page, table: str, place: int) -> list[str]:
    cells = "(rows, place) => rows.filter(r => !r.hidden).map(r => r.cells[place].dataset.sort)"
    found: list[str] = page.eval_on_selector_all(f"#{table} tbody tr", cells, place)
    return found


def states(page: Page, table: str) -> list[str]:
    marks = "heads => heads.map(h => h.getAttribute('aria-sort'))"
    found: list[str] = page.eval_on_selector_all(f"#{table} thead th", marks)
    return found


def test_a_heading_sorts_by_mouse_and_by_keyboard(open_page: Open) -> None:
    page = open_page()
    page.click("#table-results thead th:nth-child(2) button")
    assert column(page, "table-results", 1) == ["1", "1", "2", "2", "4", "4", "8", "8"]
    assert states(page, "table-results")[:3] == ["none", "ascending", "none"]
    page.keyboard.press("Enter")
    assert column(page, "table-results", 1) == ["8", "8", "4", "4", "2", "2", "1", "1"]
    assert states(page, "table-results")[1] == "descending"


def test_missing_values_are_sorted_last_either_way(open_page: Open) -> None:
    page = open_page()
    heads = page.locator("#table-results thead th").all_inner_texts()
    place = next(n for n, text in enumerate(heads) if text.startswith("time"))
    for _ in range(2):
        page.click(f"#table-results thead th:nth-child({place + 1}) button")
        assert column(page, "table-results", place)[-1] == ""


def test_a_filter_leaves_the_rows_with_all_its_words_and_counts_them(open_page: Open) -> None:
    page = open_page()
    page.fill("input[aria-label='Filter rows of: Every metric of every point']", "QUICK valid")
    assert len(column(page, "table-results", 0)) == 4
    count = page.locator("#results .tools output", has_text="of 8 rows")
    assert (count.inner_text(), count.get_attribute("aria-live")) == ("4 of 8 rows", "polite")


def test_the_theme_follows_the_system_until_one_is_chosen(open_page: Open) -> None:
    page = open_page(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(20, 23, 26)"
    page.select_option("label.theme select", "light")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.reload()
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert page.input_value("label.theme select") == "light"
    assert page.is_visible(".chart.light >> nth=0")
    assert not page.is_visible(".chart.dark >> nth=0")


FAINT_TEXT = """() => {
  document.querySelectorAll("details").forEach(one => { one.open = true; });
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = one => {
    for (let at = one; at; at = at.parentElement) {
      const found = rgba(getComputedStyle(at).backgroundColor);
      if (found[3] > 0) return found;
    }
    return [255, 255, 255, 255];
  };
  const own = one => [...one.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  const found = new Map();
  let seen = 0;
  for (const one of document.querySelectorAll("body *:not(svg *)")) {
    if (!own(one) || !one.checkVisibility()) continue;
    seen += 1;
    const [a, b] = [light(rgba(getComputedStyle(one).color)), light(ground(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.set(`${one.tagName}.${one.className}`, ratio);
  }
  return [seen > 100, Object.fromEntries(found)];
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(theme: str, request: Any) -> None:
    assert request.getfixturevalue(theme).evaluate(FAINT_TEXT) == [True, {}]


def test_a_phone_scrolls_tables_and_not_the_page(open_page: Open) -> None:
    page = open_page(width=360)
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    wider = "place => place.scrollWidth > place.clientWidth"
    assert page.eval_on_selector(".scroll:has(#table-results)", wider)


def test_paper_has_no_controls_and_light_plots(open_page: Open) -> None:
    page = open_page(color_scheme="dark")
    page.emulate_media(media="print")
    hidden = ("nav", ".tools", ".theme", ".copy", ".chart.dark")
    assert [name for name in hidden if page.is_visible(f"{name} >> nth=0")] == []
    assert page.is_visible(".chart.light >> nth=0")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    overflow = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).length"
    page.set_viewport_size({"width": 1010, "height": 700})
    assert page.eval_on_selector_all(".scroll", overflow) == 0


def test_the_first_printed_page_is_the_one_page(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    pages = [one.extract_text() for one in PdfReader(tmp_path / "report.pdf").pages]
    assert "Best operating point" in pages[0]
    assert "Before you rely on this" in pages[0]
    assert pages[1].strip().startswith("Completeness")


def test_headings_descend_one_level_at_a_time(light: Page) -> None:
    levels = light.eval_on_selector_all("h1,h2,h3,h4,h5,h6", "all => all.map(h => +h.tagName[1])")
    assert (levels[0], levels.count(1)) == (1, 1)
    assert [(a, b) for a, b in itertools.pairwise(levels) if b > a + 1] == []


def test_what_a_screen_reader_needs_is_there(light: Page) -> None:
    lacking = {
        "table": "one => !one.caption?.textContent",
        "th": "one => !one.scope",
        "tbody tr": "one => one.cells[0].tagName !== 'TH'",
        "[role=img], [role=region], nav": "one => !one.ariaLabel",
        "section": "one => !document.getElementById(one.getAttribute('aria-labelledby'))",
        "[id]": "one => document.querySelectorAll('#' + CSS.escape(one.id)).length > 1",
    }
    found = {
        what: light.eval_on_selector_all(what, f"all => all.filter({wrong}).length")
        for what, wrong in lacking.items()
    }
    assert found == dict.fromkeys(lacking, 0)
    assert [light.locator(f"body > {n}, .layout > {n}").count() for n in LANDMARKS] == [1, 1, 1]
    assert light.evaluate("document.documentElement.lang") == "en"


def test_each_plot_has_its_data_as_a_table(open_page: Open) -> None:
    page = open_page()
    page.click("#plot-time_s summary")
    assert column(page, "data-time_s", 0) == ["1", "2", "4", "8", "1", "2", "4"]


def test_the_first_tab_stop_leads_past_the_contents(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_contents_lead_to_every_section(open_page: Open) -> None:
    page = open_page()
    sections = page.eval_on_selector_all("main > section", "all => all.map(one => '#' + one.id)")
    links = page.eval_on_selector_all("nav a", "all => all.map(one => one.hash)")
    assert (links, links[0], links[-1]) == (sections, "#one-page", "#dictionary")
    page.click("nav a[href='#environment']")
    page.wait_for_function(
        "document.querySelector('#environment').getBoundingClientRect().top < 99"
    )


def test_only_what_differs_between_nodes_is_compared(light: Page) -> None:
    heads = light.locator("#table-nodes thead th").all_inner_texts()
    assert heads == ["nodes", "CPU"]
    assert light.locator("#table-nodes tbody tr").count() == 2


def test_a_long_table_shows_a_thousand_rows_and_says_where_the_rest_is(
    open_page: Open, study: Any, tmp_path: Path
) -> None:
    summary = copy.deepcopy(study.summary)
    cells = summary["cells"]
    summary["cells"] = [{**cells[n % 7], "cell": f"c{n:05d}"} for n in range(10_000)]
    nothing = Drawings(items=(), files={})
    text = report_files(summary, report_room(summary["kind"]), nothing)["report.html"]
    (tmp_path / "long.html").write_text(text)
    page = open_page(tmp_path / "long.html")
    assert page.locator("#table-results tbody tr").count() == 1000
    told = page.locator("#results p.faint", has_text="9000 more").inner_text()
    assert told == "Shown are the first 1000 rows; 9000 more stand in tables/cells.csv."
    page.fill("input[aria-label='Filter rows of: Every metric of every point']", "c00777")
    assert len(column(page, "table-results", 0)) == 1


def test_the_head_of_a_table_stands_on_each_of_its_printed_pages(
    open_page: Open, tmp_path: Path
) -> None:
    page = open_page()
    page.evaluate(
        "const body = document.querySelector('#table-results tbody');"
        "for (let n = 0; n < 5; n++) body.append(...[...body.rows].map(r => r.cloneNode(true)))"
    )
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    pages = [one.extract_text() for one in PdfReader(tmp_path / "report.pdf").pages]
    with_rows = [text for text in pages if text.count("c0003") > 2]
    assert len(with_rows) > 1
    assert [text for text in with_rows if "Wall time" not in text] == []
