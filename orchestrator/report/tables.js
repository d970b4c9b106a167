// Tables: sorting, the trades of a point, saving them as CSV, copying a sweep file.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SHOWN = 500;

  function element(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column], raw = cell.dataset.value ?? cell.textContent;
        return raw === "" || raw === "-" ? null : Number.isNaN(Number(raw)) ? raw : Number(raw);
      };
      const compare = (a, b) => {
        if (a === null || b === null) return (a === null) - (b === null); // what has no value stays last
        const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
        return descending ? -order : order;
      };
      const body = table.tBodies[0];
      body.append(...[...body.rows].map((row) => [key(row), row]).sort((a, b) => compare(a[0], b[0])).map(([, row]) => row));
    }));
  }
  document.querySelectorAll("table.sortable").forEach(sortable);

  const moment = (seconds) => (seconds === null ? "" : new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " "));
  const COLUMNS = [
    ["opened (UTC)", "opened", moment], ["side", "side"], ["entry price", "entry_price"], ["closed (UTC)", "closed", moment],
    ["exit price", "exit_price"], ["how it ended", "close_type"], ["pnl", "pnl"], ["executor", "executor"], ["level", "level"],
  ];

  function trades(place) {
    const found = data.details[place].trades, count = found.opened.length;
    const used = COLUMNS.filter(([, name]) => found[name].some((value) => value !== null && value !== ""));
    const head = element("tr", {}, ...used.map(([title]) => element("th", { scope: "col" }, element("button", { type: "button" }, title))));
    const body = element("tbody");
    for (let row = 0; row < Math.min(count, SHOWN); row += 1) {
      body.append(element("tr", {}, ...used.map(([, name, text]) => {
        const value = found[name][row], cell = element("td", {}, value === null ? "-" : text ? text(value) : String(value));
        if (typeof value === "number") cell.dataset.value = value; else cell.className = "text";
        if (name === "pnl" && value < 0) cell.className = "bad-text";
        return cell;
      })));
    }
    const table = element("table", { class: "sortable" }, element("thead", {}, head), body);
    sortable(table);
    const save = element("button", { type: "button" }, "Save as CSV");
    save.addEventListener("click", () => {
      // a spreadsheet takes what begins with = + - @ for a formula; numbers are none
      const cell = (value) => {
        if (typeof value === "number" || value === null) return value ?? "";
        const text = /^[=+\-@\t]/.test(value) ? `'${value}` : String(value);
        return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
      };
      const lines = [used.map(([, name]) => name), ...found.opened.map((_, row) => used.map(([, name, text]) => cell(text ? text(found[name][row]) : found[name][row])))];
      const link = element("a", { download: `trades-point-${data.details[place].point}.csv` });
      link.href = URL.createObjectURL(new Blob([lines.map((line) => line.join(",")).join("\n") + "\n"], { type: "text/csv" }));
      link.click();
      URL.revokeObjectURL(link.href);
    });
    const note = count > SHOWN ? `The first ${SHOWN} of ${count} are shown; the file has all.` : "";
    return [element("div", { class: "tools" }, save, element("span", { class: "note" }, note)),
      element("div", { class: "scroll ranking", tabindex: "0", role: "region", "aria-label": "Trades, scrolls in both directions" }, table)];
  }
  for (const fold of document.querySelectorAll("details[data-trades]")) {
    fold.addEventListener("toggle", () => { if (fold.open && fold.children.length === 1) fold.append(...trades(Number(fold.dataset.trades))); });
  }

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.addEventListener("click", async () => {
      const text = button.closest("details").querySelector("pre").textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(button.closest("details").querySelector("pre"));
        button.textContent = "Selected: copy it with the keyboard";
      }
    });
  }
})();
