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

  // The objective's colours: two hues around 0 where the sweep has both signs, from bad to good otherwise.
  function scale(t, low, high) {
    const edges = data.distribution.edges;
    if (edges[0] < 0 && edges[edges.length - 1] > 0) {
      const reach = Math.max(-low, high);
      return { colorscale: [[0, t.low], [0.5, t.middle], [1, t.high]], zmin: -reach, zmax: reach };
    }
    const ends = data.ascending ? [t.high, t.middle] : [t.middle, t.high];
    return { colorscale: [[0, ends[0]], [1, ends[1]]], zmin: low, zmax: high };
  }

  const draw = {
    distribution(element, t) {
      const d = data.distribution, middle = d.counts.map((_, i) => (d.edges[i] + d.edges[i + 1]) / 2);
      const width = d.edges[1] - d.edges[0];
      const line = (x, colour, dash) => ({
        type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: colour, width: 1.5, dash } });
      const mark = (x, text, y) => ({
        x, y, yref: "paper", text, showarrow: false, xanchor: "left", xshift: 4, bgcolor: t.surface, font: { size: 11 } });
      return plot(element, [{
        type: "bar", x: middle, y: d.counts, width: d.counts.map(() => width || 1),
        marker: { color: middle.map((x) => (x < 0 ? t.low : t.high)), line: { width: 0 } },
        hovertemplate: "%{y} points around %{x:.4g}<extra></extra>",
      }], layout(t, {
        bargap: 0.05, height: 300,
        xaxis: { title: { text: safe(data.objective) } }, yaxis: { title: { text: "points" } },
        shapes: [line(d.median, t.quiet, "dot"), line(d.best, t.accent, "solid")],
        annotations: [mark(d.median, "median", 0.97), { ...mark(d.best, "best", 0.85), xanchor: "right", xshift: -4 }],
      }));
    },

    sensitivity(element, t, index) {
      const axis = data.sensitivity[index], x = axis.labels.map(safe);
      const many = x.length > 1;
      const traces = many ? [
        { x, y: axis.high, mode: "lines", line: { width: 0 }, hoverinfo: "skip" },
        { x, y: axis.low, mode: "lines", line: { width: 0 }, fill: "tonexty", fillcolor: faded(t.accent, 0.18), hoverinfo: "skip" },
      ] : [];
      const about = x.map((_, i) => [format(axis.low[i]), format(axis.high[i]), format(axis.best[i]), axis.count[i]]);
      traces.push({
        x, y: axis.mean, customdata: about, mode: "lines+markers", line: { color: t.accent, width: 2 }, marker: { size: 6 },
        hovertemplate: `${safe(axis.name)} %{x}<br>mean %{y:.5g}<br>one deviation %{customdata[0]} … %{customdata[1]}` +
          "<br>best %{customdata[2]}<br>%{customdata[3]} points<extra></extra>",
      }, {
        x, y: axis.best, mode: "markers", marker: { symbol: "diamond", size: 8, color: t.good }, hoverinfo: "skip",
      });
      if (axis.winner !== null) traces.push({
        x: [x[axis.winner]], y: [axis.best[axis.winner]], mode: "markers", hoverinfo: "skip",
        marker: { symbol: "circle-open", size: 16, color: t.text, line: { width: 2 } },
      });
      return plot(element, traces, layout(t, {
        height: 300, xaxis: { type: "category", title: { text: safe(axis.name) } }, yaxis: { title: { text: safe(data.objective) } },
      }));
    },

    map(element, t, index) {
      const map = data.maps[index], statistic = document.getElementById("statistic")?.value || "mean";
      const z = map[statistic], flat = z.flat().filter((value) => value !== null);
      const low = Math.min(...flat), high = Math.max(...flat);
      const small = map.x_labels.length <= 8 && map.y_labels.length <= 12 && element.clientWidth > 380;
      const narrow = element.clientWidth < 480;
      return plot(element, [{
        type: "heatmap", x: map.x_labels.map(safe), y: map.y_labels.map(safe), z, customdata: map.count, hoverongaps: false, xgap: 1, ygap: 1,
        ...(flat.length ? scale(t, low, high) : {}), ...(small ? { texttemplate: "%{z:.3g}" } : {}),
        hovertemplate: `${safe(map.x)} %{x}<br>${safe(map.y)} %{y}<br>${statistic} %{z:.5g}<br>%{customdata} points<extra></extra>`,
        colorbar: { thickness: narrow ? 8 : 12, outlinewidth: 0, tickfont: { color: t.text, size: 10 } },
      }], layout(t, {
        height: 360,
        xaxis: { type: "category", title: { text: safe(map.x) }, showgrid: false },
        yaxis: { type: "category", title: { text: safe(map.y) }, showgrid: false },
      }));
    },

    curves(element, t, index) {
      const { curve, trades } = data.details[index], time = (seconds) => new Date(seconds * 1000).toISOString();
      const x = curve.time.map(time), thin = { width: 1.4 };
      const lines = { x: [], y: [] };
      const groups = { BUY: { x: [], y: [], text: [] }, SELL: { x: [], y: [], text: [] }, won: { x: [], y: [], text: [] }, lost: { x: [], y: [], text: [] } };
      trades.opened.forEach((opened, i) => {
        const closed = trades.closed[i], side = trades.side[i], level = trades.level[i] ? ` ${safe(trades.level[i])}` : "";
        const add = (group, seconds, price, text) => { group.x.push(time(seconds)); group.y.push(price); group.text.push(text); };
        add(groups[side] || groups.BUY, opened, trades.entry_price[i], `${side === "SELL" ? "sold" : "bought"} at ${format(trades.entry_price[i])}${level}`);
        if (closed === null) return;
        add(trades.pnl[i] >= 0 ? groups.won : groups.lost, closed, trades.exit_price[i],
          `${trades.close_type[i]}${level}<br>pnl ${format(trades.pnl[i])}`);
        lines.x.push(time(opened), time(closed), null);
        lines.y.push(trades.entry_price[i], trades.exit_price[i], null);
      });
      const dots = (group, symbol, color, size, name) => ({
        ...group, name, type: "scatter", mode: "markers", xaxis: "x", yaxis: "y", hovertemplate: `%{text}<extra></extra>`,
        marker: { symbol, color, size: element.clientWidth < 560 ? size - 2 : size, line: { width: 0.8, color: t.surface } },
      });
      const series = (y, axis, color, name, fill) => ({
        x, y, name, type: "scatter", mode: "lines", line: { ...thin, color }, xaxis: "x", yaxis: axis,
        ...(fill ? { fill: "tozeroy", fillcolor: faded(color, 0.18) } : {}), hovertemplate: `${name} %{y:.6g}<extra></extra>`,
      });
      return plot(element, [
        series(curve.close, "y", t.quiet, "price"),
        { ...lines, type: "scatter", mode: "lines", line: { width: 0.8, dash: "dot", color: t.quiet }, xaxis: "x", yaxis: "y", hoverinfo: "skip" },
        dots(groups.BUY, "triangle-up", t.good, 9, "entry, bought"), dots(groups.SELL, "triangle-down", t.bad, 9, "entry, sold"),
        dots(groups.won, "circle", t.good, 6, "exit, won"), dots(groups.lost, "x", t.bad, 7, "exit, lost"),
        series(curve.equity, "y2", t.accent, "equity", true), series(curve.drawdown, "y3", t.bad, "drawdown", true),
      ], layout(t, {
        height: element.clientWidth < 560 ? 560 : 620, hovermode: "closest",
        xaxis: { type: "date", anchor: "y3", hoverformat: "%Y-%m-%d %H:%M:%S" },
        yaxis: { domain: [0.52, 1], title: { text: "price" } },
        yaxis2: { domain: [0.22, 0.48], title: { text: "equity" }, zeroline: true },
        yaxis3: { domain: [0, 0.18], title: { text: "drawdown" } },
      }));
    },

    parallel(element, t) { parallel(element, t); },
  };

  // Parallel coordinates: one line a point, coloured by the objective; dragging along an axis keeps what passes there.
  function parallel(element, t) {
    const p = data.parallel, width = Math.max(element.clientWidth, 130 * (p.axes.length + 1)), height = 380;
    const top = 48, bottom = height - 22, left = 46, right = width - 60, columns = p.axes.length + 1;
    const low = Math.min(...p.objective), high = Math.max(...p.objective), reach = high - low || 1;
    const place = (column) => left + ((right - left) * column) / (columns - 1);
    const level = (share) => bottom - (bottom - top) * share;
    const share = (column, line) => column < p.axes.length
      ? (p.sizes[column] > 1 ? p.digits[column][line] / (p.sizes[column] - 1) : 0.5)
      : (p.objective[line] - low) / reach;
    const svg = (name, attributes, text) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      if (text !== undefined) node.textContent = text;
      return node;
    };
    const mix = (portion) => {
      const [from, to] = data.ascending ? [t.accent, t.bad] : [t.bad, t.accent];
      return `color-mix(in oklab, ${to} ${Math.round(portion * 100)}%, ${from})`;
    };
    const root = svg("svg", { class: "parallel", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    root.style.width = `${width}px`;
    const paths = p.objective.map((_, line) => {
      const steps = Array.from({ length: columns }, (_, column) => `${place(column).toFixed(1)},${level(share(column, line)).toFixed(1)}`);
      const path = svg("path", { d: `M${steps.join("L")}`, style: `stroke:${mix((p.objective[line] - low) / reach)}` });
      path.append(svg("title", {}, `point ${p.points[line]}: ${format(p.objective[line])}`));
      root.append(path);
      return path;
    });
    const chosen = Array(columns).fill(null);
    const count = document.getElementById("parallel-count");
    function apply() {
      let kept = 0;
      paths.forEach((path, line) => {
        const inside = chosen.every((range, column) => !range || (share(column, line) >= range[0] && share(column, line) <= range[1]));
        path.classList.toggle("out", !inside);
        path.style.stroke = inside ? mix((p.objective[line] - low) / reach) : "";
        kept += inside;
      });
      count.textContent = chosen.some(Boolean) ? `${kept} of ${paths.length} lines chosen; click an axis to let go` : "";
    }
    for (let column = 0; column < columns; column += 1) {
      const x = place(column), isAxis = column < p.axes.length;
      const name = isAxis ? p.axes[column].name : data.objective;
      root.append(svg("line", { x1: x, x2: x, y1: top, y2: bottom }));
      const title = svg("text", { class: "name", x, y: 16, "text-anchor": "middle" }, name.length > 20 ? `${name.slice(0, 19)}…` : name);
      title.append(svg("title", {}, name));
      root.append(title);
      const marks = isAxis
        ? p.axes[column].labels.map(([digit, label]) => [p.sizes[column] > 1 ? digit / (p.sizes[column] - 1) : 0.5, label])
        : [0, 0.25, 0.5, 0.75, 1].map((at) => [at, format(Number((low + reach * at).toPrecision(3)))]);
      for (const [at, label] of marks) {
        const halo = { x: x + 6, y: level(at) + 4, style: `paint-order:stroke;stroke:${t.surface};stroke-width:3px` };
        root.append(svg("text", halo, label.length > 14 ? `${label.slice(0, 13)}…` : label));
      }
      const brush = svg("rect", { class: "brush", x: x - 8, width: 16, y: 0, height: 0, visibility: "hidden" });
      const hit = svg("rect", { class: "hit", x: x - 16, width: 32, y: top - 8, height: bottom - top + 16 });
      root.append(brush, hit);
      const keep = (range) => {
        chosen[column] = range;
        brush.setAttribute("visibility", range ? "visible" : "hidden");
        if (range) {
          brush.setAttribute("y", level(range[1]));
          brush.setAttribute("height", level(range[0]) - level(range[1]));
        }
        apply();
      };
      const at = (event) => {
        const box = root.getBoundingClientRect();
        return Math.min(1, Math.max(0, (bottom - ((event.clientY - box.top) / box.height) * height) / (bottom - top)));
      };
      let from = null, moved = false;
      hit.addEventListener("pointerdown", (event) => {
        [from, moved] = [at(event), false];
        hit.setPointerCapture(event.pointerId);
      });
      hit.addEventListener("pointermove", (event) => {
        if (from === null) return;
        const to = at(event);
        moved ||= Math.abs(to - from) > 0.015;
        if (moved) keep([Math.min(from, to), Math.max(from, to)]);
      });
      hit.addEventListener("pointerup", () => {
        if (from !== null && !moved) keep(null);
        from = null;
      });
      hit.addEventListener("pointercancel", () => { from = null; });
    }
    element.replaceChildren(root);
    apply();
  }

  // Charts of other files of the report.
  for (const add of window.hummingsweepCharts || []) Object.assign(draw, add({ data, safe, format, faded, layout, plot }));

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

  // Sorting the ranking.
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column], raw = cell.dataset.value ?? cell.textContent;
        return raw === "" ? null : Number.isNaN(Number(raw)) ? raw : Number(raw);
      };
      const compare = (a, b) => {
        if (a === null || b === null) return (a === null) - (b === null); // what has no value stays last
        const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
        return descending ? -order : order;
      };
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b))));
    }));
  }
  document.documentElement.dataset.ready = "yes";
})();
