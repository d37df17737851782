// Niceties only: everything works without this file.
// Keys on the list: J and K go down and up, Enter opens. On a household: A approves, R returns.
"use strict";

const typing = (target) =>
  target.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");

function moveCurrent(step) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.classList.contains("is-current"));
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
  rows.forEach((row) => row.classList.toggle("is-current", row === next));
  next.scrollIntoView({ block: "nearest" });
  next.querySelector("a")?.focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key.toLowerCase();
  const link = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (link) {
    event.preventDefault();
    if (link.dataset.focus) {
      const wanted = link.dataset.focus.split("|").map((s) => document.querySelector(s)).find(Boolean);
      wanted?.closest("details")?.setAttribute("open", "");
      wanted?.focus();
    } else link.click();
  } else if (key === "j") moveCurrent(1);
  else if (key === "k") moveCurrent(-1);
});

document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-check-all]");
  if (all) {
    document.querySelectorAll(all.dataset.checkAll).forEach((box) => { box.checked = all.checked; });
  }
  if (event.target.closest("[data-submit-on-change]")) event.target.form.requestSubmit();
});

document.querySelector(".govuk-error-summary")?.focus();
