"use strict";
const root = document.documentElement;
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const make = (name, properties) => Object.assign(document.createElement(name), properties);

/* Charts: each is drawn once in light and once in dark; the style sheet shows one of them, and
   paper always gets the light one. */
async function drawCharts() {
  const charts = read("charts");
  const themes = read("themes");
  const places = [...document.querySelectorAll("[data-chart]")];
  const width = new Map();
  for (const place of places) width.set(place.dataset.chart, Math.max(width.get(place.dataset.chart) ?? 0, place.clientWidth));
  const visible = (place) => place.clientWidth > 0;
  for (const place of [...places.filter(visible), ...places.filter((one) => !visible(one))]) {
    const theme = place.classList.contains("dark") ? "dark" : "light";
    const chart = structuredClone(charts[place.dataset.chart]);
    if (chart.width === "container") chart.width = Math.max(240, width.get(place.dataset.chart) || 560);
    await vegaEmbed(place, chart, { config: themes[theme], renderer: "svg", actions: false, tooltip: { theme }, logLevel: 1 });
  }
}

/* Tables: a click on a heading sorts, a text field leaves the rows that hold all of its words. */
function sortable(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const compare = (a, b) => (isNaN(a) || isNaN(b) ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  heads.forEach((head, column) => {
    const button = make("button", { type: "button", textContent: head.textContent });
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const keyed = [...body.rows].map((row) => [row.cells[column].dataset.sort, row]);
      keyed.sort(([a], [b]) => (a === "" || b === "" ? (a === "") - (b === "") : (up ? 1 : -1) * compare(a, b)));
      body.append(...keyed.map(([, row]) => row));
    });
  });
}

function filterable(table) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 6) return;
  const title = table.caption.textContent;
  // a keyboard has no minus sign, only the hyphen
  const plain = (text) => text.toLowerCase().replaceAll("\u2212", "-");
  const texts = rows.map((row) => plain([...row.cells].map((cell) => `${cell.textContent} ${cell.title}`).join(" ")));
  const field = make("input", { type: "search", placeholder: "Filter rows", autocomplete: "off", spellcheck: false });
  field.setAttribute("aria-label", `Filter rows of: ${title}`);
  const count = make("output", { textContent: `${rows.length} rows` });
  count.setAttribute("aria-live", "polite");
  field.addEventListener("input", () => {
    const words = plain(field.value).split(/\s+/).filter(Boolean);
    let left = 0;
    rows.forEach((row, place) => {
      row.hidden = !words.every((word) => texts[place].includes(word));
      left += !row.hidden;
    });
    count.textContent = words.length ? `${left} of ${rows.length} rows` : `${rows.length} rows`;
  });
  const bar = make("div", { className: "tools" });
  bar.append(field, count);
  table.closest(".scroll").before(bar);
}

function themeChoice() {
  const label = document.querySelector("label.theme");
  const select = label.querySelector("select");
  label.hidden = false;
  select.value = root.dataset.theme ?? "";
  select.addEventListener("change", () => {
    if (select.value) root.dataset.theme = select.value;
    else delete root.dataset.theme;
    try {
      if (select.value) localStorage.setItem("specc-theme", select.value);
      else localStorage.removeItem("specc-theme");
    } catch { /* a browser may refuse storage to files: then the choice holds for this visit */ }
  });
}

function contents() {
  const box = document.querySelector("nav details");
  const wide = matchMedia("(min-width: 64rem)");
  const fold = () => { box.open = wide.matches; };
  fold();
  wide.addEventListener("change", fold);
  const links = new Map([...box.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) links.get(entry.target.id).dataset.seen = entry.isIntersecting ? "yes" : "";
    const first = [...links.values()].find((link) => link.dataset.seen);
    for (const link of links.values()) link === first ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }, { rootMargin: "-10% 0px -60% 0px" });
  for (const id of links.keys()) seen.observe(document.getElementById(id));
}

function copyable(place) {
  const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
  const text = place.querySelector("pre");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected";
    }
  });
  place.prepend(button);
}

themeChoice();
contents();
document.querySelectorAll("main table").forEach((table) => { sortable(table); filterable(table); });
document.querySelectorAll(".copied").forEach(copyable);
const drawn = document.querySelector("[data-chart]") ? drawCharts() : Promise.resolve();
drawn.then(() => { root.dataset.drawn = "yes"; });
