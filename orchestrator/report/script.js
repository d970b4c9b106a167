// Draws what the page's data block holds. A chart is drawn when it comes near the window, so that a page with dozens
// of them opens at once; it is drawn again when the reader switches between light and dark.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const coarse = matchMedia("(pointer: coarse)").matches;
  // Plotly reads a little HTML in labels: what users wrote is shown as they wrote it.
  const safe = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("%{", "% {");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const format = (value) =>
    value === null || value === undefined ? "–"
      : typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(5))) : String(value);

  function theme() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    return Object.fromEntries(
      ["surface", "line", "text", "quiet", "accent", "good", "bad", "warn", "low", "middle", "high", "font"]
        .map((name) => [name, colour(name)]));
  }

  const faded = (hex, alpha) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    return `rgba(${r},${g},${b},${alpha})`;
  };

  function layout(t, more) {
    const axis = { gridcolor: t.line, zerolinecolor: t.quiet, linecolor: t.line, automargin: true };
    const merged = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
      font: { family: t.font, color: t.text, size: 12 }, margin: { l: 8, r: 12, t: 12, b: 8 },
      hoverlabel: { bgcolor: t.surface, bordercolor: t.quiet, font: { color: t.text, family: t.font } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: t.quiet, activecolor: t.accent },
      dragmode: coarse ? false : "zoom", ...more,
    };
    for (const key of Object.keys(merged)) if (/^[xy]axis\d*$/.test(key)) merged[key] = { ...axis, ...merged[key] };
    return merged;
  }

  function plot(element, traces, figureLayout) {
    // The buttons are named one by one: plotly's own set holds one that uploads the chart. None on a small screen,
    // where they would cover it.
    return Plotly.react(element, traces, figureLayout, {
      displaylogo: false, responsive: true, displayModeBar: !coarse,
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    });
  }

  // The objective as a label: percent where it is a fraction.
  const asText = (value) =>
    value === null || value === undefined ? "–" : data.fraction ? `${Number((100 * value).toPrecision(4))}%` : format(value);
  const number = data.fraction ? ".3~p" : ".4~g";
  const colours = hummingsweepColours(data.ascending);

  // One scale for all maps of the page.
  const ranges = Object.fromEntries(["mean", "best"].map((name) => [name, colours.range(data.maps.flatMap((map) => map[name].flat()))]));

  const draw = {
    distribution(element, t) {
      const d = data.distribution, middle = d.counts.map((_, i) => (d.edges[i] + d.edges[i + 1]) / 2);
      const width = d.edges[1] - d.edges[0];
      const line = (x, colour, dash) => ({
        type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: colour, width: 1.5, dash } });
      // above the bars, so that no label covers one
      const mark = (x, text, row) => ({
        x, y: 1, yref: "paper", text, showarrow: false, yanchor: "bottom", yshift: 2 + 15 * row, font: { size: 11 } });
      return plot(element, [{
        type: "bar", x: middle, y: d.counts, width: d.counts.map(() => width || 1),
        marker: { color: middle.map((x) => colours.ofSign(t, x)), line: { width: 0 } },
        hovertemplate: `%{y} points around %{x:${number}}<extra></extra>`,
      }], layout(t, {
        bargap: 0.05, height: 320, margin: { l: 8, r: 12, t: 40, b: 8 },
        xaxis: { title: { text: safe(data.objective) }, tickformat: number }, yaxis: { title: { text: "points" } },
        shapes: [line(d.median, t.quiet, "dot"), line(d.best, t.accent, "solid")],
        annotations: [mark(d.median, "median", 0), { ...mark(d.best, "best", 1), xanchor: "right", xshift: 4 }],
      }));
    },

    sensitivity(element, t, index) {
      const axis = data.sensitivity[index], x = axis.labels.map(safe);
      const many = x.length > 1;
      const traces = many ? [
        { x, y: axis.high, mode: "lines", line: { width: 0 }, hoverinfo: "skip" },
        { x, y: axis.low, mode: "lines", line: { width: 0 }, fill: "tonexty", fillcolor: faded(t.accent, 0.18), hoverinfo: "skip" },
      ] : [];
      const about = x.map((_, i) => [asText(axis.low[i]), asText(axis.high[i]), asText(axis.best[i]), axis.count[i]]);
      traces.push({
        x, y: axis.mean, customdata: about, mode: "lines+markers", line: { color: t.accent, width: 2 }, marker: { size: 6 },
        hovertemplate: `${safe(axis.name)} %{x}<br>mean %{y:${number}}<br>one deviation %{customdata[0]} … %{customdata[1]}` +
          "<br>best %{customdata[2]}<br>%{customdata[3]} points<extra></extra>",
      }, {
        x, y: axis.best, mode: "markers", marker: { symbol: "diamond", size: 8, color: t.good }, hoverinfo: "skip",
      });
      if (axis.winner !== null) traces.push({
        x: [x[axis.winner]], y: [axis.best[axis.winner]], mode: "markers", hoverinfo: "skip",
        marker: { symbol: "circle-open", size: 16, color: t.text, line: { width: 2 } },
      });
      return plot(element, traces, layout(t, {
        height: 300, xaxis: { type: "category", title: { text: safe(axis.name) } }, yaxis: { title: { text: safe(data.objective) }, tickformat: number },
      }));
    },

    map(element, t, index) {
      const map = data.maps[index], statistic = document.getElementById("statistic")?.value || "mean";
      const z = map[statistic], narrow = element.clientWidth < 480;
      const small = map.x_labels.length <= 8 && map.y_labels.length <= 12 && !narrow;
      const x = map.x_labels.map(safe), y = map.y_labels.map(safe), blank = { x: [], y: [] };
      z.forEach((row, i) => row.forEach((value, j) => { if (value === null) { blank.x.push(x[j]); blank.y.push(y[i]); } }));
      const about = map.count.map((row, i) => row.map((count, j) => `${count} points, ${map.kept[i][j]} ranked`));
      const traces = [{
        type: "heatmap", x, y, z, customdata: about, hoverongaps: false, xgap: 1, ygap: 1,
        ...colours.scale(t, ranges[statistic]), ...(small ? { texttemplate: `%{z:${number}}` } : {}),
        hovertemplate: `${safe(map.x)} %{x}<br>${safe(map.y)} %{y}<br>${statistic} %{z:${number}}<br>%{customdata}<extra></extra>`,
        colorbar: { thickness: narrow ? 8 : 12, outlinewidth: 0, tickformat: number, tickfont: { color: t.text, size: 10 } },
      }];
      if (blank.x.length && blank.x.length <= 2000) traces.push({
        ...blank, type: "scatter", mode: "markers", hoverinfo: "skip", marker: { symbol: "x-thin", size: 7, line: { width: 1, color: t.quiet } },
      });
      // around the cell, so that its value stays readable
      const shapes = map.winner ? [{
        type: "rect", x0: map.winner[0] - 0.5, x1: map.winner[0] + 0.5, y0: map.winner[1] - 0.5, y1: map.winner[1] + 0.5,
        line: { color: t.text, width: 2.5 },
      }] : [];
      return plot(element, traces, layout(t, {
        height: 360, shapes,
        xaxis: { type: "category", title: { text: safe(map.x) }, showgrid: false, categoryorder: "array", categoryarray: x },
        yaxis: { type: "category", title: { text: safe(map.y) }, showgrid: false, categoryorder: "array", categoryarray: y },
      }));
    },

    side_by_side(element, t) {
      const s = data.side_by_side, narrow = element.clientWidth < 480;
      const names = [...s.names.map(safe), "together"], flat = [...s.values.flat(), ...s.objective];
      const z = s.values.map((row, i) => [...row, s.objective[i]]);
      return plot(element, [{
        type: "heatmap", x: names, y: s.groups.map(safe), z, xgap: 2, ygap: 1, ...colours.scale(t, colours.range(flat)),
        ...(names.length <= 8 ? { texttemplate: `%{z:${number}}` } : {}),
        hovertemplate: `%{y}<br>%{x}<br>${safe(data.objective)} %{z:${number}}<extra></extra>`,
        colorbar: { thickness: narrow ? 8 : 12, outlinewidth: 0, tickformat: number, tickfont: { color: t.text, size: 10 } },
      }], layout(t, {
        height: 120 + 26 * s.groups.length,
        xaxis: { type: "category", side: "top", showgrid: false }, yaxis: { type: "category", autorange: "reversed", showgrid: false },
      }));
    },
  };

  // Charts of other files of the report.
  for (const add of window.hummingsweepCharts || []) {
    Object.assign(draw, add({ data, safe, format, faded, layout, plot, asText, number, colours }));
  }

  // Drawing, near the window only.
  const drawn = new Set();
  function show(element) {
    drawn.add(element);
    draw[element.dataset.chart](element, theme(), Number(element.dataset.index || 0));
  }
  const charts = [...document.querySelectorAll("[data-chart]")];
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting && !drawn.has(entry.target)) {
      watch.unobserve(entry.target);
      show(entry.target);
    }
  }, { rootMargin: "400px" });
  charts.forEach((element) => watch.observe(element));
  dark.addEventListener("change", () => drawn.forEach(show));
  addEventListener("beforeprint", () => charts.forEach((element) => drawn.has(element) || show(element)));
  document.getElementById("statistic")?.addEventListener("change", () =>
    drawn.forEach((element) => { if (element.dataset.chart === "map") show(element); }));

  document.documentElement.dataset.ready = "yes";
})();
