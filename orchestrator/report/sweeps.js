// Asks the local server every two seconds what its sweeps look like and shows the answer.
"use strict";
(() => {
  const EVERY_MS = 2000;
  const LEVELS = { evidence: "good", weak: "warn", luck: "bad", untested: "warn" }; // classes of the report's checks
  const list = document.getElementById("sweeps"), told = document.getElementById("told");
  const seen = new Map(); // sweep -> [milliseconds, points done] when this page first saw it run

  function element(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  function span(seconds) {
    const whole = Math.round(seconds);
    if (whole < 60) return `${whole} s`;
    return whole < 3600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  }

  function speed(sweep) {
    const key = `${sweep.folder}/${sweep.sweep}`, now = performance.now();
    if (sweep.state !== "running" || !seen.has(key)) {
      seen.set(key, [now, sweep.done]);
      return "";
    }
    const [since, before] = seen.get(key), rate = (sweep.done - before) / ((now - since) / 1000);
    if (!(rate > 0)) return "";
    return ` · ${rate.toPrecision(3)} points/s · ${span((sweep.points - sweep.done) / rate)} left`;
  }

  function folds(sweep) {
    if (!sweep.planned_folds) return "";
    return ` · ${sweep.folds} of ${sweep.planned_folds} folds of the walk-forward`;
  }

  function card(sweep) {
    // a sweep whose points failed is done, and not well
    const incomplete = sweep.state === "done" && sweep.failed > 0;
    const state = element("span", { class: `state ${incomplete ? "stopped" : sweep.state}` },
      incomplete ? `done, ${sweep.failed.toLocaleString()} failed` : sweep.state);
    const title = element("h2", {}, sweep.report ? element("a", { href: sweep.report }, sweep.name) : sweep.name, state);
    if (sweep.state === "broken") return element("li", {}, element("section", {}, title, element("p", { class: "bad-text" }, sweep.error)));
    const failed = sweep.failed ? element("span", { class: "bad-text" }, ` · ${sweep.failed} failed`) : "";
    const bar = element("progress", { max: sweep.points, value: sweep.done, "aria-label": `points done of ${sweep.name}` });
    const facts = element("p", { class: "note" }, `${sweep.done.toLocaleString()} of ${sweep.points.toLocaleString()} points`, failed, speed(sweep), folds(sweep));
    const verdict = sweep.verdict ? element("ul", { class: "checks" }, element("li", { class: LEVELS[sweep.verdict] || "warn" },
      element("b", {}, sweep.verdict), sweep.sentence)) : "";
    const about = element("p", { class: "note" }, `${sweep.controller} · ${sweep.period} · folder ${sweep.folder} · ${sweep.sweep}`);
    const best = sweep.best ? element("p", {}, "best: ", element("b", {}, sweep.best)) : "";
    return element("li", {}, element("section", {}, title, bar, facts, best, verdict, about));
  }

  let shown = "";
  async function look() {
    try {
      const answer = await fetch("/api/sweeps", { cache: "no-store" });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      const { sweeps } = await answer.json();
      const text = JSON.stringify(sweeps);
      if (text !== shown) list.replaceChildren(...sweeps.map(card));
      shown = text;
      const running = sweeps.filter((sweep) => sweep.state === "running").length;
      const now = sweeps.length ? `${sweeps.length} ${sweeps.length === 1 ? "sweep" : "sweeps"}, ${running} running` : "no sweep here yet: hummingsweep run SWEEP.yml makes one";
      if (told.textContent !== now) told.textContent = now;
    } catch (error) {
      told.textContent = `the server does not answer (${error.message}); is hummingsweep serve still running?`;
    }
    setTimeout(look, EVERY_MS);
  }
  look();
})();
