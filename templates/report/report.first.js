"use strict";
try {
  const chosen = localStorage.getItem("specc-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* a browser may refuse storage to files */ }
