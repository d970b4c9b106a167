// The objective's colours, which mean the same in every chart of the page: blue above 0, red below, and the darker the
// farther from 0. Where less is better, the other way round.
"use strict";
const hummingsweepColours = (ascending) => {
  const mixed = (from, to, share) => {
    const part = (hex, at) => parseInt(hex.slice(at, at + 2), 16);
    return `#${[1, 3, 5].map((at) => Math.round(part(from, at) + (part(to, at) - part(from, at)) * share)
      .toString(16).padStart(2, "0")).join("")}`;
  };
  const ends = (t) => (ascending ? [t.high, t.low] : [t.low, t.high]);
  return {
    // [lowest, highest] of some values, without those that are missing
    range(values) {
      let low = Infinity, high = -Infinity;
      for (const value of values) if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
      return low > high ? [0, 1] : [low, high];
    },

    ofSign: (t, value) => ends(t)[value < 0 ? 0 : 1],

    // What plotly wants for values from low to high. Both hues around 0 where 0 is near; one hue, from pale to dark,
    // where all values lie on one side of 0 and differ little.
    scale(t, [low, high]) {
      const [below, above] = ends(t), reach = Math.max(Math.abs(low), Math.abs(high)) || 1;
      if ((low < 0 && high > 0) || high - low > reach / 2) {
        return { colorscale: [[0, below], [0.5, t.middle], [1, above]], zmin: -reach, zmax: reach };
      }
      const colorscale = low >= 0 ? [[0, mixed(t.middle, above, 0.2)], [1, above]] : [[0, below], [1, mixed(t.middle, below, 0.2)]];
      return { colorscale, zmin: low, zmax: high === low ? low + reach * 1e-9 : high };
    },

    // A function from a value to a colour, for lines: each side of 0 reaches its own full colour, so that small gains
    // beside large losses are still seen; the bar beside the lines says what is what.
    of(t, [low, high]) {
      const [below, above] = ends(t);
      if (low >= 0 || high <= 0) {
        const [from, to] = low >= 0 ? [mixed(t.middle, above, 0.2), above] : [below, mixed(t.middle, below, 0.2)];
        return (value) => mixed(from, to, high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 1);
      }
      return (value) => (value < 0 ? mixed(t.middle, below, Math.min(1, value / low)) : mixed(t.middle, above, Math.min(1, value / high)));
    },
  };
};
