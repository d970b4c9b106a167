// One point: its price with entries and exits, equity beside buying and holding, drawdown; returns by month, weekday, hour.
"use strict";
(window.hummingsweepCharts ||= []).push(({ data, safe, format, faded, layout, plot }) => ({
    curves(element, t, index) {
      const { curve, trades, hold } = data.details[index], time = (seconds) => new Date(seconds * 1000).toISOString();
      const x = curve.time.map(time), thin = { width: 1.4 }, small = element.clientWidth < 560;
      const larger = !small ? 0 : trades.opened.length > 60 ? 1 : 3; // a finger's screen: larger, where they do not cover each other
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
        marker: { symbol, color, size: size + larger, line: { width: small ? 1.2 : 0.8, color: t.surface } },
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
        ...(hold ? [{ ...series(hold, "y2", t.quiet, "buy and hold"), line: { width: 1.4, color: t.quiet, dash: "dot" } }] : []),
        series(curve.equity, "y2", t.accent, "equity", true), series(curve.drawdown, "y3", t.bad, "drawdown", true),
      ], layout(t, {
        height: small ? 560 : 620, hovermode: "closest",
        xaxis: { type: "date", anchor: "y3", hoverformat: "%Y-%m-%d %H:%M:%S" },
        yaxis: { domain: [0.52, 1], title: { text: "price" } },
        yaxis2: { domain: [0.22, 0.48], title: { text: "equity" }, zeroline: true },
        yaxis3: { domain: [0, 0.18], title: { text: "drawdown" } },
      }));
    },

    calendar(element, t, index) {
      const { calendar, calendar_fraction: fraction } = data.details[index], narrow = element.clientWidth < 640;
      const kinds = ["month", "weekday", "hour"].filter((kind) => calendar[kind].length > 1), figure = {}, n = kinds.length;
      const traces = kinds.map((kind, place) => {
        const axis = place ? String(place + 1) : "", share = [place / n, (place + 1) / n];
        const inner = narrow ? [1 - share[1] + 0.06, 1 - share[0] - 0.06] : [share[0] + 0.035, share[1]];
        const label = (name) => (kind === "weekday" ? name.slice(0, 3) : name);
        figure[`xaxis${axis}`] = { type: "category", anchor: `y${axis}`, title: { text: `${kind} (UTC)` }, ...(narrow ? {} : { domain: inner }) };
        figure[`yaxis${axis}`] = { anchor: `x${axis}`, tickformat: fraction ? ".2~p" : ".3~s", ...(narrow ? { domain: inner } : {}) };
        return {
          type: "bar", x: calendar[kind].map(([name]) => safe(label(name))), y: calendar[kind].map(([, value]) => value),
          xaxis: `x${axis}`, yaxis: `y${axis}`, marker: { color: calendar[kind].map(([, value]) => (value < 0 ? t.low : t.high)) },
          hovertemplate: `%{x}<br>%{y:${fraction ? ".3~p" : ".5~g"}}<extra></extra>`,
        };
      });
      return plot(element, traces, layout(t, { height: narrow ? 220 * n : 230, bargap: 0.15, ...figure }));
    },
}));
