"use strict";
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const charts = read("charts");
const themes = read("themes");

function draw(theme) {
  return Promise.all([...document.querySelectorAll("[data-chart]")].map((place) => {
    const chart = structuredClone(charts[place.dataset.chart]);
    const width = Math.max(20, Math.floor(place.clientWidth / 8.5));
    chart.title.text = chart.title.text.join(" ").split(" ").reduce((lines, word) => {
      const last = lines.length - 1;
      if (last >= 0 && lines[last].length + word.length < width) lines[last] += " " + word;
      else lines.push(word);
      return lines;
    }, []);
    return vegaEmbed(place, chart, { config: themes[theme], renderer: "svg", actions: false });
  }));
}
const redraw = () => draw(dark.matches ? "dark" : "light");
if (document.querySelector("[data-chart]")) {
  redraw();
  dark.addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => draw("light"));
  window.addEventListener("afterprint", redraw);
}

for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.cells[column].dataset.sort;
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const numeric = !isNaN(x) && !isNaN(y);
      return (up ? 1 : -1) * (numeric ? x - y : x.localeCompare(y));
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  }));
}
