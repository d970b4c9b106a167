// The verdict's charts; script.js hands over its helpers and adds them to its own.
"use strict";
(window.hummingsweepCharts ||= []).push(({ data, plot, layout, safe, faded }) => {
  const line = (x, colour, dash) => ({
    type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: colour, width: 2, dash } });
  // above the chart, so that no label covers a bar; y: line of text, from 0 on
  const mark = (t, x, text, y, end) => ({
    x, y: 1, yref: "paper", yanchor: "bottom", yshift: 2 + 15 * y, text, showarrow: false, xanchor: end ? "right" : "left",
    xshift: end ? 4 : -4, font: { size: 11 } });
  const middles = (edges) => edges.slice(1).map((edge, i) => (edge + edges[i]) / 2);
  const rightHalf = (x, edges) => x > (edges[0] + edges[edges.length - 1]) / 2;

  return {
    trust_sharpe(element, t) {
      const d = data.trust.sharpe, x = middles(d.edges);
      return plot(element, [{
        type: "bar", x, y: d.points, marker: { color: faded(t.quiet, 0.45), line: { width: 0 } }, name: "points",
        hovertemplate: "%{y:.1%} of the points around %{x:.2f}<extra></extra>",
      }, {
        x, y: d.luck, mode: "lines", line: { color: t.warn, width: 2, shape: "hvh" }, fill: "tozeroy",
        fillcolor: faded(t.warn, 0.25), name: "luck", hovertemplate: "luck's best around %{x:.2f}: %{y:.1%}<extra></extra>",
      }], layout(t, {
        height: 340, bargap: 0, barmode: "overlay", margin: { l: 8, r: 12, t: 40, b: 8 },
        xaxis: { title: { text: `Sharpe ratio ${d.unit}` } }, yaxis: { title: { text: "share" }, tickformat: ".0%" },
        shapes: [line(d.bar, t.warn, "dot"), line(d.best, t.accent, "solid")],
        annotations: [
          mark(t, d.best, "the best point", 1, rightHalf(d.best, d.edges)),
          mark(t, d.bar, "luck: 1 in 20", 0, rightHalf(d.bar, d.edges)),
        ],
      }));
    },

    trust_splits(element, t) {
      const d = data.trust.splits;
      const ends = [Math.min(...d.inside), Math.max(...d.inside)];
      return plot(element, [{
        type: "scatter", mode: "markers", x: d.inside, y: d.outside,
        marker: { size: 6, color: d.outside.map((y) => (y < 0 ? t.bad : t.good)), opacity: 0.65 },
        hovertemplate: "chosen with %{x:.2f}, then %{y:.2f}<extra></extra>",
      }, {
        x: ends, y: d.line, mode: "lines", line: { color: t.accent, width: 2 }, hoverinfo: "skip",
      }], layout(t, {
        height: 320, xaxis: { title: { text: `chosen on: ${safe(d.measure)}` } },
        yaxis: { title: { text: "on the other half" } },
        shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 0, y1: 0, line: { color: t.quiet, width: 1.5 } }],
      }));
    },

    trust_noise(element, t) {
      const d = data.trust.noise;
      const span = [...d.bests, d.best], edges = [Math.min(...span), Math.max(...span)];
      return plot(element, [{
        type: "histogram", x: d.bests, nbinsx: 30, marker: { color: faded(t.warn, 0.55), line: { width: 0 } },
        hovertemplate: "%{y} markets around %{x}<extra></extra>",
      }], layout(t, {
        height: 320, bargap: 0.05, margin: { l: 8, r: 12, t: 28, b: 8 }, xaxis: { title: { text: `best ${safe(d.objective)} on shuffled candles` } },
        yaxis: { title: { text: "markets" } }, shapes: [line(d.best, t.accent, "solid")],
        annotations: [mark(t, d.best, "the real best", 0, rightHalf(d.best, edges))],
      }));
    },

    trust_fan(element, t) {
      const d = data.trust.fan, x = d.time.map((second) => new Date(second * 1000).toISOString());
      const band = (low, high, alpha) => [
        { x, y: d.bands[high], mode: "lines", line: { width: 0 }, hoverinfo: "skip" },
        { x, y: d.bands[low], mode: "lines", line: { width: 0 }, fill: "tonexty", fillcolor: faded(t.accent, alpha), hoverinfo: "skip" },
      ];
      return plot(element, [
        ...band(0, 4, 0.13), ...band(1, 3, 0.2),
        { x, y: d.bands[2], mode: "lines", line: { color: t.accent, width: 1, dash: "dot" }, hoverinfo: "skip" },
        { x, y: d.curve, mode: "lines", line: { color: t.text, width: 2 }, hovertemplate: "%{x}<br>account %{y:.3f}<extra></extra>" },
      ], layout(t, {
        height: 320, xaxis: {}, yaxis: { title: { text: "account, start = 1" } },
        shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: t.quiet, width: 1 } }],
      }));
    },
  };
});
