// Parallel coordinates: one line a point, coloured by the objective; dragging along an axis keeps what passes there.
"use strict";
(window.hummingsweepCharts ||= []).push(({ data, asText, colours }) => {
  function parallel(element, t) {
    const p = data.parallel, width = Math.max(element.clientWidth, 130 * (p.axes.length + 1)), height = 380;
    const top = 48, bottom = height - 22, left = 46, right = width - 74, columns = p.axes.length + 1;
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
    const colour = colours.of(t, [low, high]);
    const root = svg("svg", { class: "parallel", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    root.style.width = `${width}px`;
    const paths = p.objective.map((_, line) => {
      const steps = Array.from({ length: columns }, (_, column) => `${place(column).toFixed(1)},${level(share(column, line)).toFixed(1)}`);
      const path = svg("path", { d: `M${steps.join("L")}`, style: `stroke:${colour(p.objective[line])}` });
      path.append(svg("title", {}, `point ${p.points[line]}: ${asText(p.objective[line])}`));
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
        path.style.stroke = inside ? colour(p.objective[line]) : "";
        kept += inside;
      });
      count.textContent = chosen.some(Boolean) ? `${kept} of ${paths.length} lines chosen; click an axis to let go` : "";
    }
    for (let column = 0; column < columns; column += 1) {
      const x = place(column), isAxis = column < p.axes.length;
      const name = isAxis ? p.axes[column].name : data.objective;
      if (isAxis) root.append(svg("line", { x1: x, x2: x, y1: top, y2: bottom }));
      else for (let step = 0; step < 60; step += 1) { // the colour bar
        const height = (bottom - top) / 60;
        root.append(svg("rect", { x: x - 1, width: 10, y: level((step + 1) / 60), height: height + 0.5, fill: colour(low + reach * (step + 0.5) / 60) }));
      }
      const title = svg("text", { class: "name", x, y: 16, "text-anchor": "middle" }, name.length > 20 ? `${name.slice(0, 19)}…` : name);
      title.append(svg("title", {}, name));
      root.append(title);
      const marks = isAxis
        ? p.axes[column].labels.map(([digit, label]) => [p.sizes[column] > 1 ? digit / (p.sizes[column] - 1) : 0.5, label])
        : [0, 0.25, 0.5, 0.75, 1].map((at) => [at, asText(Number((low + reach * at).toPrecision(3)))]);
      for (const [at, label] of marks) {
        const halo = { x: x + (isAxis ? 6 : 14), y: level(at) + 4, style: `paint-order:stroke;stroke:${t.surface};stroke-width:4px` };
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

  return { parallel };
});
