// The charts of what the choice never saw: folds on the price, the joined curve, the chosen values from fold to fold.
"use strict";
(window.hummingsweepCharts ||= []).push(({ data, safe, format, faded, layout, plot }) => {
  const time = (seconds) => new Date(seconds * 1000).toISOString();
  const percent = (value) => (value === null || value === undefined ? "–" : `${(value * 100).toFixed(2)}%`);

  return {
    folds(element, t) {
      const { price, folds, holdout, period } = data.unseen;
      const colour = (fold) => (fold.return_out === null ? t.quiet : fold.return_out > 0 ? t.good : t.bad);
      const bar = (start, end, row, fill) => ({
        type: "rect", xref: "x", yref: "y2", x0: time(start), x1: time(end), y0: row - 0.35, y1: row + 0.35,
        fillcolor: fill, line: { width: 0 },
      });
      const shapes = folds.flatMap((fold, row) => [
        bar(fold.train_start, fold.train_end, row, faded(t.text, 0.22)),
        bar(fold.test_start, fold.test_end, row, colour(fold)),
      ]);
      const end = holdout ? holdout[1] : period[1];
      if (holdout) shapes.push({
        type: "rect", xref: "x", yref: "paper", x0: time(holdout[0]), x1: time(holdout[1]), y0: 0, y1: 1,
        fillcolor: faded(t.accent, 0.12), line: { width: 0 },
      });
      // one invisible mark a test window, which says its numbers
      const middle = folds.map((fold) => time((fold.test_start + fold.test_end) / 2));
      const text = folds.map((fold) =>
        `fold ${fold.fold + 1}<br>return in training ${percent(fold.return_in)}<br>in the test ${percent(fold.return_out)}` +
        `<br>at random ${percent(fold.control_out)}`);
      // without curves (a copied folder) there is no price to draw: the folds alone
      const priced = price.time.length > 0;
      const height = (priced ? 220 : 70) + 24 * folds.length;
      const share = priced ? Math.min(0.6, (24 * folds.length + 30) / height) : 1;
      return plot(element, [
        { x: price.time.map(time), y: price.close, mode: "lines", line: { width: 1.2, color: t.quiet }, name: "price",
          hovertemplate: "%{x|%Y-%m-%d %H:%M}<br>%{y:.6g}<extra></extra>" },
        { x: middle, y: folds.map((_, row) => row), yaxis: "y2", mode: "markers", marker: { size: 14, opacity: 0 },
          text, hovertemplate: "%{text}<extra></extra>" },
      ], layout(t, {
        height, shapes, margin: { l: 8, r: 12, t: 12, b: 8 },
        annotations: holdout ? [{ x: time((holdout[0] + holdout[1]) / 2), y: 1, yref: "paper", yanchor: "top",
          text: "hold-out", showarrow: false, font: { size: 11 } }] : [],
        xaxis: { type: "date", range: [time(period[0]), time(end)], anchor: "y2" },
        yaxis: priced ? { domain: [share + 0.04, 1], title: { text: "price" } } : { visible: false },
        yaxis2: { domain: [0, share], range: [folds.length - 0.5, -0.5], tickvals: folds.map((_, row) => row),
          ticktext: folds.map((fold) => String(fold.fold + 1)), title: { text: "fold" }, showgrid: false, zeroline: false },
      }));
    },

    joined(element, t) {
      const { joined, control, folds } = data.unseen;
      const line = (curve, colour, dash, name) => ({
        x: curve.time.map(time), y: curve.growth.map((value) => value - 1), mode: "lines", name,
        line: { color: colour, width: dash === "solid" ? 2 : 1.4, dash },
        hovertemplate: `${name} %{x|%Y-%m-%d}<br>%{y:.2%}<extra></extra>`,
      });
      const traces = control ? [line(control, t.quiet, "dot", "at random")] : [];
      traces.push(line(joined, t.accent, "solid", "chosen"));
      const shapes = folds.map((fold) => ({
        type: "line", x0: time(fold.test_start), x1: time(fold.test_start), yref: "paper", y0: 0, y1: 1,
        line: { color: t.line, width: 1 },
      }));
      return plot(element, traces, layout(t, {
        height: 320, shapes, showlegend: true, legend: { orientation: "h", y: 1.12 },
        xaxis: { type: "date" }, yaxis: { tickformat: ".1%", title: { text: "return so far" } },
      }));
    },

    chosen(element, t, index) {
      const { axis, folds, values } = data.unseen.parameters[index];
      const numbers = values.every((value) => typeof value === "number");
      return plot(element, [{
        x: folds, y: numbers ? values : values.map((value) => safe(JSON.stringify(value))), mode: "lines+markers",
        line: { color: t.accent, width: 1.6, shape: "hv" }, marker: { size: 8 },
        hovertemplate: `fold %{x}<br>${safe(axis)} %{y}<extra></extra>`,
      }], layout(t, {
        height: 240, xaxis: { title: { text: "fold" }, dtick: 1 },
        yaxis: { title: { text: safe(axis) }, ...(numbers ? {} : { type: "category" }) },
      }));
    },
  };
});
