// The chart of a live replay; script.js hands over its helpers and adds it to its own.
"use strict";
(window.hummingsweepCharts ||= []).push(({ data, plot, layout }) => {
  const time = (seconds) => new Date(seconds * 1000).toISOString();

  return {
    live_equity(element, t, index) {
      const d = data.live[index], x = d.time.map(time);
      const line = (y, colour, dash, name) => ({
        x, y, mode: "lines", name, line: { color: colour, width: 2, dash },
        hovertemplate: `${name} %{x|%Y-%m-%d %H:%M}<br>%{y:.6g}<extra></extra>`,
      });
      const shapes = d.first === null ? [] : [{
        type: "line", x0: time(d.first), x1: time(d.first), yref: "paper", y0: 0, y1: 1,
        line: { color: t.warn, width: 1.5, dash: "dot" } }];
      const annotations = d.first === null ? [] : [{
        x: time(d.first), y: 1, yref: "paper", yanchor: "top", xanchor: "left", xshift: 4, text: "first difference",
        showarrow: false, bgcolor: t.surface, font: { size: 11 } }];
      return plot(element, [
        line(d.backtest, t.quiet, "dot", "back-test"), line(d.live, t.accent, "solid", "live replay"),
      ], layout(t, {
        height: 320, shapes, annotations, showlegend: true, legend: { orientation: "h", y: 1.12 },
        xaxis: { type: "date" }, yaxis: { title: { text: "equity change" } },
      }));
    },
  };
});
